// The kernels' code on the host against the engine's own functions, bit for bit.
#include <algorithm>

#include "gtest/gtest.h"
#include "promql/functions/call.h"
#include "promql/operators/selectors.h"
#include "tests/cuda/rows.h"

namespace narthex::cuda {
namespace {

struct Function {
  const char* name;
  promql::DeviceFunction id;
};

void PrintTo(const Function& f, std::ostream* out) { *out << f.name; }

class RowFunctions : public ::testing::TestWithParam<Function> {
 protected:
  static promql::DevicePlan Plan(int64_t first_end_ms, int64_t step_ms, uint32_t steps, int64_t range_ms) {
    promql::DevicePlan plan;
    plan.function = GetParam().id;
    plan.aggregation = promql::kDeviceGroupMax;  // of one value: the value
    plan.first_end_ms = first_end_ms;
    plan.step_ms = step_ms;
    plan.range_ms = range_ms;
    plan.steps = steps;
    return plan;
  }

  void Compare(promql::DevicePlan plan, const std::vector<TestRow>& rows) {
    plan.groups = static_cast<uint32_t>(rows.size());
    TestBatch batch;
    for (size_t i = 0; i < rows.size(); ++i) batch.Add(rows[i], static_cast<uint32_t>(i));
    const TestResult got = RunOnHost(plan, {std::move(batch)});
    ASSERT_EQ(got.status, promql::kDeviceOk);
    for (size_t r = 0; r < rows.size(); ++r) {
      SCOPED_TRACE("row " + std::to_string(r));
      ASSERT_NO_FATAL_FAILURE(CompareRow(plan, rows[r], got, r));
    }
  }

