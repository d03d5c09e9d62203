// Limits of a query: memory, cancellation, deadline; and what --explain tells.
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "promql/promql.h"
#include "tests/support/memory_db.h"

namespace narthex::promql {
namespace {

using ::testing::HasSubstr;

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : clock_(3'600'000), db_(narthex::testing::NewMemoryDb()) {
    std::unique_ptr<tsdb::Appender> appender = db_->NewAppender();
    for (int series = 0; series < 100; ++series) {
      Labels labels = {{"__name__", "m"}, {"job", series % 2 == 0 ? "even" : "odd"}, {"n", StrCat(series)}};
      tsdb::SeriesRef ref = 0;
      for (int64_t t = 0; t <= 3'600'000; t += 15'000) {
        tsdb::Sample sample;
        sample.t = t;
        sample.v = static_cast<double>(t);
        EXPECT_TRUE(appender->Append(&ref, labels, sample).ok());
      }
    }
    EXPECT_TRUE(appender->Commit().ok());
    options_.clock = &clock_;
    options_.metrics = &metrics_;
  }

  QueryParams Range(std::string query) const {
    QueryParams params;
    params.query = std::move(query);
    params.end_ms = 3'600'000;
    params.step_ms = 15'000;
    return params;
  }

  FakeClock clock_;
  MetricsRegistry metrics_;
  EngineOptions options_;
  std::unique_ptr<tsdb::Db> db_;
};

TEST_F(EngineTest, EveryByteIsGivenBackWhenAQueryEnds) {
  options_.max_query_bytes = 64 << 20;
  Engine engine(options_);
  for (const char* query :
       {"m", "sum by (job) (rate(m[5m]))", "topk(3, m)", "m + on (n) m", "quantile(0.5, m)",
        "max_over_time(rate(m[5m])[10m:1m])", "sort(m)", "m and m", "count_values(\"v\", m)", "m + on () m",
        "label_replace(m, \"n\", \"x\", \"\", \"\")"}) {
    (void)engine.Run(*db_, Range(query));
    EXPECT_EQ(engine.memory_used(), 0) << query;
  }
}

// Keeps what it is given, up to a number of series.
class KeepingSink : public ResultSink {
 public:
  absl::Status Take(const ResultSeries& series) override {
    if (taken.size() == most) return absl::CancelledError("enough");
    taken.push_back(series);
    if (on_take) on_take();
    return absl::OkStatus();
  }
  std::vector<ResultSeries> taken;
  size_t most = 1'000;
  std::function<void()> on_take;
};

TEST_F(EngineTest, SeriesThatComeInOrderGoToTheSinkAndAreNotHeld) {
  Engine free(options_);
  absl::StatusOr<Result> whole = free.Run(*db_, Range("rate(m[5m])"));
  ASSERT_TRUE(whole.ok()) << whole.status();
  options_.max_query_bytes = 400'000;  // enough for a block of series, too few for the result
  Engine engine(options_);
  ASSERT_FALSE(engine.Run(*db_, Range("rate(m[5m])")).ok());
  KeepingSink sink;
  QueryParams params = Range("rate(m[5m])");
  params.sink = &sink;
  absl::StatusOr<Result> result = engine.Run(*db_, params);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->series.empty());
  EXPECT_EQ(result->stats.samples, whole->stats.samples);
  EXPECT_EQ(result->stats.peak_samples, whole->stats.peak_samples);
  ASSERT_EQ(sink.taken.size(), whole->series.size());
  for (size_t i = 0; i < sink.taken.size(); ++i) {
    EXPECT_EQ(sink.taken[i].labels, whole->series[i].labels);
    EXPECT_EQ(sink.taken[i].floats.size(), whole->series[i].floats.size());
  }
}

TEST_F(EngineTest, SeriesThatMustBeSortedDoNotGoToTheSink) {
  Engine engine(options_);
  KeepingSink sink;
  QueryParams params = Range("label_replace(m, \"a\", \"$1\", \"n\", \".*(.)\")");
  params.sink = &sink;
  absl::StatusOr<Result> result = engine.Run(*db_, params);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(sink.taken.empty());
  ASSERT_EQ(result->series.size(), 100u);
  for (size_t i = 1; i < 100; ++i) EXPECT_LT(result->series[i - 1].labels, result->series[i].labels);
}

TEST_F(EngineTest, AnErrorOfTheSinkEndsTheQuery) {
  Engine engine(options_);
  KeepingSink sink;
  sink.most = 3;
  QueryParams params = Range("m");
  params.sink = &sink;
  EXPECT_EQ(engine.Run(*db_, params).status().message(), "enough");
  EXPECT_EQ(sink.taken.size(), 3u);
  EXPECT_EQ(engine.memory_used(), 0);
}

