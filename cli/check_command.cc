// narthex check config|rules: promtool's words and exit codes.
#include <cstdio>
#include <iostream>
#include <iterator>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/config.h"

namespace narthex::cli {
namespace {

promql::ParserOptions AllFeatures() {
  promql::ParserOptions options;
  options.experimental_functions = true;
  options.extended_range_selectors = true;
  options.fill_modifiers = true;
  return options;
}

struct CheckOptions {
  bool syntax_only = false;
  bool ignore_unknown = false;
  std::vector<std::string> files;
};

// Splits flags from files; lint flags are taken and have no effect. False: an unknown flag was reported.
bool ReadOptions(const std::vector<std::string>& args, CheckOptions* options) {
  for (const std::string& arg : args) {
    if (arg == "--syntax-only") {
      options->syntax_only = true;
    } else if (arg == "--ignore-unknown-fields") {
      options->ignore_unknown = true;
    } else if (arg.starts_with("--lint") || arg == "--agent") {
      continue;
    } else if (arg.starts_with("-") && arg != "-") {
      std::fprintf(stderr, "narthex: error: unknown long flag '%s'\n", arg.c_str());
      return false;
    } else {
      options->files.push_back(arg);
    }
  }
  return true;
}

bool CheckRuleText(const std::string& file, std::string_view text, bool ignore_unknown) {
  absl::StatusOr<std::vector<rules::GroupSpec>> groups =
      rules::ParseRuleFile(file, text, AllFeatures(), ignore_unknown);
  if (!groups.ok()) {
    std::printf("  FAILED:\n");
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", std::string(groups.status().message()).c_str());
    return false;
  }
  size_t rules = 0;
  for (const rules::GroupSpec& group : *groups) rules += group.rules.size();
  std::printf("  SUCCESS: %zu rules found\n\n", rules);
  return true;
}

bool CheckRuleFile(const std::string& file, bool ignore_unknown) {
  std::printf("Checking %s\n", file.c_str());
  absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) {
    std::printf("  FAILED:\n");
    std::fprintf(stderr, "%s\n", std::string(text.status().message()).c_str());
    return false;
  }
  return CheckRuleText(file, *text, ignore_unknown);
}

bool CheckConfigFile(const std::string& file, const CheckOptions& options) {
  std::printf("Checking %s\n", file.c_str());
  absl::StatusOr<LoadedConfig> config = LoadConfig(file);
  if (!config.ok()) {
    std::printf("  FAILED: %s\n\n", std::string(config.status().message()).c_str());
    return false;
  }
  if (!config->rule_files.empty())
    std::printf("  SUCCESS: %zu rule files found\n", config->rule_files.size());
  std::printf(" SUCCESS: %s is valid prometheus config file syntax\n\n", file.c_str());
  bool ok = true;
  if (!options.syntax_only) {
    for (const std::string& rule_file : config->rule_files)
      ok &= CheckRuleFile(rule_file, options.ignore_unknown);
  }
  return ok;
}

}  // namespace

int RunCheck(const std::vector<std::string>& args) {
  if (args.empty() || (args[0] != "config" && args[0] != "rules")) {
    std::fprintf(
        stderr,
        "usage: narthex check config [--syntax-only] FILE...\n       narthex check rules [FILE...]\n");
    return 2;
  }
  CheckOptions options;
  if (!ReadOptions({args.begin() + 1, args.end()}, &options)) return 2;
  bool ok = true;
  if (args[0] == "rules" && options.files.empty()) {
    std::printf("Checking standard input\n");
    std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    return CheckRuleText("standard input", text, options.ignore_unknown) ? 0 : 1;
  }
  if (options.files.empty()) {
    std::fprintf(stderr, "narthex: error: required argument 'config-files' not provided\n");
    return 2;
  }
  for (const std::string& file : options.files) {
    ok &= args[0] == "config" ? CheckConfigFile(file, options) : CheckRuleFile(file, options.ignore_unknown);
  }
  return ok ? 0 : 1;
}

}  // namespace narthex::cli