  void CompareRow(const promql::DevicePlan& plan, const TestRow& row, const TestResult& got, size_t r) {
    const promql::FunctionImpl* reference = promql::FindFunctionImpl(GetParam().name);
    ASSERT_NE(reference, nullptr);
    std::vector<FloatPoint> points;
    for (size_t i = 0; i < row.times.size(); ++i) points.push_back({row.times[i], row.values[i]});
    promql::Annotations annotations;
    for (size_t i = 0; i < plan.steps; ++i) {
      promql::Window window;
      window.end_ms = plan.first_end_ms + plan.step_ms * static_cast<int64_t>(i);
      window.start_ms = window.end_ms - plan.range_ms;
      window.range_ms = plan.range_ms;
      window.floats = promql::FloatWindow(points, window.start_ms, window.end_ms);
      promql::CallContext context;
      context.annotations = &annotations;
      promql::Value want;
      const bool some = !window.floats.empty() && reference->range(window, &context, &want);
      ASSERT_EQ(got.present[r * plan.steps + i] != 0, some) << "step " << i;
      if (!some) continue;
      const double v = got.values[r * plan.steps + i];
      ASSERT_EQ(Bits(v), Bits(want.v)) << "step " << i << ": " << v << " for " << want.v;
    }
  }
};

TEST_P(RowFunctions, GiveTheEnginesBitsForEveryKindOfValue) {
  std::vector<TestRow> rows;
  uint32_t seed = 1;
  for (RowKind kind : kRowKinds) {
    for (bool gaps : {false, true}) {
      for (size_t n : {240u, 777u}) rows.push_back(MakeRow(kind, n, gaps, seed++));
    }
  }
  const int64_t begin = rows[0].times[0];
  Compare(Plan(begin - 400'000, 60'000, 300, 300'000), rows);
  Compare(Plan(begin + 1, 7'000, 500, 60'000), rows);
}

TEST_P(RowFunctions, GiveTheEnginesBitsForShortRows) {
  std::vector<TestRow> rows;
  for (size_t n = 0; n <= 67; ++n)
    rows.push_back(MakeRow(kRowKinds[n % std::size(kRowKinds)], n, n % 2 == 1, 1000 + n));
  const int64_t begin = rows[1].times[0];
  Compare(Plan(begin - 20'000, 10'000, 130, 45'000), rows);
}

TEST_P(RowFunctions, GiveTheEnginesBitsForWindowsWiderThanTheRingAndOneStep) {
  std::vector<TestRow> rows;
  for (uint32_t i = 0; i < 12; ++i)
    rows.push_back(MakeRow(kRowKinds[i % std::size(kRowKinds)], 900, i % 2 == 1, 2000 + i));
  const int64_t begin = rows[0].times[0];
  Compare(Plan(begin, 600'000, 30, 7'200'000), rows);
  Compare(Plan(begin + 10'000'000, 0, 1, 300'000), rows);
  Compare(Plan(begin, 3'600'000, 5, 15'000), rows);  // windows far apart
}

TEST_P(RowFunctions, GiveTheEnginesBitsWhateverTheSteps) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 40; ++round) {
    std::vector<TestRow> rows;
    for (uint32_t i = 0; i < 4; ++i) {
      rows.push_back(MakeRow(kRowKinds[random() % std::size(kRowKinds)], random() % 500, random() % 2 == 0,
                             random() % 100000));
    }
    const int64_t begin = 1'700'000'000'000 + static_cast<int64_t>(random() % 2'000'000) - 500'000;
    Compare(Plan(begin, 1 + static_cast<int64_t>(random() % 90'000), 1 + random() % 200,
                 1 + static_cast<int64_t>(random() % 900'000)),
            rows);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RowFunctions,
    ::testing::Values(
        Function{"rate", promql::kDeviceRate}, Function{"increase", promql::kDeviceIncrease},
        Function{"delta", promql::kDeviceDelta}, Function{"irate", promql::kDeviceIrate},
        Function{"idelta", promql::kDeviceIdelta}, Function{"first_over_time", promql::kDeviceFirst},
        Function{"last_over_time", promql::kDeviceLast}, Function{"count_over_time", promql::kDeviceCount},
        Function{"present_over_time", promql::kDevicePresent}, Function{"resets", promql::kDeviceResets},
        Function{"changes", promql::kDeviceChanges}, Function{"sum_over_time", promql::kDeviceSum},
        Function{"avg_over_time", promql::kDeviceAvg}, Function{"min_over_time", promql::kDeviceMin},
        Function{"max_over_time", promql::kDeviceMax}, Function{"stddev_over_time", promql::kDeviceStddev},
        Function{"stdvar_over_time", promql::kDeviceStdvar}),
    [](const ::testing::TestParamInfo<Function>& info) { return std::string(info.param.name); });

TEST(Rows, WithAStaleMarkerInsideAreNotForTheDevice) {
  TestRow row = MakeRow(RowKind::kGauge, 50, false, 3);
  row.values[20] = StaleNan();
  row.cuts = {};
  for (bool raw : {false, true}) {
    row.raw = raw;
    TestBatch batch;
    batch.Add(row, 0);
    promql::DevicePlan plan;
    plan.function = promql::kDeviceLast;
    plan.first_end_ms = row.times[0];
    plan.step_ms = plan.range_ms = 15'000;
    plan.steps = 50;
    plan.groups = 1;
    EXPECT_EQ(RunOnHost(plan, {std::move(batch)}).status, promql::kDeviceUnsuitable);
  }
}

// Whatever the bytes are: no access beyond them, an end, and a status.
TEST(Rows, OfDamagedBytesAreRefusedOrRead) {
  std::mt19937_64 random(11);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    TestRow row = MakeRow(kRowKinds[round % std::size(kRowKinds)], 1 + random() % 200, false,
                          static_cast<uint32_t>(round));
    row.raw = false;
    TestBatch batch;
    batch.Add(row, 0);
    std::string& bytes = batch.bytes[0];
    for (int flips = 0; flips < 3; ++flips)
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    if (round % 5 == 0) {
      const uint32_t lost = static_cast<uint32_t>(random() % batch.pieces.back().bytes);
      batch.pieces.back().bytes -= lost;
      bytes.resize(bytes.size() - lost);
    }
    promql::DevicePlan plan;
    plan.function = round % 2 == 0 ? promql::kDeviceRate : promql::kDeviceAvg;
    plan.first_end_ms = row.times[0];
    plan.step_ms = 30'000;
    plan.range_ms = 120'000;
    plan.steps = 100;
    plan.groups = 1;
    const int32_t status = RunOnHost(plan, {std::move(batch)}).status;
    EXPECT_TRUE(status == promql::kDeviceOk || status == promql::kDeviceUnsuitable);
    refused += status == promql::kDeviceUnsuitable ? 1 : 0;
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace narthex::cuda
