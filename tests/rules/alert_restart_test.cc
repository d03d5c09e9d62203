// Alerts over restarts, reloads and steps of the clock.
#include <gtest/gtest.h>

#include "tests/rules/fixture.h"

namespace narthex::rules {
namespace {

enum class Stop { kClean, kKill };

// One alert on `m`; time goes on a minute a step.
class Restarts : public RulesFixture, public ::testing::WithParamInterface<Stop> {
 protected:
  void Begin(const std::string& rule) {
    rule_ = rule;
    manager_ = NewManager();
    Load(manager_.get(), rule_);
  }
  // As the process would: a kill saves nothing at the end. The old manager lives on, but is idle.
  void Restart(int64_t down_minutes) {
    if (GetParam() == Stop::kClean) {
      manager_->Stop();
      manager_.reset();
    } else {
      killed_.push_back(std::move(manager_));
    }
    clock_.AdvanceMs(down_minutes * kMinute);
    Begin(rule_);
  }
  // The next evaluation, a minute later; nullopt: the series has no sample there.
  void Step(std::optional<double> value) {
    clock_.AdvanceMs(kMinute);
    if (value) Append(Labels({{"__name__", "m"}}), clock_.NowMs(), *value);
    manager_->EvaluateAllAt(clock_.NowMs());
  }
  std::vector<Alert> Alerts() const { return manager_->Groups().at(0).rules.at(0).alerts; }
  AlertState State() const { return manager_->Groups().at(0).rules.at(0).state; }

  ~Restarts() override {
    for (auto& manager : killed_) manager->Stop();
    if (manager_) manager_->Stop();
  }

