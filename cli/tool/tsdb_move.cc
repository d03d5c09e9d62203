// narthex tsdb import and export-blocks: from and to Prometheus's data directories.
#include <cstdio>
#include <filesystem>

#include "base/strings.h"
#include "cli/tool/tool_flags.h"
#include "cli/tool/tsdb_tool.h"
#include "promql/syntax/parser.h"
#include "tsdb/blocks/blocks.h"

namespace narthex::cli {
namespace {

struct Total {
  uint64_t blocks = 0, skipped = 0, samples = 0;
  void Add(const tsdb::blocks::Moved& m) {
    (m.skipped ? skipped : blocks) += 1;
    samples += m.samples;
  }
};

void PrintMoved(const tsdb::blocks::Moved& m, const char* verb) {
  if (m.skipped) {
    std::printf("%s: imported before\n", m.name.c_str());
  } else {
    const std::string exemplars = m.exemplars == 0 ? "" : StrCat(", ", m.exemplars, " exemplars");
    const std::string deleted = m.deleted == 0 ? "" : StrCat(", ", m.deleted, " deleted samples left out");
    std::printf("%s: %s %llu series, %llu samples from %s to %s%s%s\n", m.name.c_str(), verb,
                static_cast<unsigned long long>(m.series), static_cast<unsigned long long>(m.samples),
                GoTime(m.mint).c_str(), GoTime(m.maxt).c_str(), exemplars.c_str(), deleted.c_str());
  }
  std::fflush(stdout);
}

void PrintTotal(const Total& total, const char* verb, int64_t start_ns) {
  const double seconds = static_cast<double>(SystemClock().MonotonicNs() - start_ns) / 1e9;
  std::printf("%s %llu samples of %llu blocks in %.1f s (%.2f million a second)\n", verb,
              static_cast<unsigned long long>(total.samples), static_cast<unsigned long long>(total.blocks),
              seconds, seconds > 0 ? static_cast<double>(total.samples) / seconds / 1e6 : 0.0);
}

}  // namespace

int TsdbImport(const std::vector<std::string>& args) {
  std::string source, path = kDefaultDataPath;
  ToolFlags flags("tsdb import [<flags>] <prometheus data directory>");
  flags.Add("storage.tsdb.path", "Narthex's data directory (default is data/).", &path);
  std::vector<std::string> given;
  if (const auto status = flags.Parse(args, &given)) return *status;
  if (const auto status = TakeArguments(given, {{"prometheus data directory", &source, true}}))
    return *status;
  std::error_code error;
  if (std::filesystem::exists(source + "/lock", error)) {
    std::fprintf(
        stderr,
        "note: %s/lock exists; stop Prometheus before the import, or its newest samples are missing\n",
        source.c_str());
  }
  const int64_t start_ns = SystemClock().MonotonicNs();
  absl::StatusOr<std::unique_ptr<ToolStore>> store = ToolStore::Open(path, /*create=*/true);
  if (!store.ok()) return ToolError(store.status());
  Total total;
  tsdb::blocks::ImportOptions options;
  options.block_done = [&](const tsdb::blocks::Moved& m) {
    total.Add(m);
    PrintMoved(m, "imported");
  };
  options.warn = [](const std::string& text) { std::fprintf(stderr, "warning: %s\n", text.c_str()); };
  const absl::Status done = tsdb::blocks::Import(&(*store)->db(), source, options).status();
  if (!done.ok()) return ToolError(done);
  PrintTotal(total, "imported", start_ns);
  return 0;
}

int TsdbExport(const std::vector<std::string>& args) {
  std::string target, path = kDefaultDataPath, match;
  tsdb::blocks::ExportOptions options;
  ToolFlags flags("tsdb export-blocks [<flags>] <output directory>");
  flags.Add("storage.tsdb.path", "Narthex's data directory (default is data/).", &path);
  flags.Add("min-time", "Minimum timestamp to write, in milliseconds since the Unix epoch.", &options.mint);
  flags.Add("max-time", "Maximum timestamp to write, in milliseconds since the Unix epoch.", &options.maxt);
  flags.Add("match", "Series selector.", &match);
  std::vector<std::string> given;
  if (const auto status = flags.Parse(args, &given)) return *status;
  if (const auto status = TakeArguments(given, {{"output directory", &target, true}})) return *status;
  if (!match.empty()) {
    absl::StatusOr<Matchers> matchers = promql::ParseMetricSelector(match);
    if (!matchers.ok()) return ToolError(matchers.status());
    options.match = *std::move(matchers);
  }
  const int64_t start_ns = SystemClock().MonotonicNs();
  absl::StatusOr<std::unique_ptr<ToolStore>> store = ToolStore::Open(path, /*create=*/false);
  if (!store.ok()) return ToolError(store.status());
  std::error_code error;
  std::filesystem::create_directories(target, error);
  if (error) return ToolError(absl::InternalError(StrCat("create ", target, ": ", error.message())));
  Total total;
  options.clock = &SystemClock();
  options.block_done = [&](const tsdb::blocks::Moved& m) {
    total.Add(m);
    PrintMoved(m, "wrote");
  };
  const absl::Status done = tsdb::blocks::Export((*store)->db(), target, options).status();
  if (!done.ok()) return ToolError(done);
  PrintTotal(total, "wrote", start_ns);
  return 0;
}

}  // namespace narthex::cli
