// Groups, ranks and histograms of the kernels' code against the engine's functions, however the series are
// cut into batches.
#include <algorithm>
#include <numeric>

#include "gtest/gtest.h"
#include "model/kahan_sum.h"
#include "promql/functions/quantile.h"
#include "tests/cuda/rows.h"

namespace narthex::cuda {
namespace {

constexpr promql::DeviceAggregation kAggregations[] = {
    promql::kDeviceGroupSum,    promql::kDeviceGroupAvg,   promql::kDeviceGroupMin,
    promql::kDeviceGroupMax,    promql::kDeviceGroupAny,   promql::kDeviceGroupCount,
    promql::kDeviceGroupStddev, promql::kDeviceGroupStdvar};

promql::DevicePlan LastValues(const TestRow& row, uint32_t groups, int32_t aggregation) {
  promql::DevicePlan plan;
  plan.function = promql::kDeviceLast;
  plan.aggregation = aggregation;
  plan.first_end_ms = row.times[0] - 15'000;
  plan.step_ms = plan.range_ms = 15'000;
  plan.steps = 40;
  plan.groups = groups;
  return plan;
}

std::vector<TestRow> Rows(size_t n, uint32_t seed) {
  std::mt19937_64 random(seed);
  std::vector<TestRow> rows;
  for (size_t i = 0; i < n; ++i) {
    rows.push_back(
        MakeRow(kRowKinds[random() % std::size(kRowKinds)], 1 + random() % 38, random() % 2 == 0, seed + i));
  }
  return rows;
}

TEST(Groups, AreTheSameHoweverTheSeriesAreCut) {
  const std::vector<TestRow> rows = Rows(150, 17);
  for (promql::DeviceAggregation aggregation : kAggregations) {
    const promql::DevicePlan plan = LastValues(rows[0], 5, aggregation);
    std::vector<TestResult> results;
    for (size_t at_once : {150u, 64u, 7u, 1u}) {
      std::vector<TestBatch> batches;
      for (size_t i = 0; i < rows.size(); ++i) {
        if (i % at_once == 0) batches.emplace_back();
        batches.back().Add(rows[i], static_cast<uint32_t>(i * i % 4));  // the fifth group is empty
      }
      results.push_back(RunOnHost(plan, std::move(batches)));
      ASSERT_EQ(results.back().status, promql::kDeviceOk);
      EXPECT_EQ(results.back().present, results[0].present);
      for (size_t i = 0; i < results[0].values.size(); ++i) {
        if (results[0].present[i]) {
          ASSERT_EQ(Bits(results.back().values[i]), Bits(results[0].values[i]));
        }
      }
    }
    EXPECT_TRUE(std::all_of(results[0].present.end() - 40, results[0].present.end(),
                            [](uint8_t p) { return p == 0; }));
  }
}

TEST(Groups, SumInTheOrderOfTheSeries) {
  std::vector<TestRow> rows;
  for (uint32_t i = 0; i < 300; ++i) rows.push_back(MakeRow(RowKind::kFloats, 38, false, i));
  TestBatch batch;
  for (const TestRow& row : rows) batch.Add(row, 0);
  const TestResult got = RunOnHost(LastValues(rows[0], 1, promql::kDeviceGroupSum), {std::move(batch)});
  for (size_t step = 1; step < 38; ++step) {
    double sum = 0, low = 0;
    for (const TestRow& row : rows) narthex::KahanAdd(row.values[step - 1], &sum, &low);
    ASSERT_EQ(Bits(got.values[step]), Bits(sum + low));
  }
}

TEST(Groups, OfBatchesThatDoNotFitTogetherAreRefused) {
  const std::vector<TestRow> rows = Rows(3, 5);
  const promql::DevicePlan plan = LastValues(rows[0], 2, promql::kDeviceGroupSum);
  const auto status = [&](auto damage) {
    TestBatch batch;
    for (const TestRow& row : rows) batch.Add(row, 1);
    damage(&batch);
    return RunOnHost(plan, {std::move(batch)}).status;
  };
  EXPECT_EQ(status([](TestBatch*) {}), promql::kDeviceOk);
  EXPECT_EQ(status([](TestBatch* b) { b->series[1].group = 2; }), promql::kDeviceUnsuitable);
  EXPECT_EQ(status([](TestBatch* b) { b->series[1].timeline = 3; }), promql::kDeviceUnsuitable);
  EXPECT_EQ(status([](TestBatch* b) { b->series[1].pieces += 100; }), promql::kDeviceUnsuitable);
  EXPECT_EQ(status([](TestBatch* b) { b->pieces[0].offset = 1 << 30; }), promql::kDeviceUnsuitable);
  EXPECT_EQ(status([](TestBatch* b) { b->pieces[0].bytes += 1000; }), promql::kDeviceUnsuitable);
  EXPECT_EQ(status([](TestBatch* b) { b->pieces[0].count += 1; }), promql::kDeviceUnsuitable);
  EXPECT_EQ(status([](TestBatch* b) { b->pieces[0].stripe = 99; }), promql::kDeviceUnsuitable);
  EXPECT_EQ(status([](TestBatch* b) { b->timelines[2].first = 1 << 20; }), promql::kDeviceUnsuitable);
}

// As promql/operators/ranked.cc sorts.
TEST(Ranks, AreThoseOfASort) {
  for (bool top : {true, false}) {
    for (uint32_t k : {1u, 3u, 32u}) {
      const size_t n = 60;
      std::vector<double> values, state_values(k);
      std::mt19937_64 random(k);
      for (size_t i = 0; i < n; ++i) {
        values.push_back(random() % 9 == 0 ? NormalNan() : static_cast<double>(random() % 12));
      }
      std::vector<uint32_t> state(k, promql::kNoSeries);
      for (size_t i = 0; i < n; ++i)
        Rank(top, values[i], static_cast<uint32_t>(i), k, state_values.data(), state.data());
      std::vector<uint32_t> want(n);
      std::iota(want.begin(), want.end(), 0);
      std::stable_sort(want.begin(), want.end(), [&](uint32_t a, uint32_t b) {
        const double x = values[a], y = values[b];
        if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
        return top ? x > y : x < y;
      });
      want.resize(k);
      EXPECT_EQ(state, want);
    }
  }
}

struct Buckets {
  std::vector<double> bounds, counts;
  std::vector<uint8_t> present;
  std::vector<uint32_t> groups;

