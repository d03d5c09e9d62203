// What the `narthex tsdb` tools share: opening a directory, and text as promtool prints it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tsdb/tsdb.h"

namespace narthex::cli {

inline constexpr const char* kDefaultDataPath = "data/";

// A store opened by a tool: no background work, nothing is deleted for its age. Not thread-safe.
class ToolStore {
 public:
  // With `create`, a directory that is not there is made; otherwise it must hold a store.
  static absl::StatusOr<std::unique_ptr<ToolStore>> Open(const std::string& path, bool create);
  tsdb::Db& db() { return *db_; }
  const Logger& logger() const { return logger_; }

 private:
  ToolStore();
  Logger logger_;
  MetricsRegistry metrics_;
  std::unique_ptr<tsdb::Db> db_;
};

// Prints "narthex: error: ..." and returns 1.
int ToolError(const absl::Status& status);

// A block's name: a ULID whose time is the block's start and whose other part is its hours.
std::string BlockName(const tsdb::BlockInfo& block);

std::string GoTime(int64_t ms);              // time.Time in UTC: 2023-11-14 22:13:20 +0000 UTC
std::string Base2Bytes(int64_t bytes);       // 6KiB152B
std::string GoLabels(const Labels& labels);  // {__name__="up", job="x"}
// Columns as Go's tabwriter aligns them: at least 13 wide, two spaces between.
std::string Table(const std::vector<std::vector<std::string>>& rows);
// What `tsdb list` prints.
std::string BlockTable(const std::vector<tsdb::BlockInfo>& blocks, bool human);

// Each takes the arguments after the subcommand's name and returns the exit status.
int TsdbList(const std::vector<std::string>& args);
int TsdbVerify(const std::vector<std::string>& args);
int TsdbAnalyze(const std::vector<std::string>& args);
int TsdbDump(const std::vector<std::string>& args, bool openmetrics);
int TsdbImport(const std::vector<std::string>& args);
int TsdbExport(const std::vector<std::string>& args);
int TsdbCreateBlocksFrom(const std::vector<std::string>& args);
int TsdbBench(const std::vector<std::string>& args);

}  // namespace narthex::cli
