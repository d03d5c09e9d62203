// Functions over whole rows against the same functions window by window, bit for bit.
#include "promql/operators/row_functions.h"

#include <bit>
#include <cmath>
#include <random>

#include "gtest/gtest.h"
#include "model/sample.h"
#include "promql/functions/call.h"

namespace narthex::promql {
namespace {

struct Row {
  std::vector<int64_t> times;
  std::vector<double> values;
};

enum class Shape { kRegular, kJittered, kGaps, kShort };

Row MakeRow(Shape shape, bool wild, uint32_t seed) {
  std::mt19937 random(seed);
  Row row;
  int64_t t = 60'000;
  double counter = 5;
  const size_t n = shape == Shape::kShort ? seed % 4 : 300;
  for (size_t i = 0; i < n; ++i) {
    t += 15'000 + (shape == Shape::kJittered ? static_cast<int64_t>(random() % 1000) - 500 : 0);
    if (shape == Shape::kGaps && random() % 20 == 0) t += 15'000 * static_cast<int64_t>(random() % 40);
    if (random() % 50 == 0) counter = 0;
    counter += static_cast<double>(random() % 1000) / 7;
    row.times.push_back(t);
    row.values.push_back(counter);
    if (wild && random() % 10 == 0) {
      const double special[] = {HUGE_VAL, -HUGE_VAL, NormalNan(), -0.0, 1e308, -1e308};
      row.values.back() = special[random() % 6];
    }
  }
  return row;
}

uint64_t Bits(double v) { return std::isnan(v) ? 1 : std::bit_cast<uint64_t>(v); }

class RowFunctionsTest : public ::testing::TestWithParam<const char*> {
 protected:
  void Compare(const Row& row, const Steps& steps, int64_t range_ms, int64_t offset_ms) {
    TimeShift shift;
    shift.offset_ms = offset_ms;
    RowWindows windows(steps, shift, range_ms);
    windows.Set(row.times);
    const std::unique_ptr<RowFunction> function = NewRowFunction(GetParam());
    ASSERT_NE(function, nullptr);
    function->SetWindows(windows);
    const size_t n = static_cast<size_t>(steps.count);
    std::vector<Batch::Cell> cells(n, Batch::kHistogram);
    std::vector<double> out(n);
    function->Fill(row.values.data(), cells.data(), out.data());

    const FunctionImpl* reference = FindFunctionImpl(GetParam());
    ASSERT_NE(reference, nullptr);
    std::vector<FloatPoint> points;
    for (size_t i = 0; i < row.times.size(); ++i) points.push_back({row.times[i], row.values[i]});
    Annotations annotations;
    for (size_t i = 0; i < n; ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      Window window;
      window.end_ms = steps.Time(static_cast<int>(i)) - offset_ms;
      window.start_ms = window.end_ms - range_ms;
      window.range_ms = range_ms;
      window.floats = FloatWindow(points, window.start_ms, window.end_ms);
      CallContext context;
      context.annotations = &annotations;
      Value want;
      const bool some = !window.floats.empty() && reference->range(window, &context, &want);
      ASSERT_EQ(cells[i], some ? Batch::kFloat : Batch::kEmpty);
      if (!some) continue;
      ASSERT_EQ(Bits(out[i]), Bits(want.v)) << out[i] << " for " << want.v;
    }
  }
};

TEST_P(RowFunctionsTest, GiveWhatTheFunctionGivesWindowByWindow) {
  uint32_t seed = 0;
  for (const Shape shape : {Shape::kRegular, Shape::kJittered, Shape::kGaps, Shape::kShort}) {
    for (const bool wild : {false, true}) {
      for (const int64_t step : {5'000, 15'000, 60'000, 97'000}) {
        for (const int64_t range : {1'000, 15'000, 300'000, 3'600'000}) {
          SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + " wild " + std::to_string(wild) +
                       " step " + std::to_string(step) + " range " + std::to_string(range));
          const Row row = MakeRow(shape, wild, ++seed);
          Compare(row, {0, 99 * step, step, 100}, range, 0);
          Compare(row, {600'000, 600'000, 0, 1}, range, 7'500);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowFunctionsTest,
                         ::testing::Values("rate", "increase", "delta", "irate", "idelta", "sum_over_time",
                                           "avg_over_time", "max_over_time", "min_over_time",
                                           "first_over_time", "last_over_time", "count_over_time",
                                           "present_over_time"));

}  // namespace
}  // namespace narthex::promql
