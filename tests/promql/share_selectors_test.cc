// Equal selectors of a query read storage once, and nobody can tell but by the work.
#include <bit>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "promql/passes/passes.h"
#include "promql/promql.h"
#include "promql/syntax/parser.h"
#include "tests/support/memory_db.h"

namespace narthex::promql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

void Numbers(const Expr& e, std::vector<int>* out) {
  const bool range_function = e.kind == ExprKind::kCall && e.children[0]->kind == ExprKind::kMatrixSelector;
  if (e.kind == ExprKind::kVectorSelector || range_function) out->push_back(e.shared_read);
  if (range_function) return;
  for (const ExprPtr& child : e.children) Numbers(*child, out);
}

// `shared_read` of the selectors, and functions of range selectors, from left to right.
std::vector<int> SharedIn(const std::string& text) {
  absl::StatusOr<ExprPtr> expr = ParseExpr(text, ParserOptions());
  EXPECT_TRUE(expr.ok()) << text << ": " << expr.status();
  RunPasses({}, &*expr);
  std::vector<int> out;
  Numbers(**expr, &out);
  return out;
}

TEST(ShareSelectors, EqualOnesShareWhereverTheyStand) {
  EXPECT_THAT(SharedIn("a / (a + b)"), ElementsAre(1, 1, 0));
  EXPECT_THAT(SharedIn("a{x=\"1\",y=\"2\"} - -a{y=\"2\",x=\"1\"}"), ElementsAre(1, 1));
  EXPECT_THAT(SharedIn("max(a) - min(a)"), ElementsAre(1, 1));
  EXPECT_THAT(SharedIn("(a + b) / (b + a)"), ElementsAre(1, 2, 2, 1));
}

TEST(ShareSelectors, EqualFunctionsOfRangesShare) {
  EXPECT_THAT(SharedIn("rate(a[5m]) / (rate(a[5m]) + rate(b[5m]))"), ElementsAre(1, 1, 0));
  EXPECT_THAT(SharedIn("sum(rate(a[5m])) / count(rate(a[300s]))"), ElementsAre(1, 1));
  EXPECT_THAT(SharedIn("last_over_time(a{x=\"1\"}[5m]) + last_over_time(a{x=\"1\"}[5m])"), ElementsAre(1, 1));
}

