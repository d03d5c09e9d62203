// Arguments of the tools as promtool takes them: --name=value, --name value, --flag, --no-flag, positional.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace narthex::cli {

// Say what there is, then Parse. Names are given without dashes; a `letter` is the short form, 0 = none. The
// targets must outlive Parse. Not thread-safe.
class ToolArgs {
 public:
  ToolArgs& Flag(std::string_view name, bool* out, char letter = 0);
  ToolArgs& Text(std::string_view name, std::string* out);
  ToolArgs& Int(std::string_view name, int64_t* out);
  ToolArgs& List(std::string_view name, std::vector<std::string>* out);
  ToolArgs& Positional(std::string_view name, std::string* out, bool required = false);

  // InvalidArgument in promtool's words ("unknown long flag '--x'", "required argument 'x' not provided").
  absl::Status Parse(const std::vector<std::string>& args) const;

 private:
  struct Option {
    std::string name;
    char letter = 0;
    bool* flag = nullptr;
    std::function<absl::Status(const std::string&)> set;
  };
  struct Place {
    std::string name;
    std::string* out;
    bool required;
  };
  const Option* Find(std::string_view name) const;
  std::vector<Option> options_;
  std::vector<Place> places_;
};

}  // namespace narthex::cli
