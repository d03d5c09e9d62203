// Writing of query results: items are points.
#include <benchmark/benchmark.h>

#include <random>

#include "api/point_text.h"

namespace narthex::api {
namespace {

enum class Data { kWhole, kDecimal, kFullPrecision };

void BM_PointText(benchmark::State& state, Data data) {
  std::mt19937_64 random(1);
  std::vector<FloatPoint> points(1000);
  for (size_t i = 0; i < points.size(); ++i) {
    const double v = static_cast<double>(random() % 100'000'000);
    points[i] = {1'700'000'000'000 + static_cast<int64_t>(i) * 15'000, data == Data::kWhole     ? v
                                                                       : data == Data::kDecimal ? v / 100
                                                                                                : v / 299.97};
  }
  std::string out;
  PointText text;
  for (auto _ : state) {
    out.clear();
    for (const FloatPoint& point : points) {
      char one[PointText::kMostBytes];
      out.append(one, static_cast<size_t>(text.Put(point, one) - one));
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(points.size()));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK_CAPTURE(BM_PointText, whole, Data::kWhole);
BENCHMARK_CAPTURE(BM_PointText, decimal, Data::kDecimal);
BENCHMARK_CAPTURE(BM_PointText, full_precision, Data::kFullPrecision);

}  // namespace
}  // namespace narthex::api
