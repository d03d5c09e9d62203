// The words of PromQL's warnings and infos, as upstream says them. Where a metric name may be missing, an
// empty one leaves the sentence without it. The position is added by whoever shows them.
#pragma once

#include <string>
#include <string_view>

#include "promql/functions/call.h"
#include "promql/functions/quantile.h"

namespace narthex::promql {

// Warnings.
std::string InvalidQuantileText(double q);
std::string InvalidRatioText(double ratio, double capped);
std::string BadBucketLabelText(std::string_view metric, std::string_view le);
std::string MixedFloatsHistogramsText(std::string_view metric);
std::string MixedFloatsHistogramsAggText();
std::string MixedClassicNativeText(std::string_view metric);
std::string NotCounterHistogramText(std::string_view metric);
std::string NotGaugeHistogramText(std::string_view metric);
std::string MixedBucketSchemasText(std::string_view metric);
std::string IncompatibleBucketLayoutText(std::string_view binary_operator);
// `operation` is "addition", "subtraction" or "aggregation".
std::string ResetCollisionText(std::string_view operation);
std::string SortIneffectiveText();

// Infos.
// That a metric might not be a counter, by its type or its name; "" if it looks like one.
std::string NonCounterText(const Labels& labels, bool by_type);
std::string ForcedMonotonicityText(std::string_view metric);
std::string FallingBucketsText(const FallingBuckets& falling);  // what follows that
std::string IncompatibleTypesText(std::string_view left, std::string_view binary_operator,
                                  std::string_view right);
std::string HistogramIgnoredInAggregationText(std::string_view aggregation);
std::string HistogramIgnoredInMixedRangeText(std::string_view metric);
std::string CustomBucketsReconciledText(std::string_view operation);
std::string NanNoteText(NanNote note, std::string_view metric);  // "" for kNone

}  // namespace narthex::promql
