// The PromQL engine over series in memory: parser, selectors, rate, aggregation.
#include <benchmark/benchmark.h>

#include "promql/promql.h"
#include "promql/syntax/parser.h"
#include "tests/support/memory_db.h"

namespace narthex::promql {
namespace {

constexpr int64_t kStep = 15'000;
constexpr int kSamples = 240;  // one hour

// `series` counters, ten to an instance.
std::unique_ptr<tsdb::Db> Counters(int series) {
  std::unique_ptr<tsdb::Db> db = testing::NewMemoryDb();
  std::unique_ptr<tsdb::Appender> appender = db->NewAppender();
  for (int s = 0; s < series; ++s) {
    Labels labels({{"__name__", "requests_total"},
                   {"instance", "host" + std::to_string(s / 10)},
                   {"code", std::to_string(s % 10)}});
    tsdb::SeriesRef ref = 0;
    for (int i = 0; i < kSamples; ++i) {
      appender->Append(&ref, labels, {i * kStep, static_cast<double>(i * (s % 7 + 1)), nullptr, 0})
          .IgnoreError();
    }
    appender->Commit().IgnoreError();  // the store in memory looks through all that waits
  }
  return db;
}

void RunRange(benchmark::State& state, const std::string& query) {
  int series = static_cast<int>(state.range(0));
  std::unique_ptr<tsdb::Db> db = Counters(series);
  MetricsRegistry metrics;
  EngineOptions options;
  options.clock = &SystemClock();
  options.metrics = &metrics;
  Engine engine(options);
  QueryParams params;
  params.query = query;
  params.start_ms = 600'000;
  params.end_ms = kSamples * kStep;
  params.step_ms = 60'000;
  for (auto _ : state) {
    absl::StatusOr<Result> result = engine.Run(*db, params);
    if (!result.ok()) state.SkipWithError("query failed");
    benchmark::DoNotOptimize(result);
  }
  state.SetItemsProcessed(state.iterations() * series * kSamples);  // samples
}

void BM_RangeSelector(benchmark::State& state) { RunRange(state, "requests_total"); }
void BM_RangeSumRate(benchmark::State& state) { RunRange(state, "sum by (code) (rate(requests_total[5m]))"); }
void BM_RangeMaxOverTime(benchmark::State& state) { RunRange(state, "max_over_time(requests_total[5m])"); }
void BM_RangeBinary(benchmark::State& state) {
  RunRange(state, "requests_total / on(instance, code) requests_total");
}
BENCHMARK(BM_RangeSelector)->Arg(1000);
BENCHMARK(BM_RangeSumRate)->Arg(1000);
BENCHMARK(BM_RangeMaxOverTime)->Arg(1000);
BENCHMARK(BM_RangeBinary)->Arg(1000);

void BM_Parse(benchmark::State& state) {
  std::string_view query =
      "histogram_quantile(0.99, sum by (le, job) "
      "(rate(http_request_duration_seconds_bucket{job=~\"api|web\", "
      "code!=\"500\"}[5m]))) > 0.5 and on (job) up == 1";
  ParserOptions options;
  for (auto _ : state) benchmark::DoNotOptimize(ParseExpr(query, options));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * query.size()));
}
BENCHMARK(BM_Parse);

}  // namespace
}  // namespace narthex::promql
