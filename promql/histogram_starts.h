// Start timestamps of histograms. tsdb::Row has room for those of floats only; a tsdb::SeriesSet that knows
// more is a HistogramStarts, too.
#pragma once

#include <cstdint>
#include <span>

namespace narthex::promql {

class HistogramStarts {
 public:
  virtual ~HistogramStarts() = default;
  // Of row `row` of the last ReadBlock: empty, or as long as its histograms, 0 = none. Valid until the next
  // ReadBlock.
  virtual std::span<const int64_t> StartsOfRow(size_t row) const = 0;
};

}  // namespace narthex::promql
