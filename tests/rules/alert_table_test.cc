#include "rules/alert_table.h"

#include <gtest/gtest.h>

namespace narthex::rules {
namespace {

constexpr int64_t kMinute = 60'000;

Alert Raised(std::string_view instance, double value = 1) {
  Alert alert;
  alert.labels = Labels({{"alertname", "Down"}, {"instance", instance}});
  alert.value = value;
  return alert;
}

AlertState StateOf(const AlertTable& table, std::string_view instance) {
  auto it = table.alerts().find(Raised(instance).labels);
  return it == table.alerts().end() ? AlertState::kInactive : it->second.state;
}

TEST(AlertTable, FiresAtOnceWithoutFor) {
  AlertTable table;
  ASSERT_TRUE(table.Update(kMinute, {Raised("a")}, {}, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kFiring);
}

TEST(AlertTable, IsPendingUntilForHasPassed) {
  AlertTable table;
  AlertTiming timing{.for_ms = 2 * kMinute};
  ASSERT_TRUE(table.Update(10 * kMinute, {Raised("a")}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kPending);
  ASSERT_TRUE(table.Update(11 * kMinute, {Raised("a")}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kPending);
  ASSERT_TRUE(table.Update(12 * kMinute, {Raised("a", 7)}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kFiring);
  EXPECT_EQ(table.Active()[0].value, 7);
  EXPECT_EQ(table.Active()[0].active_at_ms, 10 * kMinute);
  EXPECT_EQ(table.Active()[0].fired_at_ms, 12 * kMinute);
}

TEST(AlertTable, ForgetsAPendingAlertThatGoesAway) {
  AlertTable table;
  AlertTiming timing{.for_ms = 5 * kMinute};
  ASSERT_TRUE(table.Update(kMinute, {Raised("a")}, timing, 0).ok());
  ASSERT_TRUE(table.Update(2 * kMinute, {}, timing, 0).ok());
  EXPECT_TRUE(table.alerts().empty());
}

TEST(AlertTable, SendsAResolvedAlertOnceMoreAndForgetsItLater) {
  AlertTable table;
  ASSERT_TRUE(table.Update(kMinute, {Raised("a")}, {}, 0).ok());
  EXPECT_EQ(table.TakeDue(kMinute, kMinute, kMinute).size(), 1u);
  ASSERT_TRUE(table.Update(2 * kMinute, {}, {}, 0).ok());
  std::vector<AlertTable::Due> due = table.TakeDue(2 * kMinute, kMinute, kMinute);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].alert.resolved_at_ms, 2 * kMinute);
  ASSERT_TRUE(table.Update(30 * kMinute, {}, {}, 0).ok());
  EXPECT_TRUE(table.alerts().empty());
}

TEST(AlertTable, SendsAFiringAlertAgainOnlyAfterTheResendDelay) {
  AlertTable table;
  ASSERT_TRUE(table.Update(kMinute, {Raised("a")}, {}, 0).ok());
  std::vector<AlertTable::Due> due = table.TakeDue(kMinute, kMinute, 15'000);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].alert.valid_until_ms, kMinute + 4 * kMinute);
  EXPECT_TRUE(table.TakeDue(kMinute + 30'000, kMinute, 15'000).empty());
  EXPECT_EQ(table.TakeDue(2 * kMinute + 1, kMinute, 15'000).size(), 1u);
}

TEST(AlertTable, KeepsFiringForAWhile) {
  AlertTable table;
  AlertTiming timing{.keep_firing_for_ms = 3 * kMinute};
  ASSERT_TRUE(table.Update(1 * kMinute, {Raised("a")}, timing, 0).ok());
  ASSERT_TRUE(table.Update(2 * kMinute, {}, timing, 0).ok());
  ASSERT_TRUE(table.Update(4 * kMinute, {}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kFiring);
  ASSERT_TRUE(table.Update(5 * kMinute, {}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kInactive);
}

TEST(AlertTable, DropsAllAlertsOverTheLimit) {
  AlertTable table;
  absl::Status status = table.Update(kMinute, {Raised("a"), Raised("b")}, {}, 1);
  EXPECT_EQ(status.message(), "exceeded limit of 1 with 2 alerts");
  EXPECT_TRUE(table.alerts().empty());
}

TEST(AlertTable, GoesOnPendingWhereItWasBeforeARestart) {
  AlertTable table;
  AlertTiming timing{.for_ms = 10 * kMinute};
  // Pending for 6 minutes, then down for 20.
  table.Remember({{Raised("a").labels, {100 * kMinute, 106 * kMinute}}}, 200 * kMinute);
  ASSERT_TRUE(table.Update(126 * kMinute, {Raised("a")}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kPending);
  ASSERT_TRUE(table.Update(129 * kMinute, {Raised("a")}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kPending);
  ASSERT_TRUE(table.Update(130 * kMinute, {Raised("a")}, timing, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kFiring);
}

TEST(AlertTable, FiresAtOnceIfItWasFiringBeforeARestart) {
  AlertTable table;
  table.Remember({{Raised("a").labels, {100 * kMinute, 130 * kMinute}}}, 200 * kMinute);
  ASSERT_TRUE(table.Update(140 * kMinute, {Raised("a")}, {.for_ms = 10 * kMinute}, 0).ok());
  EXPECT_EQ(StateOf(table, "a"), AlertState::kFiring);
  EXPECT_EQ(table.Active()[0].active_at_ms, 100 * kMinute);
}

}  // namespace
}  // namespace narthex::rules
