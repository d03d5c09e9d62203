// narthex tsdb dump and dump-openmetrics: every sample as a line, as promtool writes them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "base/go_format.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/tool/tool_flags.h"
#include "cli/tool/tsdb_tool.h"
#include "promql/syntax/parser.h"

namespace narthex::cli {
namespace {

constexpr size_t kBlockSeries = 64;
constexpr const char* kAll = "{__name__=~'(?s:.*)'}";

struct DumpArgs {
  std::string path = kDefaultDataPath, sandbox, format = "prom";
  int64_t mint = std::numeric_limits<int64_t>::min(), maxt = std::numeric_limits<int64_t>::max();
  std::vector<std::string> match;
};

// Collects text and writes it in large pieces.
class Output {
 public:
  ~Output() { Flush(); }
  std::string& text() { return text_; }
  void MaybeFlush() {
    if (text_.size() > (1 << 16)) Flush();
  }

 private:
  void Flush() {
    std::fwrite(text_.data(), 1, text_.size(), stdout);
    text_.clear();
  }
  std::string text_;
};

// labels.Labels.String() without blanks and without the name, as OpenMetrics wants them.
std::string Condensed(const Labels& labels) {
  std::string out = "{";
  for (const LabelView& label : labels) {
    if (label.name == kMetricName) continue;
    if (out.size() > 1) out += ',';
    StrAppend(&out, label.name, "=", GoQuote(label.value));
  }
  return out + "}";
}

bool IsWhole(double v) { return v >= 0 && v < 9007199254740992.0 && v == std::floor(v); }

void AppendBucket(const HistogramBucket& b, std::string* out) {
  if (b.count == 0) return;
  StrAppend(out, ", ", b.lower_inclusive ? "[" : "(", FormatFloatG(b.lower), ",", FormatFloatG(b.upper),
            b.upper_inclusive ? "]" : ")", ":", FormatFloatF(b.count));
}

// As Go prints histograms. The store does not tell integer histograms from float ones; where all counts are
// whole it was an integer one, whose large counts have no exponent.
std::string HistogramText(const FloatHistogram& h) {
  std::vector<HistogramBucket> negative = h.NegativeBuckets();
  const std::vector<HistogramBucket> positive = h.PositiveBuckets();
  const auto whole = [](const HistogramBucket& b) { return IsWhole(b.count); };
  if (!IsWhole(h.count) || !IsWhole(h.zero_count) || !std::all_of(negative.begin(), negative.end(), whole) ||
      !std::all_of(positive.begin(), positive.end(), whole))
    return h.ToString();
  std::string out = StrCat("{count:", FormatFloatF(h.count), ", sum:", FormatFloatG(h.sum));
  std::reverse(negative.begin(), negative.end());
  for (const HistogramBucket& bucket : negative) AppendBucket(bucket, &out);
  AppendBucket({-h.zero_threshold, h.zero_threshold, true, true, h.zero_count, 0}, &out);
  for (const HistogramBucket& bucket : positive) AppendBucket(bucket, &out);
  return out + "}";
}

void DumpRow(const Labels& labels, const tsdb::Row& row, Output* out) {
  const std::string name = GoLabels(labels);
  size_t f = 0, h = 0;
  while (f < row.t.size() || h < row.h.size()) {
    const bool is_float = h == row.h.size() || (f < row.t.size() && row.t[f] <= row.h[h].t);
    const int64_t t = is_float ? row.t[f] : row.h[h].t;
    const std::string value = is_float ? FormatFloatG(row.v[f]) : HistogramText(*row.h[h].h);
    StrAppend(&out->text(), name, " ", value, " ", t, "\n");
    out->MaybeFlush();
    (is_float ? f : h)++;
  }
}

// OpenMetrics has neither native histograms nor staleness.
void DumpOpenMetricsRow(const Labels& labels, const tsdb::Row& row, Output* out) {
  const std::string name = StrCat(labels.MetricName(), Condensed(labels));
  for (size_t i = 0; i < row.t.size(); ++i) {
    if (IsStale(row.v[i])) continue;
    StrAppend(&out->text(), name, " ", FormatFloatG(row.v[i]), " ",
              FormatFloat(static_cast<double>(row.t[i]) / 1000, 'f', 3), "\n");
    out->MaybeFlush();
  }
}

// The labels alone.
void DumpSeriesRow(const Labels& labels, const tsdb::Row& row, Output* out) {
  if (row.t.empty() && row.h.empty()) return;
  JsonWriter json;
  json.BeginObject();
  for (const LabelView& label : labels) json.Key(label.name).String(label.value);
  json.EndObject();
  StrAppend(&out->text(), json.Take(), "\n");
  out->MaybeFlush();
}

using RowDump = void (*)(const Labels& labels, const tsdb::Row& row, Output* out);

// The series of one or several selectors, each once, in order of labels.
absl::Status Dump(const tsdb::Db& db, const DumpArgs& args, RowDump dump_row, std::string_view end) {
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, db.NewQuerier(args.mint, args.maxt));
  Output out;
  struct Place {
    size_t set, index;
  };
  std::vector<std::unique_ptr<tsdb::SeriesSet>> sets;
  std::map<Labels, Place> places;
  for (const std::string& text : args.match) {
    Matchers matchers;  // none = all series
    if (text != kAll) {
      ASSIGN_OR_RETURN(matchers, promql::ParseMetricSelector(text));
    }
    ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set,
                     querier->Select(matchers, args.mint, args.maxt, tsdb::SelectHints{}));
    if (args.match.size() > 1) {
      for (size_t i = 0; i < set->size(); ++i) places.try_emplace(set->labels(i), Place{sets.size(), i});
    }
    sets.push_back(std::move(set));
  }
  const auto print = [&](tsdb::SeriesSet* set, size_t first, size_t count) -> absl::Status {
    std::vector<tsdb::Row> rows;
    RETURN_IF_ERROR(set->ReadBlock(first, count, &rows));
    for (size_t i = 0; i < count; ++i) {
      dump_row(set->labels(first + i), rows[i], &out);
    }
    return absl::OkStatus();
  };
  if (sets.size() == 1) {
    for (size_t first = 0; first < sets[0]->size(); first += kBlockSeries) {
      RETURN_IF_ERROR(print(sets[0].get(), first, std::min(kBlockSeries, sets[0]->size() - first)));
    }
  }
  for (const auto& [labels, place] : places) RETURN_IF_ERROR(print(sets[place.set].get(), place.index, 1));
  out.text() += end;
  return absl::OkStatus();
}

}  // namespace

