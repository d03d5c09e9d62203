// narthex tsdb list and verify: what a directory holds, and whether it checks.
#include <cstdio>

#include "base/duration.h"
#include "base/strings.h"
#include "cli/tool_args.h"
#include "cli/tsdb_tool.h"

namespace narthex::cli {
namespace {

std::string TimeText(int64_t ms, bool human) { return human ? GoTime(ms) : std::to_string(ms); }

std::vector<std::string> Row(const tsdb::BlockInfo& block, bool human) {
  const int64_t bytes = static_cast<int64_t>(block.bytes);
  return {BlockName(block),
          TimeText(block.mint, human),
          TimeText(block.maxt, human),
          GoDuration(block.maxt - block.mint),
          std::to_string(block.samples),
          std::to_string(block.chunks),
          std::to_string(block.series),
          human ? Base2Bytes(bytes) : std::to_string(bytes)};
}

}  // namespace

int TsdbList(const std::vector<std::string>& args) {
  std::string path = kDefaultDataPath;
  bool human = false;
  const absl::Status parsed =
      ToolArgs().Flag("human-readable", &human, 'r').Positional("db path", &path).Parse(args);
  if (!parsed.ok()) return ToolError(parsed);
  absl::StatusOr<std::unique_ptr<ToolStore>> store = ToolStore::Open(path, /*create=*/false);
  if (!store.ok()) return ToolError(store.status());
  absl::StatusOr<std::vector<tsdb::BlockInfo>> blocks = (*store)->db().Inspect({});
  if (!blocks.ok()) return ToolError(blocks.status());
  std::vector<std::vector<std::string>> rows = {
      {"BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION", "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE"}};
  for (const tsdb::BlockInfo& block : *blocks) rows.push_back(Row(block, human));
  std::fputs(Table(rows).c_str(), stdout);
  return 0;
}

int TsdbVerify(const std::vector<std::string>& args) {
  std::string path = kDefaultDataPath;
  const absl::Status parsed = ToolArgs().Positional("db path", &path).Parse(args);
  if (!parsed.ok()) return ToolError(parsed);
  absl::StatusOr<std::unique_ptr<ToolStore>> store = ToolStore::Open(path, /*create=*/false);
  if (!store.ok()) return ToolError(store.status());
  uint64_t problems = 0, samples = 0, chunks = 0;
  tsdb::InspectHooks hooks;
  hooks.problem = [&](const std::string& text) {
    ++problems;
    std::printf("  %s\n", text.c_str());
  };
  std::printf("Checking %s\n", path.c_str());
  absl::StatusOr<std::vector<tsdb::BlockInfo>> blocks = (*store)->db().Inspect(hooks);
  if (!blocks.ok()) return ToolError(blocks.status());
  for (const tsdb::BlockInfo& block : *blocks) {
    samples += block.samples;
    chunks += block.chunks;
  }
  const std::string found = StrCat(blocks->size(), " blocks, ", chunks, " chunks, ", samples, " samples");
  if (problems > 0) {
    std::printf("  FAILED: %llu problems; %s check\n", static_cast<unsigned long long>(problems),
                found.c_str());
    return 1;
  }
  std::printf("  SUCCESS: %s check\n", found.c_str());
  return 0;
}

}  // namespace narthex::cli
