// Prometheus's write-ahead log: records out of segments (wal/NNNNNNNN, wal/checkpoint.N), and what they say.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "model/histogram.h"
#include "model/labels.h"

namespace narthex::tsdb::blocks {

// Visits the records of one segment, unpacked. An error names `name` and the offset; records before it have
// been visited. A segment may end anywhere between records; a record cut short is an error.
absl::Status VisitWalRecords(std::string_view segment, std::string_view name,
                             const std::function<absl::Status(std::string_view)>& visit);

struct WalSeries {
  uint64_t ref = 0;
  Labels labels;
};
struct WalSample {
  uint64_t ref = 0;
  int64_t t = 0, start_t = 0;
  double v = 0;
  HistogramPtr h;  // if set, v is ignored
};
struct WalTombstone {
  uint64_t ref = 0;
  int64_t mint = 0, maxt = 0;
};
struct WalMetadata {
  uint64_t ref = 0;
  std::string type, unit, help;
};

struct WalExemplar {
  uint64_t ref = 0;
  int64_t t = 0;
  double v = 0;
  Labels labels;
};

// What one record holds. Markers are left out.
struct WalRecord {
  std::vector<WalSeries> series;
  std::vector<WalSample> samples;
  std::vector<WalTombstone> tombstones;
  std::vector<WalMetadata> metadata;
  std::vector<WalExemplar> exemplars;
};
// Fills *out anew. DataLoss if the record is malformed; unknown types give an empty record.
absl::Status DecodeWalRecord(std::string_view record, WalRecord* out);

}  // namespace narthex::tsdb::blocks
