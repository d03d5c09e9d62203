#include "cli/cli.h"

#include <cstddef>
#include <cstdio>

#include "cli/commands.h"
#include "cli/version.h"

namespace narthex::cli {
namespace {

struct Command {
  const char* name;
  const char* help;
  int (*run)(const std::vector<std::string>&);
};

constexpr Command kCommands[] = {
    {"check", "check config|rules|metrics|web-config|service-discovery|healthy|ready ...", RunCheck},
    {"query", "query instant SERVER|DIR EXPR | query range SERVER|DIR EXPR", RunQuery},
    {"test", "test rules FILE... | test promql FILE...", RunTest},
    {"promql", "promql format EXPR", RunPromql},
    {"tsdb", "tsdb list|analyze|dump|dump-openmetrics|verify ... (narthex tsdb --help)", RunTsdb},
};

void PrintUsage() {
  std::printf("narthex %s: a Prometheus for small boxes\n\n", kVersion);
  std::printf(
      "usage: narthex [Prometheus's flags]        run the server (`narthex --help-flags` lists them)\n");
  for (const Command& command : kCommands) std::printf("       narthex %s\n", command.help);
}

// promtool's global flags may stand before the command: --enable-feature=x check rules. They move behind it;
// without a command they are the server's.
std::vector<std::string> FlagsBehindCommand(const std::vector<std::string>& args) {
  size_t at = 0;
  while (at < args.size() && (args[at] == "--experimental" || args[at].starts_with("--enable-feature"))) {
    at += args[at] == "--enable-feature" ? 2 : 1;
  }
  if (at == 0 || at >= args.size() || args[at].starts_with("-")) return args;
  std::vector<std::string> out(args.begin() + static_cast<ptrdiff_t>(at), args.end());
  out.insert(out.end(), args.begin(), args.begin() + static_cast<ptrdiff_t>(at));
  return out;
}

}  // namespace

int Main(const std::vector<std::string>& given) {
  const std::vector<std::string> args = FlagsBehindCommand(given);
  if (args.empty() || args[0].starts_with("-")) {
    if (!args.empty() && (args[0] == "--help" || args[0] == "-h")) {
      PrintUsage();
      return 0;
    }
    if (!args.empty() && args[0] == "--version") {
      std::printf("narthex, version %s (revision: %s)\n", kVersion, kRevision);
      return 0;
    }
    return RunServe(args);
  }
  for (const Command& command : kCommands) {
    if (args[0] == command.name) return command.run({args.begin() + 1, args.end()});
  }
  if (args[0] == "help") {
    PrintUsage();
    return 0;
  }
  std::fprintf(stderr, "narthex: error: unexpected %s, try --help\n", args[0].c_str());
  return 2;
}

}  // namespace narthex::cli
