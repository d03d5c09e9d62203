// CONTRACT of template: Go's text/template as alerting uses it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace narthex::tmpl {

// A sample as the `query` function returns it: label pairs and a value.
struct QuerySample {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

struct ExpandOptions {
  std::string name = "template";  // in error texts: "error executing template NAME: ..."
  std::vector<std::pair<std::string, std::string>> labels;           // $labels, .Labels
  double value = 0;                                                  // $value, .Value
  std::vector<std::pair<std::string, std::string>> external_labels;  // $externalLabels
  std::string external_url;                                          // $externalURL
  std::string path_prefix;
  int64_t now_ms = 0;
  std::function<absl::StatusOr<std::vector<QuerySample>>(const std::string& expr, int64_t t_ms)>
      query;  // may be null
  // Asked now and then: true ends the expansion with an error. May be null.
  std::function<bool()> expired;
  size_t max_output_bytes = 1 << 20;
  int max_depth = 100;
};

// Expands text written as an alert label or annotation: the $labels, $externalLabels, $externalURL, $value
// prelude is put before it. Errors in upstream's words.
absl::StatusOr<std::string> ExpandAlertText(std::string_view text, const ExpandOptions& options);
// Syntax and function names only, as done at load time; the prelude is defined.
absl::Status CheckAlertText(std::string_view text, std::string_view name);

}  // namespace narthex::tmpl
