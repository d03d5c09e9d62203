// Reading what targets expose: one entry at a time, without copying, in the two text formats.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace narthex::scraper {

enum class EntryKind { kEnd, kHelp, kType, kUnit, kComment, kSeries };

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
};

// A cursor over one exposition. Views point into the body, which must outlive the parser. Not thread-safe;
// owner: one scrape.
class ExpositionParser {
 public:
  virtual ~ExpositionParser() = default;

  // Moves to the next entry. kEnd at the end of a complete exposition.
  virtual absl::StatusOr<EntryKind> Next() = 0;
  // If the next line is exactly `expected` (series text of an earlier, valid scrape) and a plain value, moves
  // to it. Otherwise the position stays. BuildLabels and StartTimestamp must not be called after it.
  virtual bool TrySeries(std::string_view expected) = 0;
  // Milliseconds, 0 = none; only after Next() returned kSeries.
  virtual int64_t StartTimestamp() { return 0; }

  // Series entries.
  std::string_view series() const { return series_; }
  double value() const { return value_; }
  bool has_timestamp() const { return has_ts_; }
  int64_t timestamp() const { return ts_; }
  bool has_exemplar() const { return has_exemplar_; }
  ParsedExemplar exemplar() const;
  // Labels as written, __name__ first, empty values included; `le` and `quantile` in their 1.0 form.
  void BuildLabels(LabelPairs* out) const;

  // Metadata entries.
  std::string_view metric() const { return Slice(name_); }
  std::string help() const;                        // unescaped
  std::string_view text() const { return text_; }  // unit or comment
  std::string_view type() const { return type_; }

 protected:
  struct Range {
    size_t begin = 0, end = 0;
  };
  enum class Token {
    kInvalid,
    kEof,
    kLinebreak,
    kWhitespace,
    kHelp,
    kType,
    kUnit,
    kEofWord,
    kText,
    kComment,
    kMetricName,
    kQuoted,
    kBraceOpen,
    kBraceClose,
    kLabelName,
    kLabelValue,
    kComma,
    kEqual,
    kTimestamp,
    kValue
  };
  static constexpr std::string_view TokenName(Token token) {
    constexpr std::string_view kNames[] = {"INVALID", "EOF",     "LINEBREAK", "WHITESPACE", "HELP",
                                           "TYPE",    "UNIT",    "EOFWORD",   "TEXT",       "COMMENT",
                                           "MNAME",   "QSTRING", "BOPEN",     "BCLOSE",     "LNAME",
                                           "LVALUE",  "COMMA",   "EQUAL",     "TIMESTAMP",  "VALUE"};
    return kNames[static_cast<int>(token)];
  }

  ExpositionParser(std::string_view body, ParserOptions options, bool openmetrics)
      : options_(options), b_(body), openmetrics_(openmetrics) {}

  std::string_view Slice(Range r) const { return b_.substr(r.begin, r.end - r.begin); }
  std::string_view TokenText() const { return b_.substr(token_start_, i_ - token_start_); }
  std::string_view EntryText() const { return b_.substr(entry_start_, i_ - entry_start_); }
  absl::Status ParseError(std::string_view expectation, Token got) const;
  absl::Status While(std::string_view error) const;  // "<error> while parsing: <entry so far>"
  void StartEntry();

  // Scanners: move i_ over the construct; false leaves i_ at the byte that does not fit.
  void ScanName(bool colon);
  bool ScanQuoted(bool newline_ok, bool nul_ok);
  // The inside of the braces. `labels` receives name and value ranges.
  using LabelRanges = absl::InlinedVector<std::pair<Range, Range>, 12>;
  absl::Status ParseLabelValues(LabelRanges* labels, bool exemplar);
  virtual Token NextToken() = 0;

  ParserOptions options_;
  std::string_view b_;
  size_t i_ = 0, token_start_ = 0, entry_start_ = 0;
  std::string_view series_, text_;
  std::string_view type_ = "unknown";
  std::string_view meta_type_ = "unknown", meta_name_, meta_unit_;  // of the family that TYPE named last
  Range name_;
  bool name_set_ = false;
  LabelRanges labels_, exemplar_labels_;
  double value_ = 0, exemplar_value_ = 0;
  int64_t ts_ = 0, exemplar_ts_ = 0;
  bool has_ts_ = false, has_exemplar_ = false, has_exemplar_ts_ = false;
  const bool openmetrics_;
};

// Prometheus text 0.0.4 and 1.0.0. Appends a newline to *body, as the grammar wants one.
std::unique_ptr<ExpositionParser> NewTextParser(std::string* body, ParserOptions options);
std::unique_ptr<ExpositionParser> NewOpenMetricsParser(std::string_view body, ParserOptions options);

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
