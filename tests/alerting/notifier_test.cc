// The notifier against real HTTP servers on the loopback interface.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <map>
#include <thread>

#include "absl/time/clock.h"
#include "alerting/alerting.h"
#include "base/http_server.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "tests/support/raw_server.h"

namespace narthex::alerting {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// Records what is posted; answers with the statuses in `script`, then 200. May be held so that requests wait.
class FakeAlertmanager {
 public:
  explicit FakeAlertmanager(std::deque<int> script = {}) : script_(std::move(script)) {
    HttpServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    auto server = HttpServer::Start(
        options, [this](const HttpRequest& request, HttpResponseWriter& out) { Handle(request, out); });
    if (server.ok()) server_ = *std::move(server);
  }
  ~FakeAlertmanager() { Release(); }

  std::string address() const { return StrCat("127.0.0.1:", server_->ports()[0]); }
  std::string url() const { return StrCat("http://", address(), "/api/v2/alerts"); }
  void Hold() {
    MutexLock lock(&mutex_);
    held_ = true;
  }
  void Release() {
    MutexLock lock(&mutex_);
    held_ = false;
  }
  // From now on every answer is 200.
  void Heal() {
    MutexLock lock(&mutex_);
    script_.clear();
  }
  // Waits until `count` requests came in; all bodies so far.
  std::vector<std::string> Requests(size_t count) {
    MutexLock lock(&mutex_);
    auto enough = [&]() { return bodies_.size() >= count; };
    mutex_.AwaitWithTimeout(Condition(&enough), kPatience);
    return bodies_;
  }
  std::string last_content_type() {
    MutexLock lock(&mutex_);
    return content_type_;
  }

 private:
  void Handle(const HttpRequest& request, HttpResponseWriter& out) {
    int status = 200;
    {
      MutexLock lock(&mutex_);
      content_type_ = std::string(request.Header("content-type"));
      bodies_.push_back(request.method + " " + request.path + " " + request.body);
      auto free = [this]() { return !held_; };
      mutex_.AwaitWithTimeout(Condition(&free), kPatience);
      if (!script_.empty()) {
        status = script_.front();
        script_.pop_front();
      }
    }
    out.Send(status, "application/json", "{}");
  }

  Mutex mutex_;
  std::deque<int> script_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> bodies_ ABSL_GUARDED_BY(mutex_);
  std::string content_type_ ABSL_GUARDED_BY(mutex_);
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<HttpServer> server_;
};

rules::Notification Alert(std::string_view name) {
  rules::Notification alert;
  alert.labels = Labels({{"alertname", name}});
  alert.starts_at_ms = alert.ends_at_ms = 1577836800000;
  return alert;
}

bool Has(const std::string& text, std::string_view piece) { return text.find(piece) != std::string::npos; }

class NotifierTest : public ::testing::Test {
 protected:
  void Create() {
    options_.http = &http_;
    if (options_.clock == nullptr) options_.clock = &SystemClock();
    options_.logger = &logger_;
    options_.metrics = &metrics_;
    options_.retry_backoff_ms = 1;
    options_.max_backoff_ms = 5;
    notifier_ = Notifier::Create(options_);
  }
  void Apply(const std::string& yaml, std::vector<std::pair<std::string, std::string>> external = {}) {
    absl::StatusOr<YamlNode> node = YamlNode::Parse(yaml);
    ASSERT_TRUE(node.ok()) << node.status();
    absl::StatusOr<AlertingConfig> config = ParseAlertingConfig(&*node, "");
    ASSERT_TRUE(config.ok()) << config.status();
    absl::Status applied = notifier_->Apply(*std::move(config), std::move(external));
    ASSERT_TRUE(applied.ok()) << applied;
  }
  static std::string To(std::string_view address, std::string_view more = "") {
    return StrCat("alertmanagers:\n- static_configs: [{targets: ['", address, "']}]\n  timeout: 20s\n", more);
  }
  double Count(std::string_view name, const FakeAlertmanager& am) {
    return metrics_
        .GetCounter(StrCat("prometheus_notifications_", name, "_total"), "", {{"alertmanager", am.url()}})
        ->value();
  }
  // Counters move just after the answer; this waits for them.
  bool Reaches(std::string_view name, const FakeAlertmanager& am, double value) {
    for (int i = 0; i < 4000; ++i) {
      if (Count(name, am) >= value) return Count(name, am) == value;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }

  MetricsRegistry metrics_;
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &SystemClock(), [](std::string_view) {}};
  HttpClient http_;
  NotifierOptions options_;
  std::unique_ptr<Notifier> notifier_;
};

TEST_F(NotifierTest, PostsAlertsToTheApi) {
  FakeAlertmanager am;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("One")});
  std::vector<std::string> requests = am.Requests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0],
            "POST /api/v2/alerts [{\"endsAt\":\"2020-01-01T00:00:00.000Z\",\"startsAt\":\"2020-01-01T00:00:"
            "00.000Z\",\"labels\":{\"alertname\":\"One\"}}]");
  EXPECT_EQ(am.last_content_type(), "application/json");
  EXPECT_TRUE(Reaches("sent", am, 1));
  ASSERT_EQ(notifier_->Active().size(), 1u);
  EXPECT_EQ(notifier_->Active()[0].url, am.url());
  EXPECT_TRUE(Has(metrics_.Expose(), "prometheus_notifications_alertmanagers_discovered 1"));
  EXPECT_TRUE(Has(metrics_.Expose(), "prometheus_notifications_queue_capacity 10000"));
}

