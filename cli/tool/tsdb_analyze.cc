// narthex tsdb analyze: churn and cardinality of a block, as promtool prints them.
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "base/duration.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/tool/tool_flags.h"
#include "cli/tool/tsdb_tool.h"
#include "promql/syntax/parser.h"

namespace narthex::cli {
namespace {

constexpr size_t kBlockSeries = 64;

// What the chunks of the analyzed block look like.
struct ChunkSizes {
  std::vector<int64_t> float_samples, float_bytes, histogram_samples, histogram_bytes, histogram_buckets;
  int64_t total = 0;

  void Add(const tsdb::ChunkInfo& chunk) {
    ++total;
    (chunk.histogram ? histogram_samples : float_samples).push_back(chunk.samples);
    (chunk.histogram ? histogram_bytes : float_bytes).push_back(chunk.bytes);
    if (chunk.histogram) histogram_buckets.push_back(chunk.buckets);
  }
};

using Counts = std::map<std::string, uint64_t>;

struct Analysis {
  uint64_t series = 0, entries = 0;
  Counts names_uncovered, pairs_uncovered, pairs, metrics;
  std::map<std::string, std::set<std::string>> values;

  void Add(const Labels& labels, uint64_t uncovered) {
    ++series;
    for (const LabelView& label : labels) {
      const std::string pair = StrCat(label.name, "=", label.value);
      names_uncovered[std::string(label.name)] += uncovered;
      pairs_uncovered[pair] += uncovered;
      ++pairs[pair];
      ++entries;
      values[std::string(label.name)].insert(std::string(label.value));
    }
    if (labels.Has(kMetricName)) ++metrics[std::string(labels.MetricName())];
  }
};

// The biggest `limit` of them; equal ones in order of their names.
void PrintTop(const char* title, const Counts& counts, int64_t limit, uint64_t divisor = 1) {
  std::vector<std::pair<uint64_t, const std::string*>> order;
  for (const auto& [key, count] : counts) {
    order.emplace_back(divisor == 1
                           ? count
                           : static_cast<uint64_t>(static_cast<double>(count) / static_cast<double>(divisor)),
                       &key);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::printf("\n%s:\n", title);
  for (size_t i = 0; i < order.size() && static_cast<int64_t>(i) < limit; ++i) {
    std::printf("%llu %s\n", static_cast<unsigned long long>(order[i].first), order[i].second->c_str());
  }
}

int Digits(int64_t n) { return static_cast<int>(std::to_string(n).size()); }

void PrintDistribution(const char* what, std::vector<int64_t> values, int64_t total) {
  if (values.empty()) {
    std::printf("%s: N/A\n\n", what);
    return;
  }
  std::sort(values.begin(), values.end());
  int64_t step = 10;
  for (const int64_t s = (values.back() - values.front()) / 10; step < s && step <= 10000;) step *= 10;
  const int64_t start = values.front() - values.front() % step;
  const int64_t end = values.back() - values.back() % step + step;
  std::vector<int64_t> buckets(static_cast<size_t>((end - start) / step + 1));
  int64_t sum = 0;
  for (int64_t v : values) {
    sum += v;
    ++buckets[static_cast<size_t>((v - start) / step)];
  }
  std::printf("%s (min/avg/max): %lld/%lld/%lld\n", what, static_cast<long long>(values.front()),
              static_cast<long long>(sum / static_cast<int64_t>(values.size())),
              static_cast<long long>(values.back()));
  const int width = Digits(*std::max_element(buckets.begin(), buckets.end()));
  for (size_t i = 0; i < buckets.size(); ++i) {
    const int64_t low = static_cast<int64_t>(i) * step + start;
    std::printf("[%*lld, %*lld]: %*lld %s\n", Digits(end), static_cast<long long>(low + 1),
                Digits(end + step), static_cast<long long>(low + step), width,
                static_cast<long long>(buckets[i]),
                std::string(static_cast<size_t>(100 * buckets[i] / total), '#').c_str());
  }
  std::printf("\n");
}

absl::Status ReadSeries(const tsdb::Db& db, const tsdb::BlockInfo& block, const Matchers& matchers,
                        Analysis* out) {
  const int64_t maxt = block.maxt - 1;
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, db.NewQuerier(block.mint, maxt));
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set, querier->Select(matchers, block.mint, maxt, {}));
  std::vector<tsdb::Row> rows;
  for (size_t first = 0; first < set->size(); first += kBlockSeries) {
    RETURN_IF_ERROR(set->ReadBlock(first, std::min(kBlockSeries, set->size() - first), &rows));
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].t.empty() && rows[i].h.empty()) continue;
      int64_t from = INT64_MAX, to = INT64_MIN;
      if (!rows[i].t.empty()) from = rows[i].t.front(), to = rows[i].t.back();
      if (!rows[i].h.empty()) {
        from = std::min(from, rows[i].h.front().t);
        to = std::max(to, rows[i].h.back().t);
      }
      out->Add(set->labels(first + i), static_cast<uint64_t>((block.maxt - block.mint) - (to - from)));
    }
  }
  return absl::OkStatus();
}

