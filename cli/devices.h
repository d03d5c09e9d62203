// The device that queries may use, as the flags ask for it.
#pragma once

#include <memory>

#include "cli/flags.h"
#include "promql/devices.h"

namespace narthex::cli {

// Never null; without a device the log has a line with the reason.
std::unique_ptr<promql::Devices> OpenDevices(const ServeFlags& flags, const Clock* clock,
                                             const Logger* logger, MetricsRegistry* metrics);

}  // namespace narthex::cli