TEST_F(EngineTest, TheTimeThatTheSinkTakesIsNotTheQuerys) {
  Engine engine(options_);
  KeepingSink sink;
  sink.on_take = [this] { clock_.AdvanceMs(60'000); };
  QueryParams params = Range("m");
  params.sink = &sink;
  params.timeout_ms = 1'000;
  absl::StatusOr<Result> result = engine.Run(*db_, params);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(sink.taken.size(), 100u);
  EXPECT_LT(result->stats.eval_ns, 60'000'000'000);
}

TEST_F(EngineTest, AQueryOverItsMemoryIsRefusedWithAdvice) {
  options_.max_query_bytes = 20'000;
  Engine engine(options_);
  absl::StatusOr<Result> result = engine.Run(*db_, Range("m"));
  ASSERT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(std::string(result.status().message()),
            "query processing would use more than 20000 bytes of memory: ask for fewer series, a shorter "
            "range or a "
            "larger step, or raise --query.max-memory");
  EXPECT_EQ(engine.memory_used(), 0);
  EXPECT_TRUE(engine.Run(*db_, Range("sum(vector(1))")).ok()) << "a small one still runs";
}

// A result with a row for every sample, as long as the query.
TEST_F(EngineTest, CountValuesIsHeldToTheMemoryOfItsResult) {
  options_.max_query_bytes = 1 << 20;
  Engine engine(options_);
  EXPECT_TRUE(engine.Run(*db_, Range("m")).ok());
  EXPECT_EQ(engine.Run(*db_, Range("count_values(\"v\", m)")).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine.memory_used(), 0);
}

TEST_F(EngineTest, StatisticsCountTheSamplesOfEveryStep) {
  options_.per_step_stats = true;
  Engine engine(options_);
  QueryParams params = Range("m");
  params.start_ms = 1'800'000;
  params.end_ms = 1'860'000;
  params.step_ms = 30'000;
  params.per_step_stats = true;
  const auto stats = [&](std::string query) {
    params.query = std::move(query);
    absl::StatusOr<Result> result = engine.Run(*db_, params);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->stats : QueryStats();
  };
  using Steps = std::vector<int64_t>;
  EXPECT_EQ(stats("m").samples_per_step, (Steps{100, 100, 100}));
  EXPECT_EQ(stats("sum(rate(m[5m]))").samples_per_step, (Steps{2000, 2000, 2000}));
  EXPECT_EQ(stats("sum(rate(m[5m]))").samples, 6000);
  EXPECT_EQ(stats("m{n=\"1\"} + on (n) m{n=\"1\"}").samples_per_step, (Steps{2, 2, 2}));
  EXPECT_EQ(stats("quantile_over_time(0.5, m{n=\"1\"}[1m])").samples_per_step, (Steps{4, 4, 4}));
  EXPECT_EQ(stats("m{n=\"1\"} @ 1800").samples_per_step, (Steps{1, 1, 1})) << "step-invariant";
  EXPECT_EQ(stats("sum_over_time(m{n=\"1\"}[2m:1m])").samples_per_step, (Steps{2, 2, 2}));
  params.per_step_stats = false;
  EXPECT_TRUE(stats("m").samples_per_step.empty());
  EXPECT_EQ(stats("m").samples, 300);
}

TEST_F(EngineTest, AllQueriesTogetherAreLimitedToo) {
  options_.max_total_query_bytes = 20'000;
  Engine engine(options_);
  EXPECT_EQ(engine.Run(*db_, Range("m")).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine.memory_used(), 0);
}

TEST_F(EngineTest, TooManySamplesAreRefusedInPrometheussWords) {
  options_.max_samples = 1'000;
  Engine engine(options_);
  EXPECT_EQ(std::string(engine.Run(*db_, Range("m")).status().message()),
            "query processing would load too many samples into memory in query execution");
  EXPECT_EQ(engine.memory_used(), 0);
}

TEST_F(EngineTest, SaysWhenAQueryHasFreedMuch) {
  int heavy = 0;
  options_.after_heavy_query = [&heavy] { ++heavy; };
  Engine engine(options_);
  ASSERT_TRUE(engine.Run(*db_, Range("m")).ok());
  ASSERT_FALSE(engine.Run(*db_, Range("m +")).ok());
  EXPECT_EQ(heavy, 0);
  QueryParams params = Range("m");
  params.step_ms = 300;
  ASSERT_TRUE(engine.Run(*db_, params).ok());
  EXPECT_EQ(heavy, 1);
  options_.max_query_bytes = 1'000'000;
  ASSERT_FALSE(Engine(options_).Run(*db_, params).ok());
  EXPECT_EQ(heavy, 2);
}

TEST_F(EngineTest, ACancelledQueryStopsAndHoldsNothing) {
  Engine engine(options_);
  QueryParams params = Range("sum(rate(m[5m]))");
  params.cancelled = std::make_shared<std::atomic<bool>>(true);
  EXPECT_EQ(engine.Run(*db_, params).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(engine.memory_used(), 0);
}

TEST_F(EngineTest, ExplainTellsWhatEachOperatorDid) {
  Engine engine(options_);
  absl::StatusOr<std::string> plan = engine.Explain(*db_, Range("sum by (job) (m)"), /*run=*/true);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(*plan, HasSubstr("[series=2 samples=482 "));
  EXPECT_THAT(*plan, HasSubstr("[series=100 samples=24100 "));
  absl::StatusOr<std::string> bare = engine.Explain(*db_, Range("sum by (job) (m)"), /*run=*/false);
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->find("samples="), std::string::npos);
}

}  // namespace
}  // namespace narthex::promql
