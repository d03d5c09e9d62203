// Template text to syntax tree. Errors are Go's: "template: NAME:1: unclosed action".
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "template/node.h"

namespace narthex::tmpl {

absl::StatusOr<TemplateSet> ParseTemplate(std::string_view name, std::string_view text, int max_depth);

}  // namespace narthex::tmpl
