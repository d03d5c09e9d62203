// libFuzzer: any bytes as a value chunk for the device's code, on the host: no access beyond them, and where
// it answers, the values that storage reads.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/cuda/rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex;
  if (size < 2) return 0;
  const uint32_t n = 1 + data[0];
  cuda::TestBatch batch;
  batch.bytes.emplace_back(reinterpret_cast<const char*>(data) + 1, size - 1);
  promql::DevicePiece piece;
  piece.bytes = static_cast<uint32_t>(size - 1);
  piece.count = n;
  batch.pieces.push_back(piece);
  batch.series.push_back({0, 1, 0, 0});
  batch.timelines.push_back({0, n});
  for (uint32_t i = 0; i < n; ++i) batch.times.push_back(1000 * (int64_t{i} + 1));
  promql::DevicePlan plan;
  plan.function = promql::kDeviceLast;
  plan.aggregation = promql::kDeviceGroupMax;
  plan.first_end_ms = plan.step_ms = plan.range_ms = 1000;
  plan.steps = n;
  plan.groups = 1;
  const cuda::TestResult got = cuda::RunOnHost(plan, {std::move(batch)});
  if (got.status != promql::kDeviceOk) return 0;
  std::vector<double> want(n);
  tsdb::ByteReader in(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
  if (!tsdb::ReadNxChunk(&in, want.data(), n)) return 0;
  for (uint32_t i = 0; i < n; ++i) {
    if (got.present[i] == 0 || cuda::Bits(got.values[i]) != cuda::Bits(want[i])) __builtin_trap();
  }
  return 0;
}
