// narthex tsdb list and verify: what a directory holds, and whether it checks.
#include <cstdio>

#include "base/duration.h"
#include "base/strings.h"
#include "cli/tool/tool_flags.h"
#include "cli/tool/tsdb_tool.h"

namespace narthex::cli {
int TsdbList(const std::vector<std::string>& args) {
  std::string path = kDefaultDataPath;
  bool human = false;
  ToolFlags flags("tsdb list [<flags>] [<db path>]");
  flags.Add("human-readable", "Print human readable values.", &human, 'r');
  std::vector<std::string> given;
  if (const auto status = flags.Parse(args, &given)) return *status;
  if (const auto status = TakeArguments(given, {{"db path", &path}})) return *status;
  absl::StatusOr<std::unique_ptr<ToolStore>> store = ToolStore::Open(path, /*create=*/false);
  if (!store.ok()) return ToolError(store.status());
  absl::StatusOr<std::vector<tsdb::BlockInfo>> blocks = (*store)->db().Inspect({});
  if (!blocks.ok()) return ToolError(blocks.status());
  std::fputs(BlockTable(*blocks, human).c_str(), stdout);
  return 0;
}

int TsdbVerify(const std::vector<std::string>& args) {
  std::string path = kDefaultDataPath;
  ToolFlags flags("tsdb verify [<db path>]");
  std::vector<std::string> given;
  if (const auto status = flags.Parse(args, &given)) return *status;
  if (const auto status = TakeArguments(given, {{"db path", &path}})) return *status;
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
