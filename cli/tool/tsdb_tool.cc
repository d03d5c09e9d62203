#include "cli/tool/tsdb_tool.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/strings.h"
#include "model/labels.h"

namespace narthex::cli {

ToolStore::ToolStore() : logger_(LogLevel::kWarn, LogFormat::kLogfmt, &SystemClock()) {}

absl::StatusOr<std::unique_ptr<ToolStore>> ToolStore::Open(const std::string& path, bool create) {
  std::error_code error;
  if (!create && !std::filesystem::exists(path + "/FORMAT", error)) {
    if (!std::filesystem::exists(path, error))
      return absl::NotFoundError(StrCat("stat ", path, ": no such file or directory"));
    return absl::InvalidArgumentError(
        StrCat(path, " holds no Narthex storage (there is no file FORMAT in it)"));
  }
  auto store = std::unique_ptr<ToolStore>(new ToolStore());
  tsdb::Options options;
  options.path = path;
  options.background_work = false;
  options.retention_ms = 0;
  options.clock = &SystemClock();
  options.logger = &store->logger_;
  options.metrics = &store->metrics_;
  absl::StatusOr<std::unique_ptr<tsdb::Db>> db = tsdb::Db::Open(options);
  if (!db.ok()) return db.status();
  store->db_ = std::move(*db);
  return store;
}

int ToolError(const absl::Status& status) {
  std::fflush(stdout);
  std::fprintf(stderr, "narthex: error: %s\n", std::string(status.message()).c_str());
  return 1;
}

std::string BlockName(const tsdb::BlockInfo& block) {
  if (block.head) return "head";
  constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string out(26, '0');
  uint64_t t = static_cast<uint64_t>(std::max<int64_t>(block.mint, 0));
  for (size_t i = 10; i-- > 0; t >>= 5) out[i] = kAlphabet[t & 31];
  uint64_t hours = static_cast<uint64_t>((block.maxt - block.mint) / 3600'000);
  for (size_t i = 26; i-- > 10; hours >>= 5) out[i] = kAlphabet[hours & 31];
  return out;
}

std::string GoTime(int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
  return text;
}

std::string Base2Bytes(int64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes == 0) return "0B";
  std::string out;
  for (const std::string_view unit : kUnits) {
    if (bytes % 1024 != 0) out = StrCat(bytes % 1024, unit, out);
    bytes /= 1024;
    if (bytes == 0) break;
  }
  return out;
}

std::string GoLabels(const Labels& labels) {
  std::string out = "{";
  for (const LabelView& label : labels) {
    if (out.size() > 1) out += ", ";
    out += IsLegacyLabelName(label.name) ? std::string(label.name) : GoQuote(label.name);
    out += '=';
    out += GoQuote(label.value);
  }
  return out + "}";
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 13);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + 2);
  }
  std::string out;
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - row[i].size(), ' ');
    }
    out += '\n';
  }
  return out;
}

std::string BlockTable(const std::vector<tsdb::BlockInfo>& blocks, bool human) {
  const auto time = [human](int64_t ms) { return human ? GoTime(ms) : std::to_string(ms); };
  std::vector<std::vector<std::string>> rows = {
      {"BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION", "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE"}};
  for (const tsdb::BlockInfo& b : blocks) {
    const int64_t bytes = static_cast<int64_t>(b.bytes);
    rows.push_back({BlockName(b), time(b.mint), time(b.maxt), GoDuration(b.maxt - b.mint),
                    std::to_string(b.samples), std::to_string(b.chunks), std::to_string(b.series),
                    human ? Base2Bytes(bytes) : std::to_string(bytes)});
  }
  return Table(rows);
}

}  // namespace narthex::cli
