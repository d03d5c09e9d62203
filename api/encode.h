// Values as Prometheus's JSON codec writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_writer.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/promql.h"

namespace narthex::api {

// Text with <, > and & as \u003c and so on: Go's encoder does this everywhere but in labels and samples.
void WriteText(std::string_view text, JsonWriter* json);
// Seconds; a fraction has always three digits: 1435781430.700.
void WriteTimestamp(int64_t ms, JsonWriter* json);
// Quoted; an exponent below 1e-6 and from 1e21 on.
void WriteValue(double value, JsonWriter* json);
void WriteLabels(const Labels& labels, JsonWriter* json);
// {"count":"..","sum":"..","buckets":[[boundaries,"lower","upper","count"],...]}, empty buckets left out.
void WriteHistogram(const FloatHistogram& histogram, JsonWriter* json);
void WritePoint(const FloatPoint& point, JsonWriter* json);
void WritePoint(const HistogramPoint& point, JsonWriter* json);
// The `stats` of a query with these times.
void WriteQueryStats(int64_t start_ms, int64_t step_ms, const promql::QueryStats& stats, JsonWriter* json);
// RFC 3339 text in quotes; 0 means never and is Go's zero time.
void WriteTime(int64_t ms, JsonWriter* json);

}  // namespace narthex::api