  explicit Buckets(std::mt19937_64* random) {
    const size_t n = 1 + (*random)() % 12;
    double bound = static_cast<double>((*random)() % 5) - 3, count = 0;
    for (size_t i = 0; i < n; ++i) {
      const bool last = i + 1 == n;
      if ((*random)() % 6 != 0) bound += 0.25 * static_cast<double>((*random)() % 8);
      count += static_cast<double>((*random)() % 20) / ((*random)() % 2 == 0 ? 1 : 7);
      if ((*random)() % 12 == 0) count -= 1;
      if ((*random)() % 12 == 0) count *= 1 + 1e-14;
      bounds.push_back(last && (*random)() % 8 != 0 ? HUGE_VAL : bound);
      counts.push_back((*random)() % 60 == 0 ? NormalNan() : (*random)() % 40 == 0 ? 0 : count);
      present.push_back((*random)() % 10 != 0);
      groups.push_back(static_cast<uint32_t>(i));
    }
  }
  std::vector<promql::ClassicBucket> Classic() const {
    std::vector<promql::ClassicBucket> out;
    for (size_t i = 0; i < bounds.size(); ++i) {
      if (present[i]) out.push_back({bounds[i], counts[i]});
    }
    return out;
  }
};

TEST(Histograms, HaveTheEnginesQuantilesAndFractions) {
  std::mt19937_64 random(3);
  int forced_seen = 0;
  for (int round = 0; round < 200'000; ++round) {
    const Buckets b(&random);
    const double q[] = {0, 0.5, 0.99, 1, 0.25, -1, 2, NormalNan()};
    const double low = round % 2 == 0 ? q[random() % 8] : static_cast<double>(random() % 100) / 10 - 4;
    const double high = static_cast<double>(random() % 100) / 10 - 4;
    const uint32_t begin[2] = {0, static_cast<uint32_t>(b.bounds.size())};
    double value = 0;
    uint8_t any = 0;
    uint32_t forced = 0;
    HistogramBatch batch;
    batch.histograms.bucket_begin = begin;
    batch.histograms.bucket_group = b.groups.data();
    batch.histograms.bucket_bound = b.bounds.data();
    batch.histograms.histograms = 1;
    batch.histograms.low = &low;
    batch.counts = b.counts.data();
    batch.present = b.present.data();
    batch.values = &value;
    batch.any = &any;
    batch.forced = &forced;
    batch.steps = 1;
    const std::vector<promql::ClassicBucket> classic = b.Classic();
    HistogramCell(batch, 0, 0);
    ASSERT_EQ(any != 0, !classic.empty());
    if (classic.empty()) continue;
    const promql::BucketQuantileResult want = promql::BucketQuantile(low, classic);
    ASSERT_EQ(Bits(value), Bits(want.value)) << "round " << round << ", q " << low;
    ASSERT_EQ(forced != 0, want.forced_monotonicity) << "round " << round;
    forced_seen += forced != 0 ? 1 : 0;
    batch.histograms.high = &high;
    HistogramCell(batch, 0, 0);
    ASSERT_EQ(Bits(value), Bits(promql::BucketFraction(low, high, classic))) << "round " << round;
  }
  EXPECT_GT(forced_seen, 1000);
}

}  // namespace
}  // namespace narthex::cuda
