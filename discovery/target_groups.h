// Target groups in text, whatever brought it: a file, an HTTP answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "discovery/discovery.h"

namespace narthex::discovery {

// A list of {targets: [...], labels: {...}}, YAML or JSON. `source` stands before errors and in
// TargetGroup::source.
absl::StatusOr<std::vector<TargetGroup>> ParseTargetGroups(const std::string& source, std::string_view text);

}  // namespace narthex::discovery