struct AnalyzeArgs {
  std::string path = kDefaultDataPath, block, match;
  int64_t limit = 20;
  bool extended = false;
};

absl::Status Analyze(const tsdb::Db& db, const AnalyzeArgs& args) {
  Matchers matchers;
  if (!args.match.empty()) {
    ASSIGN_OR_RETURN(matchers, promql::ParseMetricSelector(args.match));
  }
  std::map<std::string, ChunkSizes> sizes;
  tsdb::InspectHooks hooks;
  if (args.extended) {
    hooks.chunk = [&](const tsdb::BlockInfo& block, const tsdb::ChunkInfo& chunk) {
      sizes[BlockName(block)].Add(chunk);
    };
  }
  ASSIGN_OR_RETURN(const std::vector<tsdb::BlockInfo> blocks, db.Inspect(hooks));
  const tsdb::BlockInfo* block = nullptr;
  for (const tsdb::BlockInfo& b : blocks) {
    if (args.block.empty() || BlockName(b) == args.block) block = &b;
  }
  if (block == nullptr)
    return absl::NotFoundError(args.block.empty() ? "no blocks found"
                                                  : StrCat("block ", args.block, " not found"));
  Analysis analysis;
  RETURN_IF_ERROR(ReadSeries(db, *block, matchers, &analysis));
  const uint64_t duration = static_cast<uint64_t>(block->maxt - block->mint);
  std::printf("Block ID: %s\nDuration: %s\nTotal Series: %llu\n", BlockName(*block).c_str(),
              GoDuration(block->maxt - block->mint).c_str(), static_cast<unsigned long long>(block->series));
  if (!args.match.empty()) std::printf("Matcher: %s\n", args.match.c_str());
  std::printf("Label names: %zu\n", analysis.values.size());
  if (!args.match.empty())
    std::printf("Matched series: %llu\n", static_cast<unsigned long long>(analysis.series));
  std::printf("Postings (unique label pairs): %zu\nPostings entries (total label pairs): %llu\n",
              analysis.pairs.size(), static_cast<unsigned long long>(analysis.entries));
  PrintTop("Label pairs most involved in churning", analysis.pairs_uncovered, args.limit, duration);
  PrintTop("Label names most involved in churning", analysis.names_uncovered, args.limit, duration);
  PrintTop("Most common label pairs", analysis.pairs, args.limit);
  Counts lengths, cardinality;
  for (const auto& [name, values] : analysis.values) {
    for (const std::string& value : values) lengths[name] += value.size();
    cardinality[name] = values.size();
  }
  PrintTop("Label names with highest cumulative label value length", lengths, args.limit);
  PrintTop("Highest cardinality labels", cardinality, args.limit);
  PrintTop("Highest cardinality metric names", analysis.metrics, args.limit);
  if (!args.extended) return absl::OkStatus();
  const ChunkSizes& s = sizes[BlockName(*block)];
  std::printf("\nCompaction analysis:\n\n");
  PrintDistribution("samples per float chunk", s.float_samples, s.total);
  PrintDistribution("bytes per float chunk", s.float_bytes, s.total);
  PrintDistribution("samples per histogram chunk", s.histogram_samples, s.total);
  PrintDistribution("bytes per histogram chunk", s.histogram_bytes, s.total);
  PrintDistribution("buckets per histogram chunk", s.histogram_buckets, s.total);
  return absl::OkStatus();
}

}  // namespace

int TsdbAnalyze(const std::vector<std::string>& args) {
  AnalyzeArgs analyze;
  ToolFlags flags("tsdb analyze [<flags>] [<db path>] [<block id>]");
  flags.Add("limit", "How many items to show in each list.", &analyze.limit);
  flags.Add("extended", "Run extended analysis.", &analyze.extended);
  flags.Add("match", "Series selector to analyze. Only 1 set of matchers is supported now.", &analyze.match);
  std::vector<std::string> given;
  if (const auto status = flags.Parse(args, &given)) return *status;
  if (const auto status = TakeArguments(given, {{"db path", &analyze.path}, {"block id", &analyze.block}}))
    return *status;
  absl::StatusOr<std::unique_ptr<ToolStore>> store = ToolStore::Open(analyze.path, /*create=*/false);
  if (!store.ok()) return ToolError(store.status());
  const absl::Status done = Analyze((*store)->db(), analyze);
  return done.ok() ? 0 : ToolError(done);
}

}  // namespace narthex::cli
