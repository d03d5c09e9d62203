#include "alerting/alert_queue.h"

#include <gtest/gtest.h>

#include <map>

#include "alerting/webhook_json.h"
#include "base/strings.h"

namespace narthex::alerting {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

class MapStore : public QueueStore {
 public:
  absl::Status Write(const std::vector<Change>& changes) override {
    for (const Change& change : changes) {
      if (change.value) {
        values[change.key] = *change.value;
      } else {
        values.erase(change.key);
      }
    }
    return absl::OkStatus();
  }
  absl::StatusOr<Entries> Scan(std::string_view) const override {
    return Entries(values.begin(), values.end());
  }
  std::map<std::string, std::string> values;
};

rules::Notification Make(std::string_view name, bool resolved = false, int64_t start = 1000) {
  rules::Notification alert;
  alert.labels = Labels({{"alertname", name}});
  alert.annotations = Labels({{"a", "b"}});
  alert.starts_at_ms = start;
  alert.ends_at_ms = start + 5;
  alert.resolved = resolved;
  alert.generator_url = "http://g";
  return alert;
}
rules::Notification Again(rules::Notification alert, int64_t ends) {
  alert.transition = false;
  alert.ends_at_ms = ends;
  return alert;
}

// "A A- B": names, with a minus for the end of an alert.
std::string Text(const std::vector<const rules::Notification*>& alerts) {
  std::string out;
  for (const rules::Notification* alert : alerts) {
    StrAppend(&out, out.empty() ? "" : " ", alert->labels.Get("alertname"), alert->resolved ? "-" : "");
  }
  return out;
}

TEST(AlertQueue, GivesWhatHappenedInOrder) {
  AlertQueue queue(nullptr, "am", 10);
  ASSERT_TRUE(queue.Add({Make("A"), Make("B")}).ok());
  ASSERT_TRUE(queue.Add({Make("A", true), Make("A", false, 2000)}).ok());
  EXPECT_EQ(Text(queue.Take(3)), "A B A-");
  ASSERT_TRUE(queue.Finish().ok());
  EXPECT_EQ(Text(queue.Take(3)), "A");
  EXPECT_EQ(queue.Take(3)[0]->starts_at_ms, 2000);
}

TEST(AlertQueue, WhatIsSaidAgainTakesThePlaceOfWhatWaits) {
  AlertQueue queue(nullptr, "am", 10);
  ASSERT_TRUE(queue.Add({Make("A"), Make("B")}).ok());
  for (int64_t ends = 1; ends < 100; ++ends) ASSERT_TRUE(queue.Add({Again(Make("A"), ends)}).ok());
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.Take(1)[0]->ends_at_ms, 99);
  // While it is on its way it stays as it is.
  ASSERT_TRUE(queue.Add({Again(Make("A"), 200)}).ok());
  EXPECT_EQ(queue.size(), 3u);
  queue.PutBack();
  EXPECT_EQ(queue.size(), 2u);
  std::vector<const rules::Notification*> first = queue.Take(9);
  EXPECT_EQ(Text(first), "A B");
  EXPECT_EQ(first[0]->ends_at_ms, 200);
}

TEST(AlertQueue, TakesWhatGoesTogether) {
  MapStore store;
  AlertQueue queue(&store, "am", 10);
  ASSERT_TRUE(queue.Add({Make("A1"), Make("B1"), Make("A2"), Make("B2"), Make("A1", true)}).ok());
  const auto same_letter = [](const rules::Notification& a, const rules::Notification& b) {
    return a.labels.Get("alertname")[0] == b.labels.Get("alertname")[0];
  };
  EXPECT_EQ(Text(queue.Take(2, same_letter)), "A1 A2");
  ASSERT_TRUE(queue.Add({Again(Make("A2"), 9), Again(Make("B2"), 9)}).ok());
  queue.PutBack();
  EXPECT_EQ(Text(queue.Take(9, same_letter)), "A1 A2 A1-");
  ASSERT_TRUE(queue.Finish().ok());
  EXPECT_EQ(store.values.size(), 2u);
  EXPECT_EQ(Text(queue.Take(9, same_letter)), "B1 B2");
}

