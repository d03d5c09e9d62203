// Native histograms: one by one (journal, head) and as chunks, column by column (stripes).
#pragma once

#include <string>
#include <vector>

#include "model/histogram.h"
#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

void PutHistogram(std::string* out, const FloatHistogram& h);
HistogramPtr ReadHistogram(ByteReader* in);  // nullptr if malformed

// Runs of histograms with the same layout; in a run each number is an NX chunk.
void PutHistogramChunk(std::string* out, const std::vector<HistogramPtr>& histograms);
bool ReadHistogramChunk(ByteReader* in, size_t n, std::vector<HistogramPtr>* out);

}  // namespace narthex::tsdb
