// narthex tsdb create-blocks-from openmetrics: samples with timestamps of any age, from a file into the
// store.
#include <algorithm>
#include <cstdio>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/config.h"
#include "cli/tool/tool_flags.h"
#include "cli/tool/tsdb_tool.h"
#include "scraper/parser.h"

namespace narthex::cli {
namespace {

constexpr size_t kMaxBuffered = 4 << 20;  // samples

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

struct Series {
  tsdb::SeriesRef ref = 0;
  std::vector<FloatPoint> points;
};

// Collects the samples of a file by series and hands them to the store in pieces.
class Backfill {
 public:
  Backfill(tsdb::HistoryWriter* writer, const std::vector<std::pair<std::string, std::string>>& labels)
      : writer_(writer), extra_(labels) {}

  absl::Status Read(std::string_view text) {
    const std::unique_ptr<scraper::ExpositionParser> parser = scraper::NewOpenMetricsParser(text, {});
    while (true) {
      const absl::StatusOr<scraper::EntryKind> kind = parser->Next();
      if (!kind.ok())
        return absl::InvalidArgumentError(StrCat("next: ", std::string(kind.status().message())));
      if (*kind == scraper::EntryKind::kEnd) break;
      if (*kind != scraper::EntryKind::kSeries) continue;
      if (!parser->has_timestamp())
        return absl::InvalidArgumentError("expected timestamp for series got none");
      Series& series = SeriesOf(*parser);
      series.points.push_back({parser->timestamp(), parser->value()});
      mint = std::min(mint, parser->timestamp());
      maxt = std::max(maxt, parser->timestamp());
      ++samples;
      if (++buffered_ >= kMaxBuffered) RETURN_IF_ERROR(Flush());
    }
    RETURN_IF_ERROR(Flush());
    return writer_->Commit();
  }

  uint64_t samples = 0;
  int64_t mint = INT64_MAX, maxt = INT64_MIN;

 private:
  // Known by its text in the file, so that labels are built once a series.
  Series& SeriesOf(const scraper::ExpositionParser& parser) {
    const auto known = by_text_.find(parser.series());
    if (known != by_text_.end()) return *known->second;
    scraper::LabelPairs pairs;
    parser.BuildLabels(&pairs);
    LabelsBuilder builder(Labels::FromPairs(pairs));
    for (const auto& [name, value] : extra_) builder.Set(name, value);
    const Labels labels = builder.Build();
    Series& series = series_[labels];
    by_text_.emplace(parser.series(), &series);
    return series;
  }

  // In order of labels; of equal times the last of the file counts.
  absl::Status Flush() {
    std::vector<int64_t> t;
    std::vector<double> v;
    for (auto& [labels, series] : series_) {
      if (series.points.empty()) continue;
      std::stable_sort(series.points.begin(), series.points.end(),
                       [](const FloatPoint& a, const FloatPoint& b) { return a.t < b.t; });
      t.clear();
      v.clear();
      for (const FloatPoint& p : series.points) {
        if (!t.empty() && t.back() == p.t) {
          v.back() = p.v;
          continue;
        }
        t.push_back(p.t);
        v.push_back(p.v);
      }
      series.points.clear();
      RETURN_IF_ERROR(writer_->Add(&series.ref, labels, {t, v, {}, {}, {}}));
    }
    buffered_ = 0;
    return absl::OkStatus();
  }

  tsdb::HistoryWriter* const writer_;
  const std::vector<std::pair<std::string, std::string>>& extra_;
  std::map<Labels, Series> series_;
  absl::flat_hash_map<std::string_view, Series*> by_text_;  // keys point into the file
  size_t buffered_ = 0;
};

struct BackfillArgs {
  std::string input, path = kDefaultDataPath, max_duration;
  bool human = false, quiet = false;
  std::vector<std::string> label_texts;
  std::vector<std::pair<std::string, std::string>> labels;
};

absl::Status ReadLabels(BackfillArgs* args) {
  for (const std::string& text : args->label_texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos)
      return absl::InvalidArgumentError(StrCat("expected KEY=VALUE got '", text, "'"));
    args->labels.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return absl::OkStatus();
}

absl::Status Run(const BackfillArgs& args) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(args.input));
  ASSIGN_OR_RETURN(std::unique_ptr<ToolStore> store, ToolStore::Open(args.path, /*create=*/true));
  // The same file again, after an interruption say, replaces what it wrote.
  std::string name = absl::StrFormat("openmetrics-%d-%016x", text.size(), Fnv1a(text));
  for (const std::string& label : args.label_texts) StrAppend(&name, "-", label);
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::HistoryWriter> writer, store->db().NewHistoryWriter(name));
  Backfill backfill(writer.get(), args.labels);
  const absl::Status read = backfill.Read(text);
  if (!read.ok()) return absl::Status(read.code(), StrCat("block creation: ", std::string(read.message())));
  if (args.quiet || backfill.samples == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<tsdb::BlockInfo> blocks, store->db().Inspect({}));
  std::vector<tsdb::BlockInfo> touched;
  for (const tsdb::BlockInfo& b : blocks) {
    if (!b.head && b.mint <= backfill.maxt && b.maxt > backfill.mint) touched.push_back(b);
  }
  std::fputs(BlockTable(touched, args.human).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

int TsdbCreateBlocksFrom(const std::vector<std::string>& args) {
  if (args.empty() || args[0] != "openmetrics")
    return UsageError("expected 'openmetrics' after create-blocks-from");
  BackfillArgs backfill;
  ToolFlags flags("tsdb create-blocks-from openmetrics [<flags>] <input file> [<output directory>]");
  flags.Add("human-readable", "Print human readable values.", &backfill.human, 'r');
  flags.Add("quiet", "Do not print created blocks.", &backfill.quiet, 'q');
  flags.Add("label", "Label to attach to metrics: NAME=VALUE. Can be specified multiple times.",
            &backfill.label_texts);
  flags.Add("max-block-duration", "Taken and not used: windows have a fixed length.", &backfill.max_duration);
  std::vector<std::string> given;
  if (const auto status = flags.Parse({args.begin() + 1, args.end()}, &given)) return *status;
  if (const auto status =
          TakeArguments(given, {{"input file", &backfill.input, true}, {"output directory", &backfill.path}}))
    return *status;
  absl::Status done = ReadLabels(&backfill);
  if (!done.ok()) return UsageError(std::string(done.message()));
  done = Run(backfill);
  if (done.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(done.message()).c_str());
  return 1;
}

}  // namespace narthex::cli
