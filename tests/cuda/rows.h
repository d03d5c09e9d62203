// Rows through the device's table of functions, each series a group of its own.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "cuda/host_backend.h"
#include "model/sample.h"
#include "promql/device.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::cuda {

// NaN counts as one value.
inline uint64_t Bits(double v) { return std::isnan(v) ? 1 : std::bit_cast<uint64_t>(v); }

struct TestRow {
  std::vector<int64_t> times;
  std::vector<double> values;
  std::vector<size_t> cuts;  // where a new chunk begins, ascending
  bool raw = false;          // doubles instead of chunks
};

// A batch that owns its arrays.
struct TestBatch {
  std::vector<std::string> bytes;
  std::vector<promql::DeviceStripe> stripes;
  std::vector<promql::DevicePiece> pieces;
  std::vector<promql::DeviceSeries> series;
  std::vector<promql::DeviceTimeline> timelines;
  std::vector<int64_t> times;

  void Add(const TestRow& row, uint32_t group) {
    const uint32_t first = static_cast<uint32_t>(pieces.size());
    std::string stripe;
    size_t begin = 0;
    std::vector<size_t> cuts = row.cuts;
    cuts.push_back(row.values.size());
    for (size_t end : cuts) {
      const size_t offset = stripe.size();
      if (row.raw) {
        stripe.append(reinterpret_cast<const char*>(row.values.data() + begin), (end - begin) * 8);
      } else {
        tsdb::PutNxChunk(&stripe, row.values.data() + begin, end - begin);
      }
      promql::DevicePiece piece;
      piece.stripe = static_cast<uint32_t>(bytes.size());
      piece.offset = static_cast<uint32_t>(offset);
      piece.bytes = static_cast<uint32_t>(stripe.size() - offset);
      piece.count = static_cast<uint32_t>(end - begin);
      piece.raw = row.raw ? 1 : 0;
      pieces.push_back(piece);
      begin = end;
    }
    bytes.push_back(std::move(stripe));
    series.push_back({first, static_cast<uint32_t>(pieces.size()) - first,
                      static_cast<uint32_t>(timelines.size()), group});
    timelines.push_back({times.size(), static_cast<uint32_t>(row.times.size())});
    times.insert(times.end(), row.times.begin(), row.times.end());
  }

  promql::DeviceBatch View() {
    stripes.clear();
    for (const std::string& b : bytes) {
      promql::DeviceStripe& s = stripes.emplace_back();
      s.bytes = reinterpret_cast<const uint8_t*>(b.data());
      s.size = b.size();
    }
    promql::DeviceBatch out;
    out.stripes = stripes.data();
    out.pieces = pieces.data();
    out.series = series.data();
    out.timelines = timelines.data();
    out.times = times.data();
    out.time_count = times.size();
    out.stripe_count = static_cast<uint32_t>(stripes.size());
    out.piece_count = static_cast<uint32_t>(pieces.size());
    out.series_count = static_cast<uint32_t>(series.size());
    out.timeline_count = static_cast<uint32_t>(timelines.size());
    return out;
  }
};

struct TestResult {
  int32_t status = 0;
  std::vector<double> values;
  std::vector<uint8_t> present;
};

// Opens a host device, runs the batches, closes it.
inline TestResult RunOnHost(const promql::DevicePlan& plan, std::vector<TestBatch> batches) {
  const promql::DeviceApi& api = *HostDevice();
  char error[64] = "";
  const promql::DeviceOptions options;
  void* const device = api.open(&options, error, sizeof(error));
  TestResult out;
  out.values.resize(size_t{plan.groups} * plan.steps);
  out.present.resize(out.values.size());
  void* query = nullptr;
  out.status = api.begin(device, &plan, nullptr, &query);
  for (TestBatch& b : batches) {
    const promql::DeviceBatch view = b.View();
    if (out.status == 0) out.status = api.add(query, &view);
  }
  if (out.status == 0) out.status = api.finish(query, out.values.data(), out.present.data());
  api.end(query);
  api.close(device);
  return out;
}

enum class RowKind { kConstant, kCounter, kSteady, kGauge, kMixed, kFloats, kWild };
inline constexpr RowKind kRowKinds[] = {RowKind::kConstant, RowKind::kCounter, RowKind::kSteady,
                                        RowKind::kGauge,    RowKind::kMixed,   RowKind::kFloats,
                                        RowKind::kWild};

inline TestRow MakeRow(RowKind kind, size_t n, bool gaps, uint32_t seed) {
  std::mt19937_64 random(seed);
  TestRow row;
  int64_t t = 1'700'000'000'000;
  double counter = static_cast<double>(random() % 1000);
  const double step = static_cast<double>(uint64_t{1} << random() % 36) * (random() % 8 == 0 ? -1 : 1);
  for (size_t i = 0; i < n; ++i) {
    t += 15'000;
    if (gaps) t += static_cast<int64_t>(random() % 700) - 350;
    if (gaps && random() % 25 == 0) t += 15'000 * static_cast<int64_t>(random() % 60);
    row.times.push_back(t);
    double v = 42.5;
    switch (kind) {
      case RowKind::kConstant:
        break;
      case RowKind::kCounter:
        if (random() % 60 == 0) counter = 0;
        if (random() % 3 != 0) counter += static_cast<double>(random() % 5000);
        v = counter;
        break;
      case RowKind::kSteady:
        if (random() % 60 == 0) counter = 0;
        v = counter += step + static_cast<double>(random() % 40);
        break;
      case RowKind::kGauge:
        v = static_cast<double>(static_cast<int64_t>(random() % 20001) - 10000) / 100;
        break;
      case RowKind::kMixed:
        v = random() % 2 == 0 ? static_cast<double>(random() >> 12)
                              : static_cast<double>(random() % 1000) / 1e9;
        break;
      case RowKind::kFloats:
        v = std::exp(static_cast<double>(random() % 100000) / 3000) * (random() % 2 == 0 ? 1 : -1);
        break;
      case RowKind::kWild: {
        const double special[] = {HUGE_VAL, -HUGE_VAL, NormalNan(), -0.0, 0.0, 1e308, -1e308, 5e-324, 1, 2.5};
        v = random() % 3 == 0 ? special[random() % 10] : static_cast<double>(random() % 100);
        break;
      }
    }
    row.values.push_back(v);
  }
  for (size_t cut = random() % 300; cut < n; cut += random() % 300) row.cuts.push_back(cut);
  row.raw = random() % 8 == 0;
  return row;
}

}  // namespace narthex::cuda
