// narthex tsdb SUBCOMMAND: the tools on storage.
#include <cstdio>

#include "cli/commands.h"
#include "cli/tool/tsdb_tool.h"

namespace narthex::cli {
namespace {

int Dump(const std::vector<std::string>& args) { return TsdbDump(args, /*openmetrics=*/false); }
int DumpOpenMetrics(const std::vector<std::string>& args) { return TsdbDump(args, /*openmetrics=*/true); }

struct Subcommand {
  const char* name;
  const char* help;
  int (*run)(const std::vector<std::string>&);
};

constexpr Subcommand kSubcommands[] = {
    {"list", "list [-r] [DIR]                     the blocks of a data directory", TsdbList},
    {"analyze", "analyze [--limit=20] [--extended] [--match=SELECTOR] [DIR [BLOCK]]", TsdbAnalyze},
    {"dump", "dump [--min-time=MS] [--max-time=MS] [--match=SELECTOR]... [DIR]", Dump},
    {"dump-openmetrics", "dump-openmetrics [--min-time=MS] [--max-time=MS] [--match=SELECTOR]... [DIR]",
     DumpOpenMetrics},
    {"verify", "verify [DIR]                        read and check everything that is stored", TsdbVerify},
    {"import", "import [--storage.tsdb.path=DIR] PROMETHEUS_DIR    read a Prometheus data directory",
     TsdbImport},
    {"export-blocks",
     "export-blocks [--storage.tsdb.path=DIR] [--min-time=MS] [--max-time=MS] [--match=SELECTOR] OUTPUT",
     TsdbExport},
    {"create-blocks-from", "create-blocks-from openmetrics [-r] [-q] [--label=NAME=VALUE]... INPUT [DIR]",
     TsdbCreateBlocksFrom},
    {"bench", "bench write [--out=benchout] [--metrics=10000] [--scrapes=3000] [FILE]", TsdbBench},
};

}  // namespace

int RunTsdb(const std::vector<std::string>& args) {
  if (!args.empty()) {
    for (const Subcommand& s : kSubcommands)
      if (args[0] == s.name) return s.run({args.begin() + 1, args.end()});
  }
  const bool help = args.empty() || args[0] == "--help" || args[0] == "-h";
  if (!help) std::fprintf(stderr, "narthex: error: expected command but got \"%s\"\n", args[0].c_str());
  for (const Subcommand& s : kSubcommands) {
    std::fprintf(help ? stdout : stderr, "%s narthex tsdb %s\n", &s == kSubcommands ? "usage:" : "      ",
                 s.help);
  }
  return help ? 0 : 1;
}

}  // namespace narthex::cli
