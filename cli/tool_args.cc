#include "cli/tool_args.h"

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::cli {

ToolArgs& ToolArgs::Flag(std::string_view name, bool* out, char letter) {
  options_.push_back({std::string(name), letter, out, {}});
  return *this;
}

ToolArgs& ToolArgs::Text(std::string_view name, std::string* out) {
  options_.push_back({std::string(name), 0, nullptr, [out](const std::string& value) {
                        *out = value;
                        return absl::OkStatus();
                      }});
  return *this;
}

ToolArgs& ToolArgs::Int(std::string_view name, int64_t* out) {
  options_.push_back({std::string(name), 0, nullptr, [out](const std::string& value) {
                        if (absl::SimpleAtoi(value, out)) return absl::OkStatus();
                        return absl::InvalidArgumentError(
                            StrCat("strconv.ParseInt: parsing \"", value, "\": invalid syntax"));
                      }});
  return *this;
}

ToolArgs& ToolArgs::List(std::string_view name, std::vector<std::string>* out) {
  options_.push_back({std::string(name), 0, nullptr, [out](const std::string& value) {
                        out->push_back(value);
                        return absl::OkStatus();
                      }});
  return *this;
}

ToolArgs& ToolArgs::Positional(std::string_view name, std::string* out, bool required) {
  places_.push_back({std::string(name), out, required});
  return *this;
}

const ToolArgs::Option* ToolArgs::Find(std::string_view name) const {
  for (const Option& option : options_) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

absl::Status ToolArgs::Parse(const std::vector<std::string>& args) const {
  size_t place = 0;
  bool only_positional = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (only_positional || arg.size() < 2 || arg[0] != '-') {
      if (place == places_.size()) return absl::InvalidArgumentError(StrCat("unexpected ", arg));
      *places_[place++].out = arg;
      continue;
    }
    if (arg == "--") {
      only_positional = true;
      continue;
    }
    const bool is_long = arg[1] == '-';
    const size_t equals = is_long ? arg.find('=') : std::string::npos;
    const std::string name = is_long ? arg.substr(2, equals == std::string::npos ? equals : equals - 2) : "";
    const Option* option = nullptr;
    bool value = true;
    if (is_long) {
      option = Find(name);
      if (option == nullptr && name.starts_with("no-")) {
        option = Find(std::string_view(name).substr(3));
        value = false;
        if (option != nullptr && option->flag == nullptr) option = nullptr;
      }
    } else {
      for (const Option& o : options_)
        if (o.letter == arg[1] && arg.size() == 2) option = &o;
    }
    if (option == nullptr) {
      return absl::InvalidArgumentError(is_long ? StrCat("unknown long flag '--", name, "'")
                                                : StrCat("unknown short flag '", arg, "'"));
    }
    if (option->flag != nullptr) {
      if (equals != std::string::npos)
        return absl::InvalidArgumentError(StrCat("unexpected ", arg.substr(equals + 1)));
      *option->flag = value;
      continue;
    }
    if (equals == std::string::npos && i + 1 == args.size())
      return absl::InvalidArgumentError(StrCat("expected argument for flag '--", name, "'"));
    RETURN_IF_ERROR(option->set(equals == std::string::npos ? args[++i] : arg.substr(equals + 1)));
  }
  for (; place < places_.size(); ++place) {
    if (places_[place].required) {
      return absl::InvalidArgumentError(StrCat("required argument '", places_[place].name, "' not provided"));
    }
  }
  return absl::OkStatus();
}

}  // namespace narthex::cli
