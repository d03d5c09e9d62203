// Template text to syntax tree. Errors are Go's: "template: NAME:1: unclosed action".
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "template/node.h"

namespace narthex::tmpl {

// `html`: the template is for a page; only there is the function `tmpl`.
absl::StatusOr<TemplateSet> ParseTemplate(std::string_view name, std::string_view text, int max_depth,
                                          bool html = true);

}  // namespace narthex::tmpl
