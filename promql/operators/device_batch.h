// Series as storage keeps them, put into the arrays that a device takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "promql/device.h"
#include "promql/query_state.h"
#include "tsdb/tsdb.h"

namespace narthex::promql {

// The rows given to Add must stay until View() is used up. Used by one thread.
class DeviceBatchBuilder {
 public:
  explicit DeviceBatchBuilder(bool use_start_timestamps) : use_starts_(use_start_timestamps) {}
  // Empties it. `stripes`: what the pieces of the rows to come refer to.
  void Begin(const std::vector<tsdb::StoredStripe>& stripes);
  // False if the row holds more than floats that count.
  bool Add(const tsdb::StoredRow& row, uint32_t group);
  DeviceBatch View();
  // Adds what each step's window has of each series, as the operators on the CPU count it.
  void CountWindows(const DevicePlan& plan, SampleCounts* counts) const;

  // What the cost model asks.
  size_t samples() const { return samples_; }
  size_t compressed_bytes() const { return compressed_bytes_; }
  const std::vector<DeviceStripe>& stripes() const { return stripes_; }

 private:
  void AddRaw(std::span<const double> v);
  uint32_t TimelineOf(const tsdb::StoredRow& row);
  uint32_t AddTimeline(std::span<const int64_t> times);

  const bool use_starts_;
  std::vector<DeviceStripe> stripes_;
  std::vector<DevicePiece> pieces_;
  std::vector<DeviceSeries> series_;
  std::vector<DeviceTimeline> timelines_;
  std::vector<int64_t> times_;
  // Chunks that are in no stripe, and values that were decoded: each one stripe that is not kept.
  std::string chunks_;
  std::vector<double> values_;
  absl::flat_hash_map<std::string, uint32_t> timeline_of_;  // by the places of the times
  std::string key_;
  std::vector<int64_t> own_times_;
  std::vector<double> own_values_;
  size_t samples_ = 0, compressed_bytes_ = 0;
};

}  // namespace narthex::promql
