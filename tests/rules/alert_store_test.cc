#include "rules/alert_store.h"

#include <gtest/gtest.h>

#include "rules/clock_watch.h"
#include "tests/support/memory_db.h"

namespace narthex::rules {
namespace {

Alert Sample() {
  Alert alert;
  alert.labels = Labels({{"alertname", "A"}, {"x", "1"}});
  alert.annotations = Labels({{"summary", "text"}});
  alert.state = AlertState::kFiring;
  alert.value = 0.1;
  alert.active_at_ms = 1;
  alert.fired_at_ms = -2;
  alert.resolved_at_ms = int64_t{1} << 50;
  alert.last_sent_at_ms = 4;
  alert.valid_until_ms = 5;
  alert.keep_firing_since_ms = 6;
  return alert;
}

TEST(AlertStore, AnAlertSurvivesEncoding) {
  Alert got;
  ASSERT_TRUE(DecodeAlert(EncodeAlert(Sample()), &got));
  EXPECT_EQ(EncodeAlert(got), EncodeAlert(Sample()));
  EXPECT_EQ(got.annotations.Get("summary"), "text");
  EXPECT_EQ(got.fired_at_ms, -2);
  EXPECT_EQ(got.resolved_at_ms, int64_t{1} << 50);
}

TEST(AlertStore, RefusesDamagedBytes) {
  std::string bytes = EncodeAlert(Sample());
  Alert alert;
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeAlert(bytes.substr(0, size), &alert)) << size;
  EXPECT_FALSE(DecodeAlert(bytes + "x", &alert));
  bytes[1] = 77;
  EXPECT_FALSE(DecodeAlert(bytes, &alert));
}

TEST(AlertStore, KeepsTheAlertsOfRulesApart) {
  std::unique_ptr<tsdb::Db> db = testing::NewMemoryDb();
  Logger logger(LogLevel::kError, LogFormat::kLogfmt, &SystemClock(), [](std::string_view) {});
  const std::string a = AlertStore::RuleKey("f", "g", "a"), ab = AlertStore::RuleKey("f", "g", "ab");
  Alert alert = Sample();
  ASSERT_TRUE(AlertStore(db.get(), &logger).Save(a, 10, {&alert}, {}).ok());
  ASSERT_TRUE(AlertStore(db.get(), &logger).Save(ab, 20, {&alert}, {}).ok());
  AlertStore store(db.get(), &logger);
  SavedAlerts saved = store.Take(a);
  ASSERT_EQ(saved.alerts.size(), 1u);
  EXPECT_EQ(saved.evaluated_at_ms, 10);
  EXPECT_TRUE(store.Take(a).alerts.empty());
  ASSERT_TRUE(store.ForgetUntaken().ok());
  EXPECT_EQ(AlertStore(db.get(), &logger).Take(a).alerts.size(), 1u);
  EXPECT_TRUE(AlertStore(db.get(), &logger).Take(ab).alerts.empty());
}

TEST(ClockWatch, TellsStepsFromThePassingOfTime) {
  FakeClock clock(1'000'000);
  ClockWatch watch(&clock);
  EXPECT_EQ(watch.Observe(), 0);
  clock.AdvanceMs(3600'000);
  EXPECT_EQ(watch.Observe(), 0);
  clock.StepWall(-600'000);
  EXPECT_EQ(watch.Observe(), -600'000);
  EXPECT_TRUE(watch.behind());
  clock.AdvanceMs(601'000);
  EXPECT_EQ(watch.Observe(), 0);
  EXPECT_FALSE(watch.behind());
}

TEST(ClockWatch, AShortSpellInTheFutureLeavesThePresentTrusted) {
  FakeClock clock(int64_t{1} << 40);
  ClockWatch watch(&clock);
  watch.Observe();
  const int64_t ten_years = int64_t{10} * 365 * 24 * 3600'000;
  clock.StepWall(ten_years);
  EXPECT_EQ(watch.Observe(), ten_years);
  clock.StepWall(-ten_years);
  watch.Observe();
  clock.AdvanceMs(3700'000);
  watch.Observe();
  EXPECT_FALSE(watch.behind());
}

}  // namespace
}  // namespace narthex::rules
