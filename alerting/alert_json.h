// The body of POST /api/v2/alerts, as Prometheus sends it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "rules/rules.h"

namespace narthex::alerting {

// RFC 3339 in UTC, always with three decimals: "2020-01-01T00:00:00.000Z". 0 is Go's zero time.
std::string AlertTime(int64_t ms);

std::string EncodeAlerts(std::span<const rules::Notification> alerts);

}  // namespace narthex::alerting
