// Sections of the configuration that are checked here but used elsewhere, or not yet.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/yaml.h"

namespace narthex::cli {

// Each takes its section (not null) and answers Prometheus's error for what is wrong in it.
absl::Status CheckTracing(const YamlNode& section);
// The section with its defaults, two spaces in; fields that are off are left out.
std::string EffectiveOtlp(const YamlNode& section);

}  // namespace narthex::cli
