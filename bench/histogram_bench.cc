// What native histograms cost beside classic ones: an hour of one histogram, decoded (docs/gpu.md).
#include <benchmark/benchmark.h>

#include <random>

#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kRows = 240;

// Latencies that fall into `buckets` buckets, some of them often.
std::vector<std::vector<double>> Counts(size_t buckets) {
  std::mt19937 random(1);
  std::vector<double> now(buckets, 0);
  std::vector<std::vector<double>> out;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t b = 0; b < buckets; ++b) now[b] += static_cast<double>(random() % (1 + 200 / (1 + b)));
    out.push_back(now);
  }
  return out;
}

// One native histogram with so many buckets. Items are histograms.
void BM_NativeHistograms(benchmark::State& state) {
  const size_t buckets = static_cast<size_t>(state.range(0));
  std::vector<HistogramPtr> rows;
  for (const std::vector<double>& counts : Counts(buckets)) {
    auto h = std::make_shared<FloatHistogram>();
    h->positive_spans = {{0, static_cast<uint32_t>(buckets)}};
    h->positive_buckets = counts;
    for (double c : counts) h->count += c;
    h->sum = h->count / 7;
    rows.push_back(std::move(h));
  }
  std::string chunk;
  PutHistogramChunk(&chunk, rows);
  for (auto _ : state) {
    std::vector<HistogramPtr> out;
    ByteReader in(chunk);
    if (!ReadHistogramChunk(&in, kRows, &out)) return state.SkipWithError("malformed");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
  state.counters["bytes"] = static_cast<double>(chunk.size()) / kRows;
}
BENCHMARK(BM_NativeHistograms)->Arg(12)->Arg(40)->Arg(160);

// The same as classic series, one a bucket.
void BM_ClassicHistograms(benchmark::State& state) {
  const size_t buckets = static_cast<size_t>(state.range(0));
  const std::vector<std::vector<double>> counts = Counts(buckets);
  std::vector<std::string> chunks(buckets);
  std::vector<double> column(kRows);
  double bytes = 0;
  for (size_t b = 0; b < buckets; ++b) {
    for (size_t row = 0; row < kRows; ++row) {
      column[row] = 0;
      for (size_t below = 0; below <= b; ++below) column[row] += counts[row][below];
    }
    PutNxChunk(&chunks[b], column.data(), kRows);
    bytes += static_cast<double>(chunks[b].size());
  }
  for (auto _ : state) {
    for (const std::string& chunk : chunks) {
      ByteReader in(chunk);
      if (!ReadNxChunk(&in, column.data(), kRows)) return state.SkipWithError("malformed");
      benchmark::DoNotOptimize(column.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
  state.counters["bytes"] = bytes / kRows;
}
BENCHMARK(BM_ClassicHistograms)->Arg(12)->Arg(40);

}  // namespace
}  // namespace narthex::tsdb