TEST_F(NotifierTest, TriesAgainAfterServerErrors) {
  FakeAlertmanager am({500, 503, 429});
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("One")});
  std::vector<std::string> requests = am.Requests(4);
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[3], requests[0]);
  EXPECT_TRUE(Reaches("sent", am, 1));
  EXPECT_EQ(Count("errors", am), 3);
  EXPECT_EQ(Count("dropped", am), 0);
}

TEST_F(NotifierTest, DropsWhatTheAlertmanagerRefuses) {
  FakeAlertmanager am({400});
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("Bad")});
  EXPECT_TRUE(Reaches("dropped", am, 1));
  notifier_->Send({Alert("Good")});
  EXPECT_TRUE(Reaches("sent", am, 1));
  EXPECT_EQ(Count("errors", am), 1);
  EXPECT_EQ(am.Requests(2).size(), 2u);
}

TEST_F(NotifierTest, GivesUpABatchThatIsTooOld) {
  FakeAlertmanager am(std::deque<int>(10, 500));
  FakeClock clock(0);
  options_.clock = &clock;
  options_.give_up_ms = 10'000;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("One"), Alert("Two")});
  EXPECT_TRUE(Reaches("errors", am, 2));
  clock.AdvanceMs(5000);
  EXPECT_TRUE(Reaches("errors", am, 4));
  EXPECT_EQ(Count("dropped", am), 0);
  clock.AdvanceMs(5000);
  EXPECT_TRUE(Reaches("dropped", am, 2));
  EXPECT_EQ(Count("errors", am), 6);
  EXPECT_EQ(Count("sent", am), 0);
  notifier_.reset();  // before its clock
}

TEST_F(NotifierTest, OneThatHangsOrIsDownDoesNotDelayTheOther) {
  FakeAlertmanager hanging, good;
  hanging.Hold();
  Create();
  Apply(StrCat("alertmanagers:\n- static_configs: [{targets: ['", hanging.address(), "', '127.0.0.1:1', '",
               good.address(), "']}]\n"));
  EXPECT_EQ(notifier_->Active().size(), 3u);
  notifier_->Send({Alert("One")});
  ASSERT_EQ(hanging.Requests(1).size(), 1u);
  EXPECT_TRUE(Reaches("sent", good, 1));
  notifier_->Send({Alert("Two")});
  EXPECT_TRUE(Reaches("sent", good, 2));
  EXPECT_EQ(Count("sent", hanging), 0);
  hanging.Release();
  EXPECT_TRUE(Reaches("sent", hanging, 2));
  auto* errors = metrics_.GetCounter("prometheus_notifications_errors_total", "",
                                     {{"alertmanager", "http://127.0.0.1:1/api/v2/alerts"}});
  EXPECT_GE(errors->value(), 1);
}

