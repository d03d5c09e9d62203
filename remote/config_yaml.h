// The remote sections as /api/v1/status/config shows them: defaults filled in, secrets hidden.
#pragma once

#include <string>

#include "remote/remote.h"

namespace narthex::remote {

// A mapping without indentation. `section`: where the relabel rules are taken from as written.
std::string DumpRemoteWrite(const RemoteWriteConfig& config, const YamlNode& section);
std::string DumpRemoteRead(const RemoteReadConfig& config, int64_t chunked_limit);

}  // namespace narthex::remote
