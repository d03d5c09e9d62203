// OTLP names to Prometheus names: the translation strategies of the `otlp` section.
#pragma once

#include <string>
#include <string_view>

#include "remote/remote.h"

namespace narthex::remote {

enum class OtlpKind { kOther, kMonotonicCounter, kGauge };

// The metric's name with unit and type suffixes as the strategy wants them; "" if nothing is left.
std::string OtlpMetricName(const OtlpConfig& config, std::string_view name, std::string_view unit,
                           OtlpKind kind);
// The name of a label made from an attribute; "" if nothing is left.
std::string OtlpLabelName(const OtlpConfig& config, std::string_view attribute);
// "By/s" to "bytes_per_second": what Prometheus shows as a metric's unit.
std::string OtlpUnit(std::string_view unit);

}  // namespace narthex::remote
