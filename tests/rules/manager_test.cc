#include <gtest/gtest.h>

#include <algorithm>

#include "rules/rules.h"
#include "tests/rules/fixture.h"

namespace narthex::rules {
namespace {

class RulesManager : public RulesFixture {
 protected:
  RulesManager() : manager_(NewManager()) {}

  // The values of an instant query, as "labels value" lines.
  std::vector<std::string> Query(const std::string& expr, int64_t t) {
    promql::QueryParams params;
    params.query = expr;
    params.start_ms = params.end_ms = t;
    absl::StatusOr<promql::Result> result = engine_->Run(*db_, params);
    if (!result.ok()) return {result.status().ToString()};
    std::vector<std::string> out;
    for (const promql::ResultSeries& s : result->series) {
      out.push_back(s.labels.ToString() + " " + std::to_string(static_cast<int64_t>(s.floats[0].v)));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  std::unique_ptr<Manager> manager_;
};

using Lines = std::vector<std::string>;

TEST_F(RulesManager, WritesTheSeriesOfARecordingRule) {
  Load(manager_.get(), "  - record: job:up:sum\n    expr: sum by (job) (up)\n    labels: {kind: test}\n");
  Append(Labels({{"__name__", "up"}, {"job", "a"}, {"instance", "1"}}), 100 * kMinute, 1);
  Append(Labels({{"__name__", "up"}, {"job", "a"}, {"instance", "2"}}), 100 * kMinute, 1);
  manager_->EvaluateAllAt(100 * kMinute);
  EXPECT_EQ(Query("job:up:sum", 100 * kMinute), Lines{"job:up:sum{job=\"a\", kind=\"test\"} 2"});
}

TEST_F(RulesManager, AQueryOfAnAnnotationMustGiveAVectorOrAScalar) {
  Load(manager_.get(),
       "  - alert: A\n    expr: vector(1)\n"
       "    annotations: {s: '{{ query \"1\" | first | value }}', r: '{{ query \"up[5m]\" }}'}\n");
  manager_->EvaluateAllAt(100 * kMinute);
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(sink_.sent[0].annotations.Get("s"), "1");
  EXPECT_TRUE(sink_.sent[0].annotations.Get("r").ends_with(
      "error calling query: rule result is not a vector or scalar>"))
      << sink_.sent[0].annotations.Get("r");
}

TEST_F(RulesManager, EndsTheSeriesThatARuleNoLongerGives) {
  Load(manager_.get(), "  - record: r\n    expr: up > 0\n");
  Labels up({{"__name__", "up"}});
  Append(up, 100 * kMinute, 1);
  manager_->EvaluateAllAt(100 * kMinute);
  Append(up, 101 * kMinute, 0);
  manager_->EvaluateAllAt(101 * kMinute);
  EXPECT_EQ(Query("r", 101 * kMinute), Lines{});
}

TEST_F(RulesManager, LaterRulesSeeWhatEarlierOnesWroteAtTheSameTime) {
  Load(manager_.get(), "  - record: one\n    expr: vector(1)\n  - record: two\n    expr: one + 1\n");
  manager_->EvaluateAllAt(100 * kMinute);
  EXPECT_EQ(Query("two", 100 * kMinute), Lines{"two 2"});
}

TEST_F(RulesManager, AnAlertGoesFromPendingToFiringToResolved) {
  Load(manager_.get(),
       "  - alert: Down\n    expr: up == 0\n    for: 1m\n    labels: {severity: page}\n"
       "    annotations: {summary: '{{ $labels.job }} is {{ $value }} in {{ $externalLabels.site }}'}\n");
  Labels up({{"__name__", "up"}, {"job", "a"}});
  Append(up, 100 * kMinute, 0);
  manager_->EvaluateAllAt(100 * kMinute);
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(Query("ALERTS", 100 * kMinute),
            Lines{"ALERTS{alertname=\"Down\", alertstate=\"pending\", job=\"a\", severity=\"page\"} 1"});
  Append(up, 101 * kMinute, 0);
  manager_->EvaluateAllAt(101 * kMinute);
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(sink_.sent[0].labels.ToString(), "{alertname=\"Down\", job=\"a\", severity=\"page\"}");
  EXPECT_EQ(sink_.sent[0].annotations.Get("summary"), "a is 0 in north");
  EXPECT_EQ(sink_.sent[0].starts_at_ms, 101 * kMinute);
  EXPECT_EQ(sink_.sent[0].ends_at_ms, 105 * kMinute);
  EXPECT_EQ(sink_.sent[0].generator_url, "http://prom.example:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
  EXPECT_EQ(Query("ALERTS", 101 * kMinute),
            Lines{"ALERTS{alertname=\"Down\", alertstate=\"firing\", job=\"a\", severity=\"page\"} 1"});
  EXPECT_EQ(Query("ALERTS_FOR_STATE", 101 * kMinute),
            Lines{"ALERTS_FOR_STATE{alertname=\"Down\", job=\"a\", severity=\"page\"} 6000"});
  Append(up, 102 * kMinute, 1);
  manager_->EvaluateAllAt(102 * kMinute);
  ASSERT_EQ(sink_.sent.size(), 2u);
  EXPECT_EQ(sink_.sent[1].ends_at_ms, 102 * kMinute);
  EXPECT_EQ(Query("ALERTS", 102 * kMinute), Lines{});
}

TEST_F(RulesManager, AReloadKeepsTheStateOfUnchangedRules) {
  std::string rule = "  - alert: Down\n    expr: up == 0\n    for: 2m\n";
  Load(manager_.get(), rule);
  Labels up({{"__name__", "up"}});
  Append(up, 100 * kMinute, 0);
  manager_->EvaluateAllAt(100 * kMinute);
  Load(manager_.get(), rule + "  - record: more\n    expr: vector(1)\n");
  Append(up, 102 * kMinute, 0);
  manager_->EvaluateAllAt(102 * kMinute);
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_F(RulesManager, APendingAlertGoesOnAfterARestart) {
  std::string rule = "  - alert: Down\n    expr: up == 0\n    for: 3m\n";
  Labels up({{"__name__", "up"}});
  Load(manager_.get(), rule);
  for (int64_t t : {100, 101, 102}) {
    Append(up, t * kMinute, 0);
    manager_->EvaluateAllAt(t * kMinute);
  }
  manager_.reset();
  clock_.AdvanceMs(10 * kMinute);
  manager_ = NewManager();
  Load(manager_.get(), rule);
  manager_->Start();
  manager_->Stop();
  Append(up, 110 * kMinute, 0);
  manager_->EvaluateAllAt(110 * kMinute);
  EXPECT_TRUE(sink_.sent.empty());  // two of three minutes are over
  Append(up, 111 * kMinute, 0);
  manager_->EvaluateAllAt(111 * kMinute);
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_F(RulesManager, ShowsTheErrorOfARuleThatFails) {
  Load(manager_.get(),
       "  - record: bad\n    expr: label_replace({a=~\"1|2\"}, \"a\", \"\", \"a\", \".*\")\n");
  Append(Labels({{"__name__", "x"}, {"a", "1"}}), 100 * kMinute, 1);
  Append(Labels({{"__name__", "x"}, {"a", "2"}}), 100 * kMinute, 1);
  manager_->EvaluateAllAt(100 * kMinute);
  RuleView view = manager_->Groups().at(0).rules.at(0);
  EXPECT_EQ(view.health, "err");
  EXPECT_EQ(view.last_error, "vector cannot contain metrics with the same labelset");
}

TEST_F(RulesManager, RemovingARuleEndsItsSeries) {
  Load(manager_.get(), "  - record: r\n    expr: vector(1)\n");
  manager_->EvaluateAllAt(100 * kMinute);
  clock_.AdvanceMs(kMinute);
  ASSERT_TRUE(manager_->Apply({}, kMinute, 0, {}).ok());
  EXPECT_EQ(Query("r", 101 * kMinute), Lines{});
  EXPECT_TRUE(manager_->Groups().empty());
}

TEST_F(RulesManager, AQueryOffsetMovesTheQueryAndItsSamplesBack) {
  absl::StatusOr<std::vector<GroupSpec>> groups = ParseRuleFile(
      "r.yml", "groups:\n- name: g\n  query_offset: 1m\n  rules:\n  - record: r\n    expr: up\n",
      promql::ParserOptions());
  ASSERT_TRUE(groups.ok());
  ASSERT_TRUE(manager_->Apply(*std::move(groups), kMinute, 0, {}).ok());
  Labels up({{"__name__", "up"}});
  Append(up, 99 * kMinute, 7);
  Append(up, 100 * kMinute, 8);
  manager_->EvaluateAllAt(100 * kMinute);
  EXPECT_EQ(Query("timestamp(r)", 100 * kMinute), Lines{"{} 5940"});
  EXPECT_EQ(Query("r", 100 * kMinute), Lines{"r 7"});
}

TEST_F(RulesManager, IndependentRulesGiveTheSameAtTheSameTime) {
  concurrent_rules_ = true;
  manager_ = NewManager();
  std::string rules = "  - record: one\n    expr: r7\n";
  for (int i = 0; i < 50; ++i) {
    std::string n = std::to_string(i);
    rules += "  - record: r" + n + "\n    expr: vector(" + n + ")\n";
  }
  Load(manager_.get(), rules);
  for (int64_t t = 100; t < 120; ++t) manager_->EvaluateAllAt(t * kMinute);
  EXPECT_EQ(Query("sum({__name__=~'r.*'})", 119 * kMinute), Lines{"{} 1225"});
  // It stands first and reads what a later rule writes: the value of the evaluation before.
  EXPECT_EQ(Query("one", 119 * kMinute), Lines{"one 7"});
  EXPECT_EQ(Query("timestamp(one)", 119 * kMinute), Lines{"{} 7140"});
}

}  // namespace
}  // namespace narthex::rules
