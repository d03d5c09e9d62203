// narthex check web-config FILE...: the file of --web.config.file.

#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "base/status_macros.h"
#include "base/web_config.h"
#include "cli/tool/check.h"
#include "cli/tool/tool_flags.h"

namespace narthex::cli {
namespace {

absl::Status CheckWebConfig(const std::string& file) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(file));
  return ParseWebConfig(text, std::filesystem::path(file).parent_path().string()).status();
}

}  // namespace

int RunCheckWebConfig(const std::vector<std::string>& args) {
  ToolFlags flags("check web-config [<flags>] <web-config-files>...");
  int64_t lookback_ms = 0;
  flags.AddDuration("query.lookback-delta", "Of no effect here.", &lookback_ms);
  std::vector<std::string> files;
  if (std::optional<int> status = flags.Parse(args, &files)) return *status;
  if (files.empty()) return UsageError("required argument 'web-config-files' not provided");
  if (std::optional<int> status = CheckExist(files)) return *status;
  bool ok = true;
  for (const std::string& file : files) {
    absl::Status status = CheckWebConfig(file);
    ok &= status.ok();
    std::fprintf(stderr, "%s %s%s\n", file.c_str(),
                 status.ok() ? "SUCCESS" : "FAILED: ", std::string(status.message()).c_str());
  }
  return ok ? 0 : 1;
}

}  // namespace narthex::cli
