#include "scraper/line_parser.h"

#include <charconv>
#include <cmath>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "model/sample.h"
#include "scraper/plain_number.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::string Unescape(std::string_view s, bool quotes) {
  if (s.find('\\') == std::string_view::npos) return std::string(s);
  std::string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size(); ++i) {
    char next = s[i] == '\\' && i + 1 < s.size() ? s[i + 1] : 0;
    if (next == '\\' || (quotes && next == '"')) {
      out += next;
      ++i;
    } else if (next == 'n') {
      out += '\n';
      ++i;
    } else {
      out += s[i];
    }
  }
  return out;
}

// "1" -> "1.0": the one spelling under which bucket and quantile values of both formats meet.
std::string NormalFloat(std::string text) {
  std::optional<double> f = ParseGoFloat(text);
  return f ? FormatBound(*f) : text;
}

bool CutSuffix(std::string_view* name, std::string_view suffix) {
  if (!name->ends_with(suffix)) return false;
  name->remove_suffix(suffix.size());
  return true;
}

}  // namespace

// Does a series of this name belong to the family that TYPE described?
bool InMetricFamily(std::string_view name, std::string_view family, std::string_view type) {
  if (name == family) return true;
  if (type == "counter") {
    CutSuffix(&family, "_total");
    CutSuffix(&name, "_total") || CutSuffix(&name, "_created");
  } else if (type == "histogram" || type == "gaugehistogram") {
    CutSuffix(&name, "_bucket") || CutSuffix(&name, "_sum") || CutSuffix(&name, "_count") ||
        CutSuffix(&name, "_created") || CutSuffix(&name, "_gsum") || CutSuffix(&name, "_gcount");
  } else if (type == "summary") {
    CutSuffix(&name, "_sum") || CutSuffix(&name, "_count") || CutSuffix(&name, "_created");
  } else if (type == "info") {
    CutSuffix(&name, "_info");
  }
  return name == family;
}

std::string FormatBound(double bound) {
  if (std::isnan(bound)) return "NaN";
  if (std::isinf(bound)) return bound > 0 ? "+Inf" : "-Inf";
  std::string out = FormatFloat(bound, 'g', -1);
  if (out.find_first_of("e.") == std::string::npos) out += ".0";
  return out;
}

absl::StatusOr<double> ParseExpositionFloat(std::string_view text) {
  double value = 0;
  bool plain = !text.empty() && text[0] != '+';
  for (char c : text) {
    if (c == 'p' || c == 'P' || c == '_') return absl::InvalidArgumentError("unsupported character in float");
    if (!((c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '-' || c == '+')) plain = false;
  }
  bool out_of_range = false;
  if (plain) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    out_of_range = error == std::errc::result_out_of_range;
  }
  if (std::optional<double> parsed = ParseGoFloat(text)) {
    return std::isnan(*parsed) ? NormalNan() : *parsed;
  }
  return absl::InvalidArgumentError(StrCat("strconv.ParseFloat: parsing ", GoQuote(text), ": ",
                                           out_of_range ? "value out of range" : "invalid syntax"));
}

absl::Status LineParser::ParseError(std::string_view expectation, Token got) const {
  size_t end = std::min(b_.size(), i_ + 1);
  return absl::InvalidArgumentError(
      StrCat(expectation, ", got ", GoQuote(b_.substr(token_start_, end - token_start_)), " (\"",
             TokenName(got), "\") while parsing: ", GoQuote(b_.substr(entry_start_, end - entry_start_))));
}

absl::Status LineParser::While(std::string_view error) const {
  return absl::InvalidArgumentError(StrCat(error, " while parsing: ", GoQuote(EntryText())));
}

void LineParser::StartEntry() {
  entry_start_ = i_;
  name_set_ = false;
  labels_.clear();
  exemplar_labels_.clear();
  has_exemplar_ = has_exemplar_ts_ = has_ts_ = false;
}

bool LineParser::TakeSeries(PageText expected) {
  const size_t n = expected.size;
  if (b_.size() - i_ <= n + 1 || !(b_[i_ + n] == ' ' || (!openmetrics_ && b_[i_ + n] == '\t')) ||
      !expected.Begins(b_.substr(i_))) {
    return false;
  }
  const size_t at = i_ + n + 1;
  size_t end = 0, length = 0;
  if (b_.size() - at >= kPlainNumberBytes && ReadPlainNumber(b_.data() + at, &value_, &length)) {
    end = at + length + 1;
  } else if (!PlainValue(at, &value_, &end)) {  // a timestamp or another spelling: the full grammar decides
    return false;
  }
  series_ = b_.substr(i_, n);
  has_exemplar_ = has_ts_ = false;
  i_ = end;
  return true;
}

bool LineParser::TryMetadata(PageText expected) {
  if (options_.skip_created || !expected.Begins(b_.substr(i_))) return false;
  constexpr size_t kUsual = 64;
  if (skipped_.empty()) skipped_.reserve(kUsual);
  skipped_.push_back({i_, i_ + expected.size});
  i_ += expected.size;
  return true;
}

bool LineParser::AtEnd() const {
  const std::string_view rest = b_.substr(i_);
  return openmetrics_ ? rest == "# EOF\n" || rest == "# EOF" : rest.empty() || rest == "\n";
}

void LineParser::CatchUp() {
  const size_t here = i_;
  std::vector<Range> skipped;
  skipped.swap(skipped_);
  for (const Range& range : skipped) {
    i_ = range.begin;
    while (i_ < range.end && Next().ok()) {
    }
  }
  i_ = here;
}

