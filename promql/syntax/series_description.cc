// The series lines of test scripts: `metric{labels} 1 2+3x4 _x5 stale {{schema:0 buckets:[1 2]}}`.
#include <cmath>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "model/sample.h"
#include "promql/syntax/lexer.h"
#include "promql/syntax/parser.h"

namespace narthex::promql {
namespace {

constexpr int64_t kMaxRepeat = 1'000'000;

absl::Status Bad(std::string_view what, std::string_view text) {
  return absl::InvalidArgumentError(StrCat(what, " in series values: ", GoQuote(text)));
}

// Cursor over the part behind the metric.
class ValueReader {
 public:
  explicit ValueReader(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<SequencePoint>> Run() {
    std::vector<SequencePoint> out;
    while (true) {
      while (Peek() == ' ' || Peek() == '\t') ++at_;
      if (at_ >= text_.size()) return out;
      RETURN_IF_ERROR(One(&out));
      if (at_ < text_.size() && Peek() != ' ' && Peek() != '\t')
        return Bad("unexpected text", text_.substr(at_));
    }
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  absl::Status One(std::vector<SequencePoint>* out) {
    if (Peek() == '_') return Missing(out);
    if (text_.substr(at_).starts_with("{{")) return Histograms(out);
    return Floats(out);
  }

  // xN behind a value; 0 if there is none.
  absl::StatusOr<int64_t> Repeat(bool* present) {
    *present = Peek() == 'x';
    if (!*present) return 0;
    size_t begin = ++at_;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) ++at_;
    int64_t n = 0;
    if (!absl::SimpleAtoi(ToAbsl(text_.substr(begin, at_ - begin)), &n) || n > kMaxRepeat) {
      return Bad("bad repeat count", text_.substr(begin, at_ - begin));
    }
    return n;
  }

  absl::Status Missing(std::vector<SequencePoint>* out) {
    ++at_;
    bool repeated;
    ASSIGN_OR_RETURN(int64_t n, Repeat(&repeated));
    SequencePoint missing;
    missing.missing = true;
    out->insert(out->end(), static_cast<size_t>(repeated ? n : 1), missing);
    return absl::OkStatus();
  }

  // 0x1f is a number, 0x10 is zero repeated ten times.
  bool IsHex() const {
    if (Peek() != '0' || (Peek(1) != 'x' && Peek(1) != 'X')) return false;
    size_t i = 2;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek(i)))) ++i;
    return absl::ascii_isxdigit(static_cast<unsigned char>(Peek(i)));
  }

  absl::StatusOr<double> Number() {
    size_t begin = at_;
    if (Peek() == '+' || Peek() == '-') ++at_;
    bool hex = IsHex();
    if (hex) at_ += 2;
    while (at_ < text_.size()) {
      char c = Peek();
      bool digit = hex ? absl::ascii_isxdigit(static_cast<unsigned char>(c))
                       : absl::ascii_isdigit(static_cast<unsigned char>(c));
      bool letter = !hex && (absl::ascii_isalpha(static_cast<unsigned char>(c)) && c != 'x');
      bool sign = !hex && (c == '+' || c == '-') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E') &&
                  at_ > begin + 1;
      if (!digit && !letter && c != '.' && c != '_' && !sign) break;
      ++at_;
    }
    std::string_view text = text_.substr(begin, at_ - begin);
    if (text == "stale") return StaleNan();
    bool negative = text.starts_with("-");
    if (negative || text.starts_with("+")) text.remove_prefix(1);
    double value;
    if (!ParseNumberLiteral(text, &value)) return Bad("bad number", text_.substr(begin, at_ - begin));
    return negative ? -value : value;
  }