TEST_F(NotifierTest, AFullQueueDropsTheOldest) {
  FakeAlertmanager am;
  am.Hold();
  options_.queue_capacity = 3;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("InFlight")});
  ASSERT_EQ(am.Requests(1).size(), 1u);
  for (const char* name : {"A1", "A2", "A3", "A4", "A5"}) notifier_->Send({Alert(name)});
  EXPECT_EQ(Count("dropped", am), 2);
  EXPECT_TRUE(Has(metrics_.Expose(),
                  StrCat("prometheus_notifications_queue_length{alertmanager=\"", am.url(), "\"} 3")));
  am.Release();
  std::vector<std::string> requests = am.Requests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_FALSE(Has(requests[1], "A2"));
  EXPECT_TRUE(Has(requests[1], "A3"));
  EXPECT_TRUE(Has(requests[1], "A5"));
  EXPECT_TRUE(Reaches("sent", am, 4));
}

TEST_F(NotifierTest, SendsInBatches) {
  FakeAlertmanager am;
  options_.batch_size = 2;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("A1"), Alert("A2"), Alert("A3"), Alert("A4"), Alert("A5")});
  std::vector<std::string> requests = am.Requests(3);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_TRUE(Has(requests[0], "A1") && Has(requests[0], "A2") && !Has(requests[0], "A3"));
  EXPECT_TRUE(Has(requests[2], "A5"));
  EXPECT_TRUE(Reaches("sent", am, 5));
}

TEST_F(NotifierTest, AddsExternalLabelsBeforeRelabelling) {
  FakeAlertmanager am;
  Create();
  Apply(To(am.address()) +
            "alert_relabel_configs:\n- {source_labels: [site], target_label: from, replacement: 'x-$1'}\n"
            "- {regex: replica, action: labeldrop}\n",
        {{"site", "edge7"}, {"replica", "a"}, {"alertname", "never"}});
  notifier_->Send({Alert("One")});
  std::vector<std::string> requests = am.Requests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(Has(requests[0], R"("labels":{"alertname":"One","from":"x-edge7","site":"edge7"})"))
      << requests[0];
}

TEST_F(NotifierTest, RelabellingDropsForAllOrForOne) {
  FakeAlertmanager all, pages;
  Create();
  Apply(StrCat("alert_relabel_configs: [{source_labels: [alertname], regex: Noise, action: drop}]\n",
               "alertmanagers:\n- static_configs: [{targets: ['", all.address(), "']}]\n",
               "- static_configs: [{targets: ['", pages.address(), "']}]\n",
               "  alert_relabel_configs: [{source_labels: [alertname], regex: Page, action: keep}]\n"));
  notifier_->Send({Alert("Noise")});
  notifier_->Send({Alert("Noise"), Alert("Page"), Alert("Ticket")});
  EXPECT_TRUE(Reaches("sent", all, 2));
  EXPECT_TRUE(Reaches("sent", pages, 1));
  EXPECT_TRUE(Has(pages.Requests(1)[0], "Page"));
}

TEST_F(NotifierTest, RelabelledAwayAlertmanagersAreShownAsDropped) {
  FakeAlertmanager am;
  Create();
  Apply(To(am.address(), "  relabel_configs: [{source_labels: [__address__], regex: '.*', action: drop}]\n"));
  EXPECT_TRUE(notifier_->Active().empty());
  ASSERT_EQ(notifier_->Dropped().size(), 1u);
  EXPECT_EQ(notifier_->Dropped()[0].url, am.url());
}

TEST_F(NotifierTest, KeepsQueuesOverApply) {
  FakeAlertmanager am;
  am.Hold();
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("InFlight")});
  ASSERT_EQ(am.Requests(1).size(), 1u);
  notifier_->Send({Alert("Waiting")});
  Apply(To(am.address()));                                 // unchanged
  Apply(To(am.address(), "  follow_redirects: false\n"));  // changed, the same Alertmanager
  am.Release();
  EXPECT_TRUE(Reaches("sent", am, 2));
  EXPECT_TRUE(Has(am.Requests(2)[1], "Waiting"));
}

