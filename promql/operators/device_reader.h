// Reads stretches of a selection as storage keeps them and makes the arrays that a device takes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "promql/operators/device_batch.h"
#include "tsdb/tsdb.h"

namespace narthex::promql {

// Used by one thread at a time; several over one selection work side by side.
class DeviceReader {
 public:
  DeviceReader(std::unique_ptr<tsdb::SeriesSet> set, bool use_start_timestamps)
      : set_(std::move(set)), batch_(use_start_timestamps) {}

  // Series [first, first + count), of which the i-th belongs to group groups[i]. False if they hold more than
  // floats that count. `has`: see tsdb::SeriesSet::ReadStored.
  absl::StatusOr<bool> Read(size_t first, size_t count, const tsdb::HasStripe& has,
                            std::span<const size_t> groups);
  // What was read last.
  DeviceBatchBuilder& batch() { return batch_; }

  tsdb::SeriesSet* set() { return set_.get(); }
  std::unique_ptr<tsdb::SeriesSet> TakeSet() { return std::move(set_); }

 private:
  absl::Status ReadStored(size_t first, size_t count, const tsdb::HasStripe& has);

  std::unique_ptr<tsdb::SeriesSet> set_;
  bool stored_ = true;  // whether the set knows another form than rows
  tsdb::StoredBlock block_;
  std::vector<tsdb::Row> rows_;
  DeviceBatchBuilder batch_;
};

}  // namespace narthex::promql