  absl::Status Floats(std::vector<SequencePoint>* out) {
    ASSIGN_OR_RETURN(double value, Number());
    double increment = 0;
    bool has_increment = Peek() == '+' || Peek() == '-';
    if (has_increment) {
      ASSIGN_OR_RETURN(increment, Number());
    }
    bool repeated;
    ASSIGN_OR_RETURN(int64_t n, Repeat(&repeated));
    if (has_increment && !repeated) return Bad("missing repeat count", text_);
    SequencePoint point;
    point.v = value;
    for (int64_t i = 0; i <= n; ++i) {
      out->push_back(point);
      point.v += increment;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<FloatHistogram> Histogram();

  absl::Status Histograms(std::vector<SequencePoint>* out) {
    ASSIGN_OR_RETURN(FloatHistogram value, Histogram());
    bool plus = Peek() == '+', has_increment = plus || Peek() == '-';
    FloatHistogram increment;
    if (has_increment) {
      ++at_;
      ASSIGN_OR_RETURN(increment, Histogram());
      if (value.schema > increment.schema)
        return Bad("error combining histograms: cannot merge from schema", text_);
    }
    bool repeated;
    ASSIGN_OR_RETURN(int64_t n, Repeat(&repeated));
    if (has_increment && !repeated) return Bad("missing repeat count", text_);
    for (int64_t i = 0; i <= n; ++i) {
      SequencePoint point;
      point.h = std::make_shared<const FloatHistogram>(value);
      out->push_back(std::move(point));
      if (!has_increment) continue;
      bool collision = false, reconciled = false;
      RETURN_IF_ERROR(value.Add(increment, &collision, &reconciled, !plus));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<double>> List(std::string_view text) {
    std::vector<double> out;
    ValueReader inner(text);
    while (true) {
      while (inner.Peek() == ' ' || inner.Peek() == '\t') ++inner.at_;
      if (inner.at_ >= text.size()) return out;
      ASSIGN_OR_RETURN(double value, inner.Number());
      out.push_back(value);
    }
  }

  absl::Status HistogramField(std::string_view key, std::string_view value, FloatHistogram* h);

  std::string_view text_;
  size_t at_ = 0;
};

absl::Status ValueReader::HistogramField(std::string_view key, std::string_view value, FloatHistogram* h) {
  if (key == "counter_reset_hint") {
    static constexpr std::string_view kHints[] = {"unknown", "reset", "not_reset", "gauge"};
    for (size_t i = 0; i < 4; ++i) {
      if (value == kHints[i]) {
        h->hint = static_cast<CounterResetHint>(i);
        return absl::OkStatus();
      }
    }
    return Bad("bad counter reset hint", value);
  }
  bool list = value.starts_with("[");
  if (list) value = value.substr(1, value.size() - 2);
  ASSIGN_OR_RETURN(std::vector<double> numbers, List(value));
  double number = numbers.empty() ? 0 : numbers[0];
  auto spans = [&](std::vector<HistogramSpan>* out) {
    if (out->empty()) out->push_back({});
    return &out->front();
  };
  if (key == "schema") {
    h->schema = static_cast<int32_t>(number);
  } else if (key == "sum") {
    h->sum = number;
  } else if (key == "count") {
    h->count = number;
  } else if (key == "z_bucket") {
    h->zero_count = number;
  } else if (key == "z_bucket_w") {
    h->zero_threshold = number;
  } else if (key == "custom_values") {
    h->custom_values = numbers;
  } else if (key == "buckets") {
    h->positive_buckets = numbers;
    spans(&h->positive_spans)->length = static_cast<uint32_t>(numbers.size());
  } else if (key == "n_buckets") {
    h->negative_buckets = numbers;
    spans(&h->negative_spans)->length = static_cast<uint32_t>(numbers.size());
  } else if (key == "offset") {
    spans(&h->positive_spans)->offset = static_cast<int32_t>(number);
  } else if (key == "n_offset") {
    spans(&h->negative_spans)->offset = static_cast<int32_t>(number);
  } else {
    return Bad("bad histogram descriptor", key);
  }
  return absl::OkStatus();
}

absl::StatusOr<FloatHistogram> ValueReader::Histogram() {
  size_t end = text_.find("}}", at_);
  if (!text_.substr(at_).starts_with("{{") || end == text_.npos)
    return Bad("unterminated histogram", text_.substr(at_));
  std::string_view body = text_.substr(at_ + 2, end - at_ - 2);
  at_ = end + 2;
  FloatHistogram h;
  while (true) {
    while (!body.empty() && (body[0] == ' ' || body[0] == '\t')) body.remove_prefix(1);
    if (body.empty()) break;
    size_t colon = body.find(':');
    if (colon == body.npos) return Bad("bad histogram descriptor", body);
    std::string_view key = body.substr(0, colon), rest = body.substr(colon + 1);
    size_t stop = rest.starts_with("[") ? rest.find(']') : rest.find_first_of(" \t");
    if (stop == rest.npos && rest.starts_with("[")) return Bad("unterminated list", rest);
    if (rest.starts_with("[")) ++stop;
    stop = std::min(stop, rest.size());
    RETURN_IF_ERROR(HistogramField(key, rest.substr(0, stop), &h));
    body = rest.substr(stop);
  }
  auto drop_empty = [](std::vector<HistogramSpan>* spans) {
    if (!spans->empty() && spans->front().length == 0) spans->clear();
  };
  drop_empty(&h.positive_spans);
  drop_empty(&h.negative_spans);
  return h;
}

// Length of the metric at the start of a description.
size_t MetricLength(std::string_view text) {
  size_t i = 0;
  while (i < text.size() && text[i] != '{' && text[i] != ' ' && text[i] != '\t') ++i;
  size_t brace = i;
  if (i >= text.size() || text[i] != '{') return i;
  for (++brace; brace < text.size(); ++brace) {
    char c = text[brace];
    if (c == '}') return brace + 1;
    if (c == '"' || c == '\'' || c == '`') {
      for (++brace; brace < text.size() && text[brace] != c; ++brace) {
        if (text[brace] == '\\' && c != '`') ++brace;
      }
    }
  }
  return text.size();
}

}  // namespace

absl::StatusOr<Labels> ParseMetric(std::string_view text) {
  ASSIGN_OR_RETURN(Matchers matchers, [&]() -> absl::StatusOr<Matchers> {
    std::string trimmed(absl::StripAsciiWhitespace(ToAbsl(text)));
    if (trimmed == "{}") return Matchers{};
    return ParseMetricSelector(trimmed);
  }());
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const Matcher& matcher : matchers) {
    if (matcher.op() != MatchOp::kEqual) {
      return absl::InvalidArgumentError(
          StrCat("parse error: unexpected matcher in metric: ", matcher.ToString()));
    }
    pairs.emplace_back(matcher.name(), matcher.value());
  }
  return Labels::FromPairs(std::move(pairs));
}

absl::StatusOr<SeriesDescription> ParseSeriesDescription(std::string_view text) {
  SeriesDescription out;
  size_t length = MetricLength(text);
  ASSIGN_OR_RETURN(out.labels, ParseMetric(text.substr(0, length)));
  ASSIGN_OR_RETURN(out.points, ValueReader(text.substr(length)).Run());
  return out;
}

}  // namespace narthex::promql