TEST_F(NotifierTest, ForgetsAnAlertmanagerThatIsGone) {
  FakeAlertmanager am;
  am.Hold();
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("InFlight")});
  ASSERT_EQ(am.Requests(1).size(), 1u);
  Apply("alertmanagers: []\n");
  EXPECT_TRUE(notifier_->Active().empty());
  EXPECT_FALSE(Has(metrics_.Expose(), am.url()));
  am.Release();
  notifier_->Send({Alert("Two")});
  notifier_->Stop();
  EXPECT_FALSE(Has(metrics_.Expose(), am.url()));
  EXPECT_EQ(am.Requests(1).size(), 1u);
}

TEST_F(NotifierTest, FollowsTargetFiles) {
  FakeAlertmanager first, second;
  const std::string path = StrCat(::testing::TempDir(), "/narthex_notifier_targets.json");
  auto write = [&](std::string_view targets) {
    std::ofstream(path) << "[{\"targets\": [" << targets << "]}]";
  };
  write(StrCat("\"", first.address(), "\""));
  options_.discovery_reload_interval_ms = 10;
  Create();
  Apply(StrCat("alertmanagers:\n- file_sd_configs: [{files: ['", path, "']}]\n"));
  ASSERT_EQ(notifier_->Active().size(), 1u);
  write(StrCat("\"", first.address(), "\", \"", second.address(), "\""));
  for (int i = 0; i < 2000 && notifier_->Active().size() < 2; ++i) absl::SleepFor(absl::Milliseconds(5));
  ASSERT_EQ(notifier_->Active().size(), 2u);
  notifier_->Send({Alert("One")});
  EXPECT_TRUE(Reaches("sent", first, 1));
  EXPECT_TRUE(Reaches("sent", second, 1));
}

TEST_F(NotifierTest, AnEmptyAnswerOfDiscoveryLosesNoAlert) {
  FakeAlertmanager am;
  std::atomic<bool> empty = false;
  testing::RawServer service([&](testing::RawServer::Connection& c) {
    c.Answer(200, "application/json", empty ? "[]" : StrCat("[{\"targets\": [\"", am.address(), "\"]}]"));
  });
  options_.discovery_reload_interval_ms = 10;
  Create();
  Apply(StrCat("alertmanagers:\n- http_sd_configs: [{url: 'http://", service.address(),
               "/', refresh_interval: 10ms}]\n"));
  const auto wait_for = [&](size_t count) {
    for (int i = 0; i < 4000 && notifier_->Active().size() != count; ++i)
      absl::SleepFor(absl::Milliseconds(5));
    return notifier_->Active().size() == count;
  };
  ASSERT_TRUE(wait_for(1));
  empty = true;
  ASSERT_TRUE(wait_for(0));
  notifier_->Send({Alert("One")});
  EXPECT_TRUE(Reaches("sent", am, 1));
}

TEST_F(NotifierTest, StopDrainsTheQueue) {
  FakeAlertmanager am({500});  // the first batch fails: no second try while stopping, or one before it
  options_.batch_size = 1;
  options_.drain_timeout_ms = 20'000;
  am.Hold();
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("A1"), Alert("A2"), Alert("A3")});
  ASSERT_EQ(am.Requests(1).size(), 1u);
  std::thread releaser([&] { am.Release(); });
  notifier_->Stop();
  releaser.join();
  EXPECT_EQ(Count("sent", am) + Count("dropped", am), 3);
  EXPECT_GE(Count("sent", am), 2);
  const size_t requests = am.Requests(0).size();
  notifier_->Send({Alert("Late")});
  EXPECT_EQ(am.Requests(0).size(), requests);
}

TEST_F(NotifierTest, StopWithoutDrainingDropsTheQueue) {
  FakeAlertmanager am;
  am.Hold();
  options_.drain_on_shutdown = false;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("A1")});
  ASSERT_EQ(am.Requests(1).size(), 1u);
  notifier_->Send({Alert("A2"), Alert("A3")});
  notifier_->Stop();
  EXPECT_EQ(Count("dropped", am), 3);
  am.Release();
}

TEST_F(NotifierTest, DrainingIsBounded) {
  FakeAlertmanager am;
  am.Hold();
  options_.drain_timeout_ms = 50;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("A1")});
  ASSERT_EQ(am.Requests(1).size(), 1u);
  notifier_->Stop();
  EXPECT_EQ(Count("dropped", am), 1);
  am.Release();
}