TEST(AlertQueue, DropsTheOldestResolvedFirst) {
  AlertQueue queue(nullptr, "am", 3);
  ASSERT_TRUE(queue.Add({Make("A"), Make("B", true), Make("C", true)}).ok());
  EXPECT_EQ(*queue.Add({Make("D")}), 1);
  EXPECT_EQ(*queue.Add({Make("E"), Make("F")}), 2);
  EXPECT_EQ(Text(queue.Take(9)), "D E F");
}

TEST(AlertQueue, OutlivesTheProcess) {
  MapStore store;
  {
    AlertQueue queue(&store, "am", 10);
    ASSERT_TRUE(queue.Add({Make("A"), Make("A", true), Again(Make("B"), 7)}).ok());
    queue.Take(1);
    ASSERT_TRUE(queue.Finish().ok());
  }
  AlertQueue queue(&store, "am", 10);
  queue.Load(store.Scan("").value());
  std::vector<const rules::Notification*> left = queue.Take(9);
  EXPECT_EQ(Text(left), "A-");
  EXPECT_EQ(left[0]->starts_at_ms, 1000);
  EXPECT_EQ(left[0]->ends_at_ms, 1005);
  EXPECT_EQ(left[0]->generator_url, "http://g");
  EXPECT_EQ(left[0]->annotations.Get("a"), "b");
  ASSERT_TRUE(queue.Add({Make("C")}).ok());
  ASSERT_TRUE(queue.Finish().ok());
  EXPECT_EQ(Text(queue.Take(9)), "C");
  ASSERT_TRUE(queue.Clear().ok());
  EXPECT_TRUE(store.values.empty());
}

TEST(AlertQueue, NumbersOfDecadesStayInOrder) {
  MapStore store;
  AlertQueue queue(&store, "am", 1000);
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(queue.Add({Make(StrCat("n", i))}).ok());
  AlertQueue again(&store, "am", 1000);
  again.Load(store.Scan("").value());
  EXPECT_EQ(Text(again.Take(300)), Text(queue.Take(300)));
}

TEST(AlertQueue, RefusesDamagedBytes) {
  std::string bytes = EncodeNotification(Make("A"));
  rules::Notification alert;
  ASSERT_TRUE(DecodeNotification(bytes, &alert));
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeNotification(bytes.substr(0, size), &alert)) << size;
}

TEST(WebhookJson, IsAlertmanagersVersionFour) {
  WebhookConfig config;
  config.name = "hook";
  config.max_alerts = 1;
  rules::Notification other = Make("A", true);
  other.labels = Labels({{"alertname", "A"}, {"x", "1"}});
  EXPECT_EQ(EncodeWebhook(config, "http://n", std::vector<rules::Notification>{Make("A"), other}),
            R"({"receiver":"hook","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"A"},)"
            R"("annotations":{"a":"b"},"startsAt":"1970-01-01T00:00:01Z","endsAt":"0001-01-01T00:00:00Z",)"
            R"("generatorURL":"http://g","fingerprint":"d2c6efc389df0927"}],"groupLabels":{"alertname":"A"},)"
            R"("commonLabels":{"alertname":"A"},"commonAnnotations":{"a":"b"},"externalURL":"http://n",)"
            R"("version":"4","groupKey":"{}:{alertname=\"A\"}","truncatedAlerts":1})");
}

TEST(WebhookJson, ResolvedAlertsBearTheirEnd) {
  WebhookConfig config;
  std::string json = EncodeWebhook(config, "", std::vector<rules::Notification>{Make("A", true)});
  EXPECT_NE(json.find(R"("status":"resolved","alerts":[{"status":"resolved")"), json.npos) << json;
  EXPECT_NE(json.find(R"("endsAt":"1970-01-01T00:00:01.005Z")"), json.npos) << json;
}

}  // namespace
}  // namespace narthex::alerting
