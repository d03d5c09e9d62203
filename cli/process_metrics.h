// process_* metrics, read from /proc at exposition time.
#pragma once

#include "base/metrics.h"

namespace narthex::cli {

void RegisterProcessMetrics(MetricsRegistry* registry, double start_time_seconds);

}  // namespace narthex::cli
