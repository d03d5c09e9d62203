// Requests of remote write 1.0, read where they lie: senders repeat all labels with every sample, and copying
// them costs more than storing the samples.
#pragma once

#include <string_view>

#include "remote/series_writer.h"

namespace narthex::remote {

// Stores what is in a WriteRequest of prompb.proto, and finishes the writer. False: the bytes are none, and
// nothing was stored. Labels that have been read before are known by the hash of their bytes.
bool WriteAll(std::string_view message, SeriesWriter* writer);

// "counter" and so on, for the numbers that both versions use; "unknown" for others.
const char* MetricTypeName(int type);

}  // namespace narthex::remote
