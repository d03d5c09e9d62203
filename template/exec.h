// Runs a parsed template.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "template/node.h"
#include "template/template.h"

namespace narthex::tmpl {

struct ExecOptions {
  bool missing_key_is_error = false;  // else "<no value>", and "" for label maps
  bool escape_html = false;
};

// Errors are Go's: `template: NAME:1:3: executing "NAME" at <.X>: ...`.
absl::StatusOr<std::string> Execute(const TemplateSet& set, const Value& dot, const ExpandOptions& options,
                                    const ExecOptions& exec);

}  // namespace narthex::tmpl
