#include "promql/operators/device_reader.h"

#include "base/status_macros.h"

namespace narthex::promql {

absl::StatusOr<bool> DeviceReader::Read(size_t first, size_t count, const tsdb::HasStripe& has,
                                        std::span<const size_t> groups) {
  RETURN_IF_ERROR(ReadStored(first, count, has));
  batch_.Begin(block_.stripes);
  for (size_t i = 0; i < count; ++i) {
    if (!batch_.Add(block_.rows[i], static_cast<uint32_t>(groups[i]))) return false;
  }
  return true;
}

absl::Status DeviceReader::ReadStored(size_t first, size_t count, const tsdb::HasStripe& has) {
  if (stored_) {
    ASSIGN_OR_RETURN(stored_, set_->ReadStored(first, count, has, &block_));
  }
  if (stored_) return absl::OkStatus();
  RETURN_IF_ERROR(set_->ReadBlock(first, count, &rows_));
  block_.stripes.clear();
  block_.rows.assign(count, tsdb::StoredRow());
  for (size_t i = 0; i < count; ++i) {
    block_.rows[i].decoded = true;
    block_.rows[i].row = rows_[i];
  }
  return absl::OkStatus();
}

}  // namespace narthex::promql
