#include "template/template.h"

#include "base/status_macros.h"
#include "base/strings.h"
#include "template/exec.h"
#include "template/parser.h"

namespace narthex::tmpl {
namespace {

// What alert texts may use without saying so.
constexpr std::string_view kPrelude =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}"
    "{{$value := .Value}}";

Value LabelMap(const std::vector<std::pair<std::string, std::string>>& labels) {
  Map out;
  for (const auto& [name, value] : labels) out[name] = Value::String(value);
  return Value::OfMap(Value::kLabels, std::move(out));
}

absl::StatusOr<TemplateSet> Parse(std::string_view text, std::string_view name, int max_depth) {
  return ParseTemplate(name, StrCat(kPrelude, text), max_depth, /*html=*/false);
}

absl::Status Named(const absl::Status& status, std::string_view doing, std::string_view name) {
  return absl::InvalidArgumentError(
      StrCat("error ", doing, " template ", name, ": ", std::string(status.message())));
}

}  // namespace

absl::StatusOr<std::string> ExpandAlertText(std::string_view text, const ExpandOptions& options) {
  absl::StatusOr<TemplateSet> set = Parse(text, options.name, options.max_depth);
  if (!set.ok()) return Named(set.status(), "parsing", options.name);
  Map fields;
  fields["Labels"] = LabelMap(options.labels);
  fields["ExternalLabels"] = LabelMap(options.external_labels);
  fields["ExternalURL"] = Value::String(options.external_url);
  fields["Value"] = Value::Float(options.value);
  absl::StatusOr<std::string> out =
      Execute(*set, Value::OfMap(Value::kStruct, std::move(fields)), options, ExecOptions());
  if (out.ok()) return out;
  return Named(out.status(), "executing", options.name);
}

absl::Status CheckAlertText(std::string_view text, std::string_view name) {
  return Parse(text, name, ExpandOptions().max_depth).status();
}

}  // namespace narthex::tmpl
