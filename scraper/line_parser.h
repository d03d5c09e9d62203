// What the two text formats have in common: tokens, label sets, names and escapes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "scraper/parser.h"

namespace narthex::scraper {

// Base of the text parsers; they own the states of their grammar. Not thread-safe; owner: one scrape.
class LineParser : public ExpositionParser {
 public:
  bool TryMetadata(PageText expected) override;
  void CatchUp() override;
  size_t Position() const override { return i_; }
  std::string_view Before(size_t position) const override;
  std::vector<ParsedExemplar> Exemplars() const override;
  void BuildLabels(LabelPairs* out) const override;
  std::string help() const override;

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

  LineParser(std::string_view body, ParserOptions options, bool openmetrics)
      : options_(options), b_(body), openmetrics_(openmetrics) {}

  std::string_view Slice(Range r) const { return b_.substr(r.begin, r.end - r.begin); }
  std::string_view TokenText() const { return b_.substr(token_start_, i_ - token_start_); }
  std::string_view EntryText() const { return b_.substr(entry_start_, i_ - entry_start_); }
  absl::Status ParseError(std::string_view expectation, Token got) const;
  absl::Status While(std::string_view error) const;  // "<error> while parsing: <entry so far>"
  void StartEntry();
  // TrySeries, where nothing else speaks against it; the lexer must be at the beginning of a line.
  bool TakeSeries(PageText expected);
  // Whether there is nothing left but the end that the format wants.
  bool AtEnd() const;

  // The value at `begin` if it reaches to the end of its line and is no NaN; *end is then behind the newline.
  bool PlainValue(size_t begin, double* value, size_t* end) const;

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
  std::vector<Range> skipped_;                                      // by TryMetadata and not read since
  std::string_view meta_type_ = "unknown", meta_name_, meta_unit_;  // of the family that TYPE named last
  Range name_;
  bool name_set_ = false;
  LabelRanges labels_, exemplar_labels_;
  double exemplar_value_ = 0;
  int64_t exemplar_ts_ = 0;
  bool has_exemplar_ts_ = false;
  const bool openmetrics_;
};

}  // namespace narthex::scraper