TEST(ShareSelectors, OthersDoNot) {
  EXPECT_THAT(SharedIn("a - a offset 5m"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("a - a{x=\"1\"} * 2"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("a - rate(a[5m])"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("sum by (x) (a) - sum by (y) (a)"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("a - a @ 0"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("rate(a[5m]) - rate(a[4m])"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("rate(a[5m]) - increase(a[5m])"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("rate(a[5m]) - rate(a[5m] offset 1m)"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("quantile_over_time(0.1, a[5m]) - quantile_over_time(0.9, a[5m])"), ElementsAre(0, 0));
  EXPECT_THAT(SharedIn("a - avg_over_time((a + a)[5m:1m])"), ElementsAre(0, 1, 1)) << "other steps";
}

class CountingQuerier : public tsdb::Querier {
 public:
  CountingQuerier(std::unique_ptr<tsdb::Querier> inner, int* selects)
      : inner_(std::move(inner)), selects_(selects) {}
  absl::StatusOr<std::unique_ptr<tsdb::SeriesSet>> Select(const Matchers& matchers, int64_t mint,
                                                          int64_t maxt,
                                                          const tsdb::SelectHints& hints) override {
    ++*selects_;
    return inner_->Select(matchers, mint, maxt, hints);
  }
  absl::StatusOr<std::vector<std::string>> LabelNames(const tsdb::LabelQuery& query) override {
    return inner_->LabelNames(query);
  }
  absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view name,
                                                       const tsdb::LabelQuery& query) override {
    return inner_->LabelValues(name, query);
  }
  absl::StatusOr<std::vector<Labels>> Series(const tsdb::LabelQuery& query) override {
    return inner_->Series(query);
  }

 private:
  const std::unique_ptr<tsdb::Querier> inner_;
  int* const selects_;
};

class SharedReadTest : public ::testing::Test, public tsdb::Queryable {
 protected:
  SharedReadTest() : clock_(3'600'000), db_(narthex::testing::NewMemoryDb()) {
    std::unique_ptr<tsdb::Appender> appender = db_->NewAppender();
    for (int series = 0; series < 150; ++series) {
      Labels labels = {{"__name__", "m"}, {"job", series % 2 == 0 ? "even" : "odd"}, {"n", StrCat(series)}};
      tsdb::SeriesRef ref = 0;
      for (int64_t t = series * 10'000; t <= 3'600'000; t += 15'000) {
        tsdb::Sample sample;
        sample.t = t;
        sample.v = static_cast<double>(t + series);
        EXPECT_TRUE(appender->Append(&ref, labels, sample).ok());
      }
    }
    EXPECT_TRUE(appender->Commit().ok());
    options_.clock = &clock_;
    options_.metrics = &metrics_;
    options_.per_step_stats = true;
  }

  absl::StatusOr<std::unique_ptr<tsdb::Querier>> NewQuerier(int64_t mint, int64_t maxt) const override {
    absl::StatusOr<std::unique_ptr<tsdb::Querier>> inner = db_->NewQuerier(mint, maxt);
    return std::unique_ptr<tsdb::Querier>(std::make_unique<CountingQuerier>(*std::move(inner), &selects_));
  }

  // The same with and without the pass; returns how often storage was asked with it.
  int ExpectSame(const std::string& query, int64_t step_ms) {
    QueryParams params;
    params.query = query;
    params.end_ms = 3'600'000;
    params.step_ms = step_ms;
    params.per_step_stats = true;
    Engine shared(options_);
    EngineOptions options = options_;
    options.disabled_passes = {"share-selectors"};
    Engine apart(options);
    absl::StatusOr<Result> expected = apart.Run(*this, params);
    selects_ = 0;
    absl::StatusOr<Result> got = shared.Run(*this, params);
    EXPECT_TRUE(expected.ok() && got.ok()) << query << ": " << got.status();
    EXPECT_EQ(got->series.size(), expected->series.size()) << query;
    for (size_t i = 0; i < got->series.size(); ++i) {
      const ResultSeries &a = got->series[i], &b = expected->series[i];
      EXPECT_EQ(a.labels, b.labels);
      EXPECT_TRUE(std::equal(a.floats.begin(), a.floats.end(), b.floats.begin(), b.floats.end(),
                             [](const FloatPoint& x, const FloatPoint& y) {
                               return x.t == y.t &&
                                      std::bit_cast<uint64_t>(x.v) == std::bit_cast<uint64_t>(y.v);
                             }))
          << query << " " << a.labels.ToString();
    }
    EXPECT_EQ(got->infos, expected->infos) << query;
    EXPECT_EQ(got->warnings, expected->warnings) << query;
    EXPECT_EQ(got->stats.samples, expected->stats.samples) << query;
    EXPECT_EQ(got->stats.samples_per_step, expected->stats.samples_per_step) << query;
    EXPECT_EQ(shared.memory_used(), 0) << query;
    return selects_;
  }

  FakeClock clock_;
  MetricsRegistry metrics_;
  EngineOptions options_;
  std::unique_ptr<tsdb::Db> db_;
  mutable int selects_ = 0;
};

TEST_F(SharedReadTest, ReadsOnceAndCountsEveryTime) {
  EXPECT_EQ(ExpectSame("m / (m + m)", 60'000), 1);
  EXPECT_EQ(ExpectSame("max by (job) (m) - min by (job) (m)", 60'000), 1);
  EXPECT_EQ(ExpectSame("m and m unless on (n) m", 60'000), 1);
  EXPECT_EQ(ExpectSame("topk(3, m) or m", 60'000), 1);
  EXPECT_EQ(ExpectSame("m + on (n) max_over_time((m + m)[10m:1m])", 60'000), 2);
  EXPECT_EQ(ExpectSame("m - m @ 1800 - m @ 1800", 60'000), 3);
}

TEST_F(SharedReadTest, FunctionsOfRangesReadOnceAndCountEveryTime) {
  EXPECT_EQ(ExpectSame("rate(m[5m]) / (rate(m[5m]) + rate(m[5m]))", 60'000), 1);
  EXPECT_EQ(ExpectSame("sum by (job) (increase(m[5m])) / count by (job) (increase(m[5m]))", 60'000), 1);
  EXPECT_EQ(ExpectSame("last_over_time(m[5m]) - max_over_time(m[5m]) + last_over_time(m[5m])", 60'000), 2);
  EXPECT_EQ(ExpectSame("rate(m[5m]) - rate(m[5m] offset 1m) + rate(m[5m])", 0), 2);
  EXPECT_EQ(ExpectSame("deriv(m[5m]) or deriv(m[5m])", 60'000), 1) << "window by window";
  EXPECT_EQ(ExpectSame("last_over_time(m[5m]) / on (n) last_over_time(m[5m])", 60'000), 1);
}

TEST_F(SharedReadTest, WhatIsTooMuchToKeepIsReadAgain) {
  EXPECT_EQ(ExpectSame("rate(m[5m]) / (rate(m[5m]) + rate(m[5m]))", 3'000), 3);
  EXPECT_EQ(ExpectSame("m / (m + m)", 3'000), 3);
  EXPECT_EQ(ExpectSame("m / (m + on (n) m{job=\"odd\"})", 3'000), 3);
}

TEST_F(SharedReadTest, LimitsHold) {
  QueryParams params;
  params.query = "m / m";
  params.end_ms = 3'600'000;
  params.step_ms = 60'000;
  options_.max_samples = 1000;
  Engine engine(options_);
  EXPECT_THAT(engine.Run(*this, params).status().message(), HasSubstr("too many samples"));
  EXPECT_EQ(engine.memory_used(), 0);
}

TEST_F(SharedReadTest, ExplainTells) {
  QueryParams params;
  params.query = "m / m";
  params.end_ms = 3'600'000;
  params.step_ms = 60'000;
  EXPECT_THAT(*Engine(options_).Explain(*this, params, true), HasSubstr("InstantSelector m, read once"));
  options_.disabled_passes = {"share-selectors"};
  EXPECT_THAT(*Engine(options_).Explain(*this, params, true), Not(HasSubstr("read once")));
}

}  // namespace
}  // namespace narthex::promql
