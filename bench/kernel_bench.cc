// The kernels of range functions and aggregations, for each instruction set of this machine.
#include <benchmark/benchmark.h>

#include <random>

#include "promql/kernels.h"
#include "promql/operators/row_functions.h"

namespace narthex::promql {
namespace {

constexpr size_t kSamples = 1440;  // six hours at 15 s
constexpr int kSteps = 361;        // of one minute

std::vector<double> Counter(bool resets) {
  std::mt19937 random(1);
  std::vector<double> out(kSamples);
  double value = 1000;
  for (double& v : out) {
    value = resets && random() % 200 == 0 ? 0 : value + static_cast<double>(random() % 100);
    v = value;
  }
  return out;
}

// A range function over one row: items are samples.
void BM_Row(benchmark::State& state, const char* function, int64_t range_ms, bool resets) {
  Steps steps{0, (kSteps - 1) * 60'000, 60'000, kSteps};
  RowWindows windows(steps, TimeShift(), range_ms);
  std::vector<int64_t> times(kSamples);
  for (size_t i = 0; i < kSamples; ++i) times[i] = static_cast<int64_t>(i) * 15'000;
  windows.Set(times);
  const std::unique_ptr<RowFunction> rows = NewRowFunction(function);
  rows->SetWindows(windows);
  const std::vector<double> v = Counter(resets);
  std::vector<Batch::Cell> cells(kSteps);
  std::vector<double> out(kSteps);
  for (auto _ : state) {
    rows->Fill(v.data(), cells.data(), out.data());
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kSamples));
}
BENCHMARK_CAPTURE(BM_Row, rate_5m, "rate", 300'000, false);
BENCHMARK_CAPTURE(BM_Row, rate_5m_resets, "rate", 300'000, true);
BENCHMARK_CAPTURE(BM_Row, max_over_time_5m, "max_over_time", 300'000, false);
BENCHMARK_CAPTURE(BM_Row, avg_over_time_5m, "avg_over_time", 300'000, false);
BENCHMARK_CAPTURE(BM_Row, avg_over_time_1h, "avg_over_time", 3'600'000, false);

// One instruction set: items are additions of windows of 20 samples, four samples apart.
void BM_WindowSums(benchmark::State& state, Kernels kernels) {
  constexpr size_t kWindows = (kSamples - 20) / 4;
  const std::vector<double> v = Counter(false);
  std::vector<double> scratch(WindowScratch(kWindows, 4, 20)), sum(kWindows), low(kWindows);
  for (auto _ : state) {
    kernels.window_sums(v.data(), kWindows, 4, 20, scratch.data(), sum.data(), low.data());
    benchmark::DoNotOptimize(sum.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kWindows * 20));
}

// Items are values added to the sums of their steps.
void BM_Add(benchmark::State& state, Kernels kernels) {
  const std::vector<double> v = Counter(false);
  std::vector<double> sum(kSamples), low(kSamples);
  for (auto _ : state) {
    kernels.add(v.data(), kSamples, sum.data(), low.data());
    benchmark::DoNotOptimize(sum.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kSamples));
}

void BM_Drops(benchmark::State& state, Kernels kernels) {
  const std::vector<double> v = Counter(false);
  std::vector<uint32_t> at(kSamples);
  for (auto _ : state) benchmark::DoNotOptimize(kernels.drops(v.data(), kSamples, at.data()));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kSamples));
}

const bool kRegistered = [] {
  for (const auto& [name, kernels] : AllKernels()) {
    benchmark::RegisterBenchmark(("BM_WindowSums/" + name).c_str(), BM_WindowSums, kernels);
    benchmark::RegisterBenchmark(("BM_Add/" + name).c_str(), BM_Add, kernels);
    benchmark::RegisterBenchmark(("BM_Drops/" + name).c_str(), BM_Drops, kernels);
  }
  return true;
}();

}  // namespace
}  // namespace narthex::promql
