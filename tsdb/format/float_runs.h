// Floats of many series that have one each in a commit: what live senders send, step after step.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

// A float in such a record. Its value is coded against the series' last one, which stands in the record
// `link`; 0: against 0.
struct RunFloat {
  uint32_t series = 0;
  int64_t t = 0;
  uint64_t link = 0;
  double before = 0;  // what the value is coded against; to be written only
  double v = 0;       // to be written only
};

// `base` is above all links, by as little as may be. The values stand apart: they end the record.
void PutFloatRuns(std::string* out, uint64_t base, std::span<const RunFloat> floats);
void PutFloatRunValues(std::string* out, std::span<const RunFloat> floats);

struct FloatRuns {
  std::vector<RunFloat> floats;  // without values
  Bits changed;                  // whose value is not the one before
  std::string_view values;
};
bool ReadFloatRuns(ByteReader* in, FloatRuns* runs);

// Goes through the values in their order. Lives as long as the record.
class FloatRunReader {
 public:
  explicit FloatRunReader(const FloatRuns& runs) : runs_(runs), in_(runs.values) {}
  // The value of the next float, if `before` is what it was coded against. All have to be asked for.
  double Next(double before);
  bool ok() const { return in_.ok(); }

 private:
  const FloatRuns& runs_;
  ByteReader in_;
  size_t next_ = 0;
};

}  // namespace narthex::tsdb