int TsdbDump(const std::vector<std::string>& args, bool openmetrics) {
  DumpArgs dump;
  ToolFlags flags(openmetrics ? "tsdb dump-openmetrics [<flags>] [<db path>]"
                              : "tsdb dump [<flags>] [<db path>]");
  flags.Add("sandbox-dir-root", "Taken and not used: nothing is written.", &dump.sandbox);
  flags.Add("min-time", "Minimum timestamp to dump, in milliseconds since the Unix epoch.", &dump.mint);
  flags.Add("max-time", "Maximum timestamp to dump, in milliseconds since the Unix epoch.", &dump.maxt);
  flags.Add("match", "Series selector. Can be specified multiple times.", &dump.match);
  flags.Add("format", "Output format of the dump: prom or seriesjson.", &dump.format);
  std::vector<std::string> given;
  if (const auto status = flags.Parse(args, &given)) return *status;
  if (const auto status = TakeArguments(given, {{"db path", &dump.path}})) return *status;
  if (dump.format != "prom" && dump.format != "seriesjson") {
    return UsageError("enum value must be one of prom,seriesjson, got '" + dump.format + "'");
  }
  if (dump.match.empty()) dump.match.push_back(kAll);
  absl::StatusOr<std::unique_ptr<ToolStore>> store = ToolStore::Open(dump.path, /*create=*/false);
  if (!store.ok()) return ToolError(store.status());
  const RowDump row = openmetrics                   ? DumpOpenMetricsRow
                      : dump.format == "seriesjson" ? DumpSeriesRow
                                                    : DumpRow;
  const absl::Status done = Dump((*store)->db(), dump, row, openmetrics ? "# EOF\n" : "");
  return done.ok() ? 0 : ToolError(done);
}

}  // namespace narthex::cli
