#include "cli/tool/tool_flags.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/duration.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::cli {

int UsageError(std::string_view message) {
  std::fprintf(stderr, "narthex: error: %.*s, try --help\n", static_cast<int>(message.size()),
               message.data());
  return 1;
}

std::optional<int> TakeArguments(const std::vector<std::string>& given,
                                 const std::vector<ToolArgument>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i < given.size())
      *arguments[i].out = given[i];
    else if (arguments[i].required)
      return UsageError(StrCat("required argument '", std::string(arguments[i].name), "' not provided"));
  }
  if (given.size() > arguments.size()) return UsageError(StrCat("unexpected ", given[arguments.size()]));
  return std::nullopt;
}

std::optional<int> CheckExist(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    std::error_code error;
    if (!std::filesystem::exists(file, error)) return UsageError(StrCat("path '", file, "' does not exist"));
  }
  return std::nullopt;
}

ToolFlags::ToolFlags(std::string usage) : usage_(std::move(usage)) {
  Add("experimental", "Enable experimental commands.", &experimental_);
  Add("enable-feature", "Comma separated feature names to enable.", &features_);
}

void ToolFlags::Add(std::string_view name, std::string_view help, bool* out, char letter) {
  Flag& flag = flags_.emplace_back(Flag{std::string(name), std::string(help), out});
  flag.letter = letter;
}
void ToolFlags::Add(std::string_view name, std::string_view help, int64_t* out) {
  flags_.emplace_back(Flag{std::string(name), std::string(help)}).number = out;
}
void ToolFlags::Add(std::string_view name, std::string_view help, std::string* out) {
  flags_.push_back({std::string(name), std::string(help), nullptr, out});
}
void ToolFlags::Add(std::string_view name, std::string_view help, std::vector<std::string>* out) {
  flags_.push_back({std::string(name), std::string(help), nullptr, nullptr, out});
}
void ToolFlags::AddDuration(std::string_view name, std::string_view help, int64_t* out_ms) {
  flags_.push_back({std::string(name), std::string(help), nullptr, nullptr, nullptr, out_ms});
}

absl::Status ToolFlags::SetValue(const Flag& flag, std::string_view value) {
  if (flag.text != nullptr) *flag.text = std::string(value);
  if (flag.list != nullptr) flag.list->emplace_back(value);
  if (flag.number != nullptr && !absl::SimpleAtoi(ToAbsl(value), flag.number)) {
    return absl::InvalidArgumentError(StrCat("strconv.ParseInt: parsing \"", value, "\": invalid syntax"));
  }
  if (flag.duration_ms == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(*flag.duration_ms, ParseDurationMs(value));
  return absl::OkStatus();
}

absl::Status ToolFlags::ReadFlag(std::string_view arg, const std::vector<std::string>& args, size_t* at) {
  std::string_view name = arg.substr(2, arg.find('=') == arg.npos ? arg.npos : arg.find('=') - 2);
  auto named = [this](std::string_view wanted) {
    return std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.name == wanted; });
  };
  auto flag = named(name);
  const bool negated = flag == flags_.end() && name.starts_with("no-");
  if (negated) flag = named(name.substr(3));
  if (flag == flags_.end() || (negated && flag->flag == nullptr)) {
    return absl::InvalidArgumentError(StrCat("unknown long flag '--", name, "'"));
  }
  const bool has_value = name.size() + 2 < arg.size();
  if (flag->flag != nullptr) {
    if (has_value) return absl::InvalidArgumentError(StrCat("unexpected argument for flag '--", name, "'"));
    *flag->flag = !negated;
    return absl::OkStatus();
  }
  if (has_value) return SetValue(*flag, arg.substr(name.size() + 3));
  if (*at + 1 >= args.size()) {
    return absl::InvalidArgumentError(StrCat("expected argument for flag '--", name, "'"));
  }
  return SetValue(*flag, args[++*at]);
}

std::optional<int> ToolFlags::Parse(const std::vector<std::string>& args,
                                    std::vector<std::string>* positional) {
  bool flags_over = false;
  for (size_t i = 0; i < args.size(); ++i) {
    if (flags_over || args[i] == "-" || !args[i].starts_with("-")) {
      positional->push_back(args[i]);
    } else if (args[i] == "--") {
      flags_over = true;
    } else if (args[i] == "-h" || args[i] == "--help") {
      PrintHelp();
      return 0;
    } else if (const auto flag =
                   std::find_if(flags_.begin(), flags_.end(),
                                [&](const Flag& f) { return args[i].size() == 2 && f.letter == args[i][1]; });
               flag != flags_.end()) {
      *flag->flag = true;
    } else if (!args[i].starts_with("--")) {
      return UsageError(StrCat("unknown short flag '", args[i], "'"));
    } else if (absl::Status status = ReadFlag(args[i], args, &i); !status.ok()) {
      return UsageError(std::string(status.message()));
    }
  }
  return std::nullopt;
}

void ToolFlags::PrintHelp() const {
  std::printf("usage: narthex %s\n\nFlags:\n", usage_.c_str());
  for (const Flag& flag : flags_) {
    std::string form = StrCat(flag.flag != nullptr ? "--[no-]" : "--", flag.name,
                              flag.flag != nullptr   ? ""
                              : flag.list != nullptr ? "=... ..."
                                                     : "=...");
    std::printf("  %-28s %s\n", form.c_str(), flag.help.c_str());
  }
}

bool ToolFlags::Feature(std::string_view name) const {
  for (const std::string& list : features_) {
    for (absl::string_view one : absl::StrSplit(list, ',')) {
      if (one == ToAbsl(name)) return true;
    }
  }
  return false;
}

promql::ParserOptions ToolFlags::ParserOptions() const {
  promql::ParserOptions options;
  options.experimental_functions = Feature("promql-experimental-functions");
  options.extended_range_selectors = Feature("promql-extended-range-selectors");
  options.fill_modifiers = Feature("promql-binop-fill-modifiers");
  return options;
}

bool ToolFlags::delayed_name_removal() const { return Feature("promql-delayed-name-removal"); }

}  // namespace narthex::cli
