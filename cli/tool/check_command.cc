// narthex check: promtool's words and exit codes.
#include <cstdio>
#include <iostream>
#include <iterator>

#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/tool/check.h"
#include "cli/tool/check_config.h"
#include "cli/tool/check_rules.h"
#include "cli/tool/tool_flags.h"

namespace narthex::cli {
namespace {

struct Command {
  std::string_view name;
  int (*run)(const std::vector<std::string>&);
};
constexpr Command kCommands[] = {
    {"config", RunCheckConfig},        {"rules", RunCheckRules},
    {"metrics", RunCheckMetrics},      {"service-discovery", RunCheckServiceDiscovery},
    {"web-config", RunCheckWebConfig}, {"healthy", RunCheckHealthy},
    {"ready", RunCheckReady},
};

// --lint=a,b: which lints are on.
struct Lints {
  std::string list;
  bool fatal = false;
  bool Has(std::string_view name, bool in_all) const {
    bool on = false;
    for (absl::string_view one : absl::StrSplit(list, ',')) {
      if (one == "none") return false;
      on |= one == ToAbsl(name) || (in_all && one == "all");
    }
    return on;
  }
};

}  // namespace

int RunCheckConfig(const std::vector<std::string>& args) {
  ToolFlags flags("check config [<flags>] <config-files>...");
  Lints lints{"duplicate-rules"};
  ConfigCheck check;
  int64_t lookback_ms = 300'000;
  flags.Add("syntax-only", "Only check the config file syntax, ignoring file and content validation.",
            &check.syntax_only);
  flags.Add("lint", "Linting checks: all, duplicate-rules, none, too-long-scrape-interval.", &lints.list);
  flags.Add("lint-fatal", "Make lint errors exit with exit code 3.", &lints.fatal);
  flags.Add("ignore-unknown-fields", "Ignore unknown fields in the rule files.", &check.rules.ignore_unknown);
  flags.Add("agent", "Check config file for an agent.", &check.agent_mode);
  flags.AddDuration("query.lookback-delta", "The server's maximum query lookback duration.", &lookback_ms);
  std::vector<std::string> files;
  if (std::optional<int> status = flags.Parse(args, &files)) return *status;
  if (files.empty()) return UsageError("required argument 'config-files' not provided");
  if (std::optional<int> status = CheckExist(files)) return *status;
  check.rules.duplicate_rules = lints.Has("duplicate-rules", /*in_all=*/true);
  check.rules.parser = flags.ParserOptions();
  if (lints.Has("too-long-scrape-interval", /*in_all=*/true)) check.max_scrape_interval_ms = lookback_ms;
  return CheckConfigFiles(files, check).ExitStatus(lints.fatal);
}

int RunCheckRules(const std::vector<std::string>& args) {
  ToolFlags flags("check rules [<flags>] [<rule-files>...]");
  Lints lints{"duplicate-rules"};
  RuleCheck check;
  int64_t lookback_ms = 0;
  flags.Add("lint", "Linting checks: all, duplicate-rules, none.", &lints.list);
  flags.Add("lint-fatal", "Make lint errors exit with exit code 3.", &lints.fatal);
  flags.Add("ignore-unknown-fields", "Ignore unknown fields in the rule files.", &check.ignore_unknown);
  flags.AddDuration("query.lookback-delta", "Of no effect here.", &lookback_ms);
  std::vector<std::string> files;
  if (std::optional<int> status = flags.Parse(args, &files)) return *status;
  if (std::optional<int> status = CheckExist(files)) return *status;
  check.duplicate_rules = lints.Has("duplicate-rules", /*in_all=*/true);
  check.parser = flags.ParserOptions();
  if (!files.empty()) return CheckRuleFiles(files, check).ExitStatus(lints.fatal);
  std::printf("Checking standard input\n");
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  return CheckRuleText("standard input", text, check).ExitStatus(lints.fatal);
}

int RunCheck(const std::vector<std::string>& args) {
  // Flags may stand before the command: check --query.lookback-delta=5m config FILE.
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].starts_with("-")) {
      const bool has_value = args[i].find('=') != std::string::npos;
      if (!has_value && (args[i] == "--query.lookback-delta" || args[i] == "--enable-feature")) ++i;
      continue;
    }
    std::vector<std::string> rest(args.begin(), args.end());
    rest.erase(rest.begin() + static_cast<ptrdiff_t>(i));
    for (const Command& command : kCommands) {
      if (args[i] == command.name) return command.run(rest);
    }
    return UsageError(StrCat("expected command but got \"", args[i], "\""));
  }
  std::string names;
  for (const Command& command : kCommands) StrAppend(&names, names.empty() ? "" : "|", command.name);
  std::fprintf(stderr, "usage: narthex check %s\n", names.c_str());
  return UsageError("must select a subcommand of 'check'");
}

}  // namespace narthex::cli