// What would be on disk.
class MemoryQueueStore : public QueueStore {
 public:
  absl::Status Write(const std::vector<Change>& changes) override {
    MutexLock lock(&mutex_);
    for (const Change& change : changes) {
      if (change.value) {
        values_[change.key] = *change.value;
      } else {
        values_.erase(change.key);
      }
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Scan(
      std::string_view prefix) const override {
    MutexLock lock(&mutex_);
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& entry : values_) {
      if (entry.first.starts_with(prefix)) out.push_back(entry);
    }
    return out;
  }
  size_t size() const {
    MutexLock lock(&mutex_);
    return values_.size();
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::string> values_ ABSL_GUARDED_BY(mutex_);
};

rules::Notification Ended(std::string_view name) {
  rules::Notification alert = Alert(name);
  alert.resolved = true;
  return alert;
}

TEST_F(NotifierTest, TheQueueOutlivesARestartDuringAnOutage) {
  MemoryQueueStore store;
  FakeAlertmanager am(std::deque<int>(100'000, 503));
  options_.store = &store;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("A1")});
  notifier_->Send({Ended("A1"), Alert("A2")});
  ASSERT_GE(am.Requests(2).size(), 2u);
  notifier_->Stop();
  EXPECT_EQ(Count("dropped", am), 0);
  EXPECT_EQ(store.size(), 3u);
  am.Heal();
  notifier_.reset();
  Create();
  Apply(To(am.address()));
  EXPECT_TRUE(Reaches("sent", am, 3));
  EXPECT_EQ(store.size(), 0u);
  const std::string last = am.Requests(0).back();
  EXPECT_TRUE(Has(last, "A1") && Has(last, "A2")) << last;
}

TEST_F(NotifierTest, AnAlertmanagerThatIsNotConfiguredAnyMoreLosesItsQueue) {
  MemoryQueueStore store;
  FakeAlertmanager am(std::deque<int>(100'000, 503)), other;
  options_.store = &store;
  Create();
  Apply(To(am.address()));
  notifier_->Send({Alert("A1")});
  ASSERT_GE(am.Requests(1).size(), 1u);
  notifier_->Stop();
  notifier_.reset();
  EXPECT_EQ(store.size(), 1u);
  Create();
  Apply(To(other.address()));
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(NotifierTest, HalfOfTwoDownDelaysNothingAndLosesNothing) {
  MemoryQueueStore store;
  FakeAlertmanager down(std::deque<int>(100'000, 500)), up;
  options_.store = &store;
  Create();
  Apply(StrCat("alertmanagers:\n- static_configs: [{targets: ['", down.address(), "', '", up.address(),
               "']}]\n"));
  for (const char* name : {"A1", "A2", "A3"}) notifier_->Send({Alert(name)});
  EXPECT_TRUE(Reaches("sent", up, 3));
  EXPECT_EQ(Count("sent", down), 0);
  down.Heal();
  EXPECT_TRUE(Reaches("sent", down, 3));
  EXPECT_EQ(Count("dropped", down), 0);
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(NotifierTest, PostsWebhooksOfEachGroupWithoutAnAlertmanager) {
  FakeAlertmanager hook;
  options_.external_url = "http://narthex";
  Create();
  Apply(StrCat("webhooks:\n- {name: phone, url: 'http://", hook.address(), "/hook', group_by: [site]}\n"),
        {{"site", "north"}});
  rules::Notification again = Alert("A1");
  again.transition = false;
  notifier_->Send({Alert("A1"), Ended("A2"), again});
  std::vector<std::string> requests = hook.Requests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(
      requests[0].starts_with("POST /hook {\"receiver\":\"phone\",\"status\":\"firing\",\"alerts\":[{"))
      << requests[0];
  EXPECT_TRUE(Has(requests[0], "\"groupLabels\":{\"site\":\"north\"},\"commonLabels\":{\"site\":\"north\"}"));
  EXPECT_TRUE(Has(requests[0], "\"groupKey\":\"{}:{site=\\\"north\\\"}\",\"truncatedAlerts\":0}"))
      << requests[0];
  EXPECT_TRUE(Has(requests[0], "\"externalURL\":\"http://narthex\",\"version\":\"4\""));
}

}  // namespace
}  // namespace narthex::alerting
