// CONTRACT of remote: the remote-write receiver (1.0 here; 2.0, OTLP and senders are later work).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "tsdb/tsdb.h"

namespace narthex::remote {

struct WriteOutcome {
  int http_status = 204;  // 204; 400 for bad data or out-of-order samples; 415; 500
  std::string error;      // body for a non-2xx status
  int64_t samples = 0, histograms = 0, exemplars = 0;
};

// Decodes a snappy-compressed prometheus.WriteRequest and appends it. Samples that cannot be accepted (out of
// order, too old, duplicate with another value, bad labels) do not stop the others; they give 400 as
// upstream.
WriteOutcome HandleWrite(std::string_view body, std::string_view content_type,
                         std::string_view content_encoding, tsdb::Db* db, MetricsRegistry* metrics);

}  // namespace narthex::remote