std::string_view LineParser::Before(size_t position) const {
  const size_t begin = static_cast<size_t>(series_.data() - b_.data());
  return begin > position ? b_.substr(position, begin - position) : std::string_view();
}

bool LineParser::PlainValue(size_t begin, double* value, size_t* end) const {
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char* p = b_.data() + begin;
  const char* const last = b_.data() + b_.size();
  const bool negative = p < last && *p == '-';
  if (negative) ++p;
  // Up to 15 digits and their power of ten are exact as doubles, and so is the one division.
  uint64_t mantissa = 0;
  int digits = 0, decimals = 0;
  for (; p < last && *p >= '0' && *p <= '9'; ++p, ++digits) {
    mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
  }
  if (digits > 0 && p < last && *p == '.') {
    for (++p; p < last && *p >= '0' && *p <= '9'; ++p, ++decimals) {
      mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
    }
  }
  if (digits > 0 && digits + decimals <= 15 && p < last && *p == '\n') {
    *value = static_cast<double>(mantissa);
    if (decimals > 0) *value /= kPowers[decimals];
    if (negative) *value = -*value;
    *end = static_cast<size_t>(p - b_.data()) + 1;
    return true;
  }
  const size_t newline = b_.find('\n', begin);
  if (newline == b_.npos) return false;
  const auto parsed = std::from_chars(b_.data() + begin, b_.data() + newline, *value);
  if (parsed.ec != std::errc() || parsed.ptr != b_.data() + newline || std::isnan(*value)) return false;
  *end = newline + 1;
  return true;
}

void LineParser::ScanName(bool colon) {
  while (i_ < b_.size() && (IsLetter(b_[i_]) || (colon && b_[i_] == ':') || (b_[i_] >= '0' && b_[i_] <= '9')))
    ++i_;
}

bool LineParser::ScanQuoted(bool newline_ok, bool nul_ok) {
  for (++i_; i_ < b_.size(); ++i_) {
    char c = b_[i_];
    if (c == '"') {
      ++i_;
      return true;
    }
    if ((c == '\n' && !newline_ok) || (c == 0 && !nul_ok)) return false;
    if (c == '\\') {
      ++i_;
      if (i_ >= b_.size() || b_[i_] == '\n' || (b_[i_] == 0 && !nul_ok)) return false;
    }
  }
  return false;
}

absl::Status LineParser::ParseLabelValues(LabelRanges* labels, bool exemplar) {
  Token t = NextToken();
  while (true) {
    if (t == Token::kBraceClose) return absl::OkStatus();
    if (t != Token::kLabelName && t != Token::kQuoted) return ParseError("expected label name", t);
    const bool quoted = t == Token::kQuoted;
    Range name{token_start_, i_};
    if (quoted) name = {name.begin + 1, name.end - 1};
    t = NextToken();
    if (quoted && (t == Token::kComma || t == Token::kBraceClose)) {
      if (exemplar) return ParseError("expected label name", t);
      if (name_set_) return While("metric name already set");
      name_ = name;
      name_set_ = true;
      if (t == Token::kBraceClose) return absl::OkStatus();
      t = NextToken();
      continue;
    }
    if (t != Token::kEqual) return ParseError("expected equal", t);
    if (t = NextToken(); t != Token::kLabelValue) return ParseError("expected label value", t);
    if (!IsValidUtf8(TokenText())) {
      return absl::InvalidArgumentError(StrCat("invalid UTF-8 label value: ", GoQuote(TokenText())));
    }
    labels->push_back({name, {token_start_ + 1, i_ - 1}});
    t = NextToken();
    if (t == Token::kComma) {
      t = NextToken();
    } else if (openmetrics_ && t != Token::kBraceClose) {
      return ParseError("expected comma or brace close", t);
    }
  }
}

std::vector<ParsedExemplar> LineParser::Exemplars() const {
  std::vector<ParsedExemplar> all(1);
  ParsedExemplar& out = all[0];
  out.value = exemplar_value_;
  out.t = exemplar_ts_;
  out.has_t = has_exemplar_ts_;
  for (const auto& [name, value] : exemplar_labels_) {
    out.labels.emplace_back(Unescape(Slice(name), true), Unescape(Slice(value), true));
  }
  return all;
}

void LineParser::BuildLabels(LabelPairs* out) const {
  out->clear();
  std::string name = Unescape(Slice(name_), true);
  std::string_view type_label, unit_label;
  if (options_.type_and_unit_labels && InMetricFamily(name, meta_name_, meta_type_)) {
    if (meta_type_ != "unknown") type_label = meta_type_;
    unit_label = meta_unit_;
  }
  out->emplace_back("__name__", std::move(name));
  if (!type_label.empty()) out->emplace_back("__type__", type_label);
  if (!unit_label.empty()) out->emplace_back("__unit__", unit_label);
  for (const auto& [name_range, value_range] : labels_) {
    std::string label = Unescape(Slice(name_range), true);
    if ((label == "__type__" && !type_label.empty()) || (label == "__unit__" && !unit_label.empty()))
      continue;
    std::string value = Unescape(Slice(value_range), true);
    if ((label == "quantile" && type_ == "summary") || (label == "le" && type_ == "histogram")) {
      value = NormalFloat(std::move(value));
    }
    out->emplace_back(std::move(label), std::move(value));
  }
}

std::string LineParser::help() const { return Unescape(text_, openmetrics_); }

}  // namespace narthex::scraper
