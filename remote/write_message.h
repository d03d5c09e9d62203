// Requests of remote write 1.0, read where they lie: senders repeat all labels with every sample, and copying
// them costs more than storing the samples.
#pragma once

#include <string_view>

#include "remote/series_writer.h"

namespace narthex::remote {

// Whether the bytes are a WriteRequest of prompb.proto, with all that is in it.
bool IsWriteRequest(std::string_view message);
// Stores what is in it, and finishes the writer. Only for what IsWriteRequest() has found good.
void WriteAll(std::string_view message, SeriesWriter* writer);

// "counter" and so on, for the numbers that both versions use; "unknown" for others.
const char* MetricTypeName(int type);

}  // namespace narthex::remote