  std::string rule_;
  std::unique_ptr<Manager> manager_;
  std::vector<std::unique_ptr<Manager>> killed_;
};

INSTANTIATE_TEST_SUITE_P(AnyStop, Restarts, ::testing::Values(Stop::kClean, Stop::kKill),
                         [](const auto& info) { return info.param == Stop::kClean ? "Clean" : "Kill"; });

TEST_P(Restarts, APendingAlertKeepsWhatItHasWaited) {
  Begin("  - {alert: A, expr: m > 0, for: 5m}\n");
  for (int i = 0; i < 4; ++i) Step(1);  // three minutes of five
  Restart(/*down_minutes=*/300);
  EXPECT_EQ(State(), AlertState::kPending);
  Step(1);
  Step(1);
  EXPECT_EQ(State(), AlertState::kPending);
  Step(1);
  EXPECT_EQ(State(), AlertState::kFiring);
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_P(Restarts, AFiringAlertGoesOnWithItsStart) {
  Begin("  - {alert: A, expr: m > 0}\n");
  Step(1);
  const int64_t fired = clock_.NowMs();
  Restart(/*down_minutes=*/24 * 60);
  ASSERT_EQ(Alerts().size(), 1u);
  Step(1);
  ASSERT_EQ(sink_.sent.size(), 2u);
  EXPECT_EQ(sink_.sent[1].starts_at_ms, fired);
  EXPECT_EQ(sink_.sent[1].ends_at_ms, clock_.NowMs() + 4 * kMinute);
  EXPECT_EQ(Alerts()[0].active_at_ms, fired);
}

TEST_P(Restarts, AFiringAlertIsNotResolvedBeforeTheFirstScrapes) {
  Begin("  - {alert: A, expr: m > 0}\n");
  Step(1);
  Restart(/*down_minutes=*/30);
  Step(std::nullopt);  // nothing is scraped yet
  EXPECT_EQ(State(), AlertState::kFiring);
  Step(1);
  Step(1);
  Step(1);
  for (const Notification& sent : sink_.sent) EXPECT_GT(sent.ends_at_ms, sent.starts_at_ms);
  EXPECT_EQ(State(), AlertState::kFiring);
  Step(0);
  EXPECT_EQ(State(), AlertState::kInactive);
}

TEST_P(Restarts, AnAlertThatWentAwayMeanwhileIsResolvedOnce) {
  Begin("  - {alert: A, expr: m > 0}\n");
  Step(1);
  const int64_t fired = clock_.NowMs();
  Restart(/*down_minutes=*/30);
  for (int i = 0; i < 3; ++i) Step(0);
  ASSERT_FALSE(sink_.sent.empty());
  EXPECT_EQ(sink_.sent.back().starts_at_ms, fired);
  EXPECT_EQ(sink_.sent.back().ends_at_ms, clock_.NowMs());
  EXPECT_EQ(State(), AlertState::kInactive);
}

TEST_P(Restarts, AResolvedAlertIsNotSentAnewButResent) {
  Begin("  - {alert: A, expr: m > 0}\n");
  Step(1);
  Step(0);
  const int64_t resolved = clock_.NowMs();
  ASSERT_EQ(sink_.sent.size(), 2u);
  Restart(/*down_minutes=*/0);
  Step(0);
  EXPECT_EQ(sink_.sent.size(), 2u);
  for (int i = 0; i < 20; ++i) Step(0);
  EXPECT_GT(sink_.sent.size(), 5u);
  for (size_t i = 2; i < sink_.sent.size(); ++i) EXPECT_EQ(sink_.sent[i].ends_at_ms, resolved);
  const size_t sent = sink_.sent.size();
  Step(0);
  EXPECT_EQ(sink_.sent.size(), sent);
}

TEST_P(Restarts, KeepFiringGoesOnForWhatIsLeft) {
  Begin("  - {alert: A, expr: m > 0, keep_firing_for: 5m}\n");
  Step(1);
  Step(0);
  Step(0);  // kept for a minute
  Restart(/*down_minutes=*/60);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(State(), AlertState::kFiring) << i;
    Step(0);
  }
  Step(0);
  EXPECT_EQ(State(), AlertState::kInactive);
}

TEST_P(Restarts, TheClockMayBeBehindAfterARestart) {
  Begin("  - {alert: A, expr: m > 0, for: 2m}\n");
  clock_.AdvanceMs(int64_t{56} * 365 * 24 * 60 * kMinute);
  for (int i = 0; i < 4; ++i) Step(1);
  ASSERT_EQ(State(), AlertState::kFiring);
  ASSERT_EQ(sink_.sent.size(), 1u);
  db_->DeleteSeries({Matcher::Equal("__name__", "m")}, INT64_MIN, INT64_MAX).IgnoreError();
  clock_.StepWall(20 * kMinute - clock_.NowMs());  // 1970
  Restart(/*down_minutes=*/0);
  for (int i = 0; i < 2; ++i) Step(std::nullopt);
  EXPECT_EQ(State(), AlertState::kFiring);
  if (GetParam() == Stop::kClean) EXPECT_GT(sink_.sent.size(), 1u);
  // Nothing tells an Alertmanager with the right time that the alert is over.
  for (size_t i = 1; i < sink_.sent.size(); ++i) EXPECT_EQ(sink_.sent[i].ends_at_ms, 0);
}

TEST_P(Restarts, StateOfARemovedRuleIsForgotten) {
  Begin("  - {alert: A, expr: m > 0}\n");
  Step(1);
  rule_ = "  - {alert: B, expr: m > 0}\n";
  Restart(/*down_minutes=*/1);
  manager_->Start();
  manager_->Stop();
  EXPECT_TRUE(db_->ScanState("alert/").value().empty());
  Step(1);
  EXPECT_FALSE(db_->ScanState("alert/").value().empty());
  Load(manager_.get(), "  - {record: c, expr: m}\n");
  EXPECT_TRUE(db_->ScanState("alert/").value().empty());
}

class Steps : public Restarts {};
INSTANTIATE_TEST_SUITE_P(OneStop, Steps, ::testing::Values(Stop::kClean),
                         [](const auto&) { return "Running"; });

// After a step the old samples are out of sight, and new ones come a minute later.
TEST_P(Steps, NoStepOfTheClockResolvesAFiringAlert) {
  for (int64_t step : {60 * kMinute, -60 * kMinute, -90 * kMinute}) {
    db_ = testing::NewMemoryDb();
    sink_.sent.clear();
    Begin("  - {alert: A, expr: m > 0, for: 2m}\n");
    for (int i = 0; i < 4; ++i) Step(1);
    ASSERT_EQ(State(), AlertState::kFiring);
    const int64_t active_for = clock_.NowMs() - Alerts()[0].active_at_ms;
    const size_t before = sink_.sent.size();
    db_->DeleteSeries({Matcher::Equal("__name__", "m")}, INT64_MIN, INT64_MAX).IgnoreError();
    clock_.StepWall(step);
    Step(std::nullopt);
    EXPECT_EQ(State(), AlertState::kFiring) << step;
    EXPECT_EQ(clock_.NowMs() - Alerts()[0].active_at_ms, active_for + kMinute);
    Step(std::nullopt);
    EXPECT_EQ(State(), AlertState::kFiring) << step;
    EXPECT_GT(sink_.sent.size(), before) << "it is still resent";
    for (const Notification& sent : sink_.sent) {
      EXPECT_TRUE(sent.ends_at_ms == 0 || sent.ends_at_ms >= sent.starts_at_ms + kMinute) << step;
    }
    manager_->Stop();
    manager_.reset();
  }
}

TEST_P(Steps, NoStepOfTheClockRaisesAnAlert) {
  Begin("  - {alert: Gone, expr: absent(m)}\n");
  for (int i = 0; i < 3; ++i) Step(1);
  clock_.StepWall(60 * kMinute);
  Step(std::nullopt);
  EXPECT_EQ(State(), AlertState::kInactive);
  Step(1);
  for (int i = 0; i < 5; ++i) Step(1);
  EXPECT_TRUE(sink_.sent.empty());
}

TEST_P(Steps, AStepForwardDoesNotShortenFor) {
  Begin("  - {alert: A, expr: m > 0, for: 10m}\n");
  for (int i = 0; i < 3; ++i) Step(1);
  clock_.StepWall(60 * kMinute);
  for (int i = 0; i < 7; ++i) Step(1);
  EXPECT_EQ(State(), AlertState::kPending);
  Step(1);
  EXPECT_EQ(State(), AlertState::kFiring);
}

TEST_P(Steps, AReloadKeepsAnAlertInEachState) {
  const std::string pending = "  - {alert: P, expr: m > 0, for: 1h}\n",
                    firing = "  - {alert: F, expr: m > 0}\n",
                    kept = "  - {alert: K, expr: m > 1, keep_firing_for: 1h}\n";
  Begin(pending + firing + kept);
  Step(2);
  Step(1);
  const std::vector<RuleView> before = manager_->Groups().at(0).rules;
  Load(manager_.get(), kept + "  - {record: r, expr: m}\n" + firing + pending);
  Step(1);
  std::vector<RuleView> after = manager_->Groups().at(0).rules;
  for (const auto& [was, is] : {std::pair{0, 3}, {1, 2}, {2, 0}}) {
    EXPECT_EQ(after[is].name, before[was].name);
    EXPECT_EQ(after[is].state, before[was].state);
    EXPECT_EQ(after[is].alerts.at(0).active_at_ms, before[was].alerts.at(0).active_at_ms);
  }
}

TEST_P(Steps, AFlappingAlertSendsEachTransitionOnce) {
  Begin("  - {alert: A, expr: m > 0}\n");
  for (int i = 0; i < 6; ++i) Step(i % 2 == 0 ? 1 : 0);
  ASSERT_EQ(sink_.sent.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    const Notification& sent = sink_.sent[i];
    EXPECT_EQ(sent.ends_at_ms - sent.starts_at_ms, i % 2 == 0 ? 4 * kMinute : kMinute) << i;
  }
}

TEST_P(Steps, AnErrorLeavesAlertsAsTheyAre) {
  Begin("  - {alert: A, expr: m / on() n}\n");
  Append(Labels({{"__name__", "n"}, {"x", "1"}}), clock_.NowMs() + kMinute, 1);
  Step(1);
  ASSERT_EQ(State(), AlertState::kFiring);
  for (const char* x : {"1", "2"}) Append(Labels({{"__name__", "n"}, {"x", x}}), clock_.NowMs() + kMinute, 1);
  Step(1);
  RuleView view = manager_->Groups().at(0).rules.at(0);
  EXPECT_EQ(view.health, "err");
  EXPECT_NE(view.last_error.find("many-to-many matching not allowed"), std::string::npos) << view.last_error;
  EXPECT_EQ(view.state, AlertState::kFiring);
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_P(Steps, TheLimitOfAGroupClearsItsAlerts) {
  manager_ = NewManager();
  Load(manager_.get(), "  - {alert: A, expr: n > 0}\n", "  limit: 2\n");
  for (const char* x : {"1", "2", "3"}) {
    Append(Labels({{"__name__", "n"}, {"x", x}}), clock_.NowMs() + kMinute, x[0] == '3' ? 0 : 1);
  }
  Step(std::nullopt);
  EXPECT_EQ(Alerts().size(), 2u);
  Append(Labels({{"__name__", "n"}, {"x", "3"}}), clock_.NowMs() + kMinute, 1);
  Step(std::nullopt);
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).last_error, "exceeded limit of 2 with 3 alerts");
  EXPECT_TRUE(Alerts().empty());
  EXPECT_EQ(db_->ScanState("alert/").value().size(), 1u);  // only when it was evaluated
}

TEST_P(Steps, AHundredThousandAlertsAtOnce) {
  Begin("  - {alert: A, expr: n > 0, labels: {l: 'x-{{ $labels.x }}'}}\n");
  std::unique_ptr<tsdb::Appender> appender = db_->NewAppender();
  for (int i = 0; i < 100'000; ++i) {
    if (i % 100 == 0) ASSERT_TRUE(appender->Commit().ok());
    tsdb::SeriesRef ref = 0;
    Labels labels({{"__name__", "n"}, {"x", std::to_string(i)}});
    ASSERT_TRUE(appender->Append(&ref, labels, {clock_.NowMs() + kMinute, 1, nullptr, 0}).ok());
  }
  ASSERT_TRUE(appender->Commit().ok());
  Step(std::nullopt);
  EXPECT_EQ(Alerts().size(), 100'000u);
  EXPECT_EQ(sink_.sent.size(), 100'000u);
  killed_.push_back(std::move(manager_));
  Begin(rule_);
  EXPECT_EQ(Alerts().size(), 100'000u);
}

}  // namespace
}  // namespace narthex::rules
