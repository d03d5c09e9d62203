// What this build says of itself. The values come from CMake.
#pragma once

namespace narthex::cli {

#ifndef NARTHEX_VERSION
#define NARTHEX_VERSION "0.0.0"
#endif
#ifndef NARTHEX_REVISION
#define NARTHEX_REVISION "unknown"
#endif

inline constexpr const char* kVersion = NARTHEX_VERSION;
inline constexpr const char* kRevision = NARTHEX_REVISION;
// What /api/v1/status/buildinfo answers as `version`: Grafana and scripts compare it with Prometheus's
// releases.
inline constexpr const char* kPrometheusVersion = "3.14.0";

}  // namespace narthex::cli
