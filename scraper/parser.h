// Reading what targets expose: one entry at a time, without copying, in the text formats and protobuf.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/strings.h"
#include "model/histogram.h"
#include "scraper/page_text.h"

namespace narthex::scraper {

enum class EntryKind { kEnd, kHelp, kType, kUnit, kComment, kSeries, kHistogram };

using LabelPairs = std::vector<std::pair<std::string, std::string>>;

struct ParsedExemplar {
  LabelPairs labels;
  double value = 0;
  int64_t t = 0;
  bool has_t = false;
};

struct ParserOptions {
  bool skip_created = false;          // OpenMetrics _created lines become start timestamps instead of series
  bool type_and_unit_labels = false;  // add __type__ and __unit__
  bool native_histograms = true;      // protobuf: off = histograms are read as classic ones only
  bool keep_classic = false;          // classic series beside a native histogram too
};

// A cursor over one exposition. Views point into the body, which must outlive the parser. Not thread-safe;
// owner: one scrape.
class ExpositionParser {
 public:
  virtual ~ExpositionParser() = default;

  // Moves to the next entry. kEnd at the end of a complete exposition.
  virtual absl::StatusOr<EntryKind> Next() = 0;
  // If the next line is the series text `expected` (of an earlier, valid scrape) and a plain value, moves to
  // it. Otherwise the position stays. BuildLabels and StartTimestamp must not be called after it.
  virtual bool TrySeries(PageText expected) { return false; }
  // If the next lines are `expected` (metadata of an earlier, valid scrape, as Before() gave it), skips them.
  virtual bool TryMetadata(PageText expected) { return false; }
  // Makes metric() and type() those of the last metadata, skipped or not.
  virtual void CatchUp() {}
  // Where the parser is, and the lines between such a place and the series at hand; "" where there are none
  // to skip.
  virtual size_t Position() const { return 0; }
  virtual std::string_view Before(size_t position) const { return {}; }
  // Milliseconds, 0 = none; only after Next() returned kSeries or kHistogram.
  virtual int64_t StartTimestamp() { return 0; }

  // Series and histogram entries. series() tells series of one target apart; in the text formats it is the
  // text as written.
  std::string_view series() const { return series_; }
  double value() const { return value_; }
  bool has_timestamp() const { return has_ts_; }
  int64_t timestamp() const { return ts_; }
  bool has_exemplar() const { return has_exemplar_; }
  // REQUIRES: has_exemplar(). All of the entry: a native histogram may have several.
  virtual std::vector<ParsedExemplar> Exemplars() const = 0;
  virtual HistogramPtr Histogram() const { return nullptr; }
  // Labels as written, __name__ first, empty values included; `le` and `quantile` in their 1.0 form.
  virtual void BuildLabels(LabelPairs* out) const = 0;

  // Metadata entries.
  std::string_view metric() const { return metric_; }
  virtual std::string help() const = 0;            // unescaped
  std::string_view text() const { return text_; }  // unit or comment
  std::string_view type() const { return type_; }

 protected:
  std::string_view series_, metric_, text_;
  std::string_view type_ = "unknown";
  double value_ = 0;
  int64_t ts_ = 0;
  bool has_ts_ = false, has_exemplar_ = false;
};

// Prometheus text 0.0.4 and 1.0.0. Appends a newline to *body, as the grammar wants one.
std::unique_ptr<ExpositionParser> NewTextParser(std::string* body, ParserOptions options);
std::unique_ptr<ExpositionParser> NewOpenMetricsParser(std::string_view body, ParserOptions options);
// Length-delimited io.prometheus.client.MetricFamily messages.
std::unique_ptr<ExpositionParser> NewProtobufParser(std::string_view body, ParserOptions options);
// Classic histograms of `inner` as native ones with custom buckets; the classic series too with keep_classic.
std::unique_ptr<ExpositionParser> NewHistogramConverter(std::unique_ptr<ExpositionParser> inner,
                                                        ParserOptions options);

// The labels of one family's series that its metadata gives (--enable-feature=type-and-unit-labels).
bool InMetricFamily(std::string_view name, std::string_view family, std::string_view type);
// A bucket or quantile bound in the one spelling under which all formats meet: "1" is "1.0".
std::string FormatBound(double bound);
// A float as the formats allow it; errors are Go's ("strconv.ParseFloat: parsing \"x\": invalid syntax").
absl::StatusOr<double> ParseExpositionFloat(std::string_view text);

enum class Format { kText, kOpenMetrics, kProtobuf };
// Which format a Content-Type means. With a fallback protocol a bad header is a warning only; without, an
// error.
struct FormatChoice {
  Format format = Format::kText;
  std::string warning;
};
absl::StatusOr<FormatChoice> ChooseFormat(std::string_view content_type, std::string_view fallback_protocol);

}  // namespace narthex::scraper
