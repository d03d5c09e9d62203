// narthex tsdb bench write: scrapes of many series written as fast as they can be.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_split.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/tool/tool_flags.h"
#include "cli/tool/tsdb_tool.h"

namespace narthex::cli {
namespace {

constexpr int64_t kStepMs = 30'000;
constexpr size_t kShardSeries = 1000;  // of one target
constexpr int64_t kRoundsAtOnce = 100;

// Lines of {"name":"value",...}, as promtool reads them; without a file, made up.
absl::StatusOr<std::vector<Labels>> ReadSeries(const std::string& file, int64_t count) {
  std::vector<Labels> out;
  std::set<Labels> seen;
  if (file.empty()) {
    for (int64_t i = 0; i < count; ++i) {
      out.push_back(Labels({{"__name__", StrCat("bench_metric_", i % 100)},
                            {"instance", StrCat("host-", i / static_cast<int64_t>(kShardSeries), ":9100")},
                            {"job", "bench"},
                            {"number", std::to_string(i)}}));
    }
    return out;
  }
  std::ifstream in(file);
  if (!in) return absl::NotFoundError(StrCat("open ", file, ": no such file or directory"));
  for (std::string line; static_cast<int64_t>(out.size()) < count && std::getline(in, line);) {
    std::erase_if(line, [](char c) { return c == '"' || c == '{' || c == '}'; });
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& part : std::vector<std::string>(absl::StrSplit(line, ','))) {
      const size_t colon = part.find(':');
      if (colon == std::string::npos)
        return absl::InvalidArgumentError(StrCat(file, ": malformed series ", line));
      pairs.emplace_back(part.substr(0, colon), part.substr(colon + 1));
    }
    Labels labels = Labels::FromPairs(std::move(pairs));
    if (seen.insert(labels).second) out.push_back(std::move(labels));
  }
  return out;
}

// The series of one target and what they count.
struct Shard {
  std::unique_ptr<tsdb::GroupAppender> appender;
  std::vector<tsdb::Slot> slots;
  double value = 123456789;
};

absl::StatusOr<std::vector<Shard>> MakeShards(tsdb::Db* db, const std::vector<Labels>& series) {
  std::vector<Shard> out;
  for (size_t first = 0; first < series.size(); first += kShardSeries) {
    Shard& shard = out.emplace_back();
    ASSIGN_OR_RETURN(shard.appender, db->OpenGroup(Labels({{"shard", std::to_string(out.size())}})));
    for (size_t i = first; i < std::min(series.size(), first + kShardSeries); ++i) {
      ASSIGN_OR_RETURN(const tsdb::Slot slot, shard.appender->AddSeries(series[i]));
      shard.slots.push_back(slot);
    }
  }
  return out;
}

absl::StatusOr<uint64_t> Ingest(tsdb::Db* db, const std::vector<Labels>& series, int64_t scrapes) {
  ASSIGN_OR_RETURN(std::vector<Shard> shards, MakeShards(db, series));
  uint64_t samples = 0;
  for (int64_t first = 0; first < scrapes; first += kRoundsAtOnce) {
    for (Shard& shard : shards) {
      for (int64_t i = first; i < std::min(scrapes, first + kRoundsAtOnce); ++i) {
        shard.value += 1000;
        shard.appender->Begin((i + 1) * kStepMs);
        for (tsdb::Slot slot : shard.slots) shard.appender->Set(slot, shard.value);
        RETURN_IF_ERROR(shard.appender->Commit().status());
        samples += shard.slots.size();
      }
    }
    RETURN_IF_ERROR(db->Maintain(/*force_seal=*/false));
  }
  std::printf("ingestion completed\n");
  return samples;
}

// Says when a stage begins and ends; the destructor ends it.
class Stage {
 public:
  explicit Stage(const char* name) : name_(name), start_(SystemClock().MonotonicNs()) {
    std::printf(">> start stage=%s\n", name);
    std::fflush(stdout);
  }
  ~Stage() {
    std::printf(">> completed stage=%s duration=%s\n", name_, GoDuration(Ms()).c_str());
    std::fflush(stdout);
  }
  int64_t Ms() const { return (SystemClock().MonotonicNs() - start_) / 1'000'000; }

 private:
  const char* const name_;
  const int64_t start_;
};

struct BenchArgs {
  std::string out = "benchout", file;
  int64_t metrics = 10000, scrapes = 3000;
};

absl::Status Bench(const BenchArgs& args) {
  const std::string path = args.out + "/storage";
  std::error_code error;
  std::filesystem::remove_all(path, error);
  std::filesystem::create_directories(args.out, error);
  if (error) return absl::InternalError(StrCat("create ", args.out, ": ", error.message()));
  ASSIGN_OR_RETURN(std::unique_ptr<ToolStore> store, ToolStore::Open(path, /*create=*/true));
  std::vector<Labels> series;
  {
    Stage stage("readData");
    ASSIGN_OR_RETURN(series, ReadSeries(args.file, args.metrics));
  }
  uint64_t samples = 0;
  int64_t ms = 0;
  {
    Stage stage("ingestScrapes");
    ASSIGN_OR_RETURN(samples, Ingest(&store->db(), series, args.scrapes));
    ms = std::max<int64_t>(1, stage.Ms());
  }
  std::printf(" > total samples: %llu\n > samples/sec: %s\n", static_cast<unsigned long long>(samples),
              FormatFloatG(static_cast<double>(samples) * 1000 / static_cast<double>(ms)).c_str());
  Stage stage("stopStorage");
  store.reset();
  return absl::OkStatus();
}

}  // namespace

int TsdbBench(const std::vector<std::string>& args) {
  if (args.empty() || args[0] != "write") return UsageError("expected 'write' after bench");
  BenchArgs bench;
  ToolFlags flags("tsdb bench write [<flags>] [<file>]");
  flags.Add("out", "Set the output path; what is in its folder storage is removed.", &bench.out);
  flags.Add("metrics", "Number of metrics to read.", &bench.metrics);
  flags.Add("scrapes", "Number of scrapes to simulate.", &bench.scrapes);
  std::vector<std::string> given;
  if (const auto status = flags.Parse({args.begin() + 1, args.end()}, &given)) return *status;
  if (const auto status = TakeArguments(given, {{"file", &bench.file}})) return *status;
  const absl::Status done = Bench(bench);
  return done.ok() ? 0 : ToolError(done);
}

}  // namespace narthex::cli
