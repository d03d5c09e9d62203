// One query on several threads: the same answer, the same counts, the same error as on one.
#include <atomic>
#include <bit>
#include <functional>
#include <random>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "promql/promql.h"
#include "tests/support/stub_queryable.h"

namespace narthex::promql {
namespace {

constexpr int64_t kEnd = 600'000;
constexpr int kSeries = 700;

struct Stored {
  Labels labels;
  std::vector<int64_t> t;
  std::vector<double> v;
};

// Series that any number of readers may read at once; `on_read` is called before every block.
class Store : public testing::StubQueryable {
 public:
  class Set : public tsdb::SeriesSet {
   public:
    Set(const Store* store, int readers) : store_(store), more_readers_(readers - 1) {}
    size_t size() const override { return store_->series.size(); }
    const Labels& labels(size_t i) const override { return store_->series[i].labels; }
    absl::Status ReadBlock(size_t first, size_t count, std::vector<tsdb::Row>* rows) override {
      if (store_->on_read) store_->on_read(first);
      rows->assign(count, {});
      for (size_t i = 0; i < count; ++i) {
        (*rows)[i].t = store_->series[first + i].t;
        (*rows)[i].v = store_->series[first + i].v;
      }
      return first >= store_->bad_from ? absl::InternalError(StrCat("series ", first, " cannot be read"))
                                       : absl::OkStatus();
    }
    std::unique_ptr<tsdb::SeriesSet> NewReader() override {
      if (more_readers_ == 0) return nullptr;
      --more_readers_;
      ++store_->readers;
      return std::make_unique<Set>(store_, 1);
    }

   private:
    const Store* const store_;
    int more_readers_;
  };
  Store()
      : StubQueryable(
            [this](const tsdb::SelectHints& hints) { return std::make_unique<Set>(this, hints.readers); }) {}

  std::vector<Stored> series;
  size_t bad_from = SIZE_MAX;
  std::function<void(size_t first)> on_read;
  mutable std::atomic<int> readers{0};
};

class SharedQueryTest : public ::testing::Test {
 protected:
  SharedQueryTest() : clock_(kEnd) {
    std::mt19937_64 random(7);
    for (int i = 0; i < kSeries; ++i) {
      Stored s;
      s.labels = {{"__name__", "m"}, {"job", StrCat(i % 7)}, {"n", StrCat(10'000 + i)}};
      double v = 0;
      for (int64_t t = 0; t <= kEnd; t += 15'000) {
        v = random() % 20 == 0 ? 0 : v + std::ldexp(static_cast<double>(random() >> 12), -30);
        s.t.push_back(t);
        s.v.push_back(v);
      }
      store_.series.push_back(std::move(s));
    }
  }

  EngineOptions Options(int threads) {
    EngineOptions options;
    options.clock = &clock_;
    options.metrics = metrics_.emplace_back(std::make_unique<MetricsRegistry>()).get();
    options.threads = threads;
    options.min_shared_samples = 0;
    options.per_step_stats = true;
    return options;
  }
  static QueryParams Range(std::string query) {
    QueryParams params;
    params.query = std::move(query);
    params.end_ms = kEnd;
    params.step_ms = 30'000;
    params.per_step_stats = true;
    return params;
  }

  FakeClock clock_;
  std::vector<std::unique_ptr<MetricsRegistry>> metrics_;
  Store store_;
};

std::string Text(const Result& result) {
  std::string out;
  for (const ResultSeries& series : result.series) {
    StrAppend(&out, series.labels.ToString());
    for (const FloatPoint& p : series.floats) StrAppend(&out, " ", p.t, "=", std::bit_cast<uint64_t>(p.v));
    out += "\n";
  }
  for (const std::string& text : result.infos) StrAppend(&out, text, "\n");
  for (const std::string& text : result.warnings) StrAppend(&out, text, "\n");
  StrAppend(&out, result.stats.samples, " ", result.stats.peak_samples);
  for (int64_t n : result.stats.samples_per_step) StrAppend(&out, " ", n);
  return out;
}

TEST_F(SharedQueryTest, AnswersAreTheSameToTheLastBitRunAfterRun) {
  Engine one(Options(1)), three(Options(3));
  for (const char* query :
       {"m", "sum(rate(m[5m]))", "avg by (job) (increase(m[2m]))", "max by (job) (m)", "rate(m[1m])",
        "stddev(quantile_over_time(0.3, m[3m]))", "topk(3, rate(m[5m]))", "m / on (n) rate(m[5m])",
        "sum(rate(m[5m])) / sum(m)", "sum_over_time(sum(m)[5m:1m])"}) {
    absl::StatusOr<Result> expected = one.Run(store_, Range(query));
    ASSERT_TRUE(expected.ok()) << query << ": " << expected.status();
    EXPECT_EQ(store_.readers, 0) << "one thread needs no other reader";
    for (int run = 0; run < 10; ++run) {
      absl::StatusOr<Result> result = three.Run(store_, Range(query));
      ASSERT_TRUE(result.ok()) << query << ": " << result.status();
      EXPECT_EQ(Text(*result), Text(*expected)) << query;
    }
    EXPECT_GE(store_.readers.exchange(0), 20) << query;
  }
  EXPECT_EQ(three.memory_used(), 0);
}

TEST_F(SharedQueryTest, TheFirstErrorInOrderIsTheOneThatIsTold) {
  Engine engine(Options(3));
  store_.bad_from = 200;
  for (int run = 0; run < 20; ++run) {
    EXPECT_EQ(engine.Run(store_, Range("sum(rate(m[5m]))")).status(),
              absl::InternalError("series 256 cannot be read"))
        << "the first block that begins behind the last good series";
    EXPECT_EQ(engine.memory_used(), 0);
  }
}

TEST_F(SharedQueryTest, MemoryAndSampleLimitsHold) {
  const Result expected = *Engine(Options(1)).Run(store_, Range("sum(rate(m[5m]))"));
  EngineOptions options = Options(3);
  options.max_query_bytes = 100'000;
  Engine no_room_for_threads(options);
  absl::StatusOr<Result> result = no_room_for_threads.Run(store_, Range("sum(rate(m[5m]))"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Text(*result), Text(expected));
  options = Options(3);
  options.max_query_bytes = 30'000;
  Engine little_memory(options);
  EXPECT_EQ(little_memory.Run(store_, Range("sum(rate(m[5m]))")).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(little_memory.memory_used(), 0);
  options = Options(3);
  options.max_samples = 100;
  Engine few_samples(options);
  EXPECT_EQ(few_samples.Run(store_, Range("sum(rate(m[5m]))")).status(),
            absl::ResourceExhaustedError(
                "query processing would load too many samples into memory in query execution"));
  EXPECT_EQ(few_samples.memory_used(), 0);
}

TEST_F(SharedQueryTest, CancellationStopsAllThreads) {
  Engine engine(Options(3));
  QueryParams params = Range("sum(rate(m[5m]))");
  params.cancelled = std::make_shared<std::atomic<bool>>(false);
  std::atomic<int> reads = 0;
  store_.on_read = [&](size_t) {
    if (++reads == 5) *params.cancelled = true;
  };
  EXPECT_EQ(engine.Run(store_, params).status().code(), absl::StatusCode::kCancelled);
  // Each of three threads may have been about to read one block more.
  EXPECT_LE(reads, 5 + 3);
  EXPECT_EQ(engine.memory_used(), 0);
}

}  // namespace
}  // namespace narthex::promql
