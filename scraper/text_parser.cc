// The Prometheus text format, versions 0.0.4 and 1.0.0.
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "model/sample.h"
#include "scraper/line_parser.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class TextParser : public LineParser {
 public:
  TextParser(std::string_view body, ParserOptions options) : LineParser(body, options, false) {}

  absl::StatusOr<EntryKind> Next() override {
    if (!skipped_.empty() && !AtEnd()) CatchUp();
    while (true) {
      StartEntry();
      Token t = NextToken();
      switch (t) {
        case Token::kEof:
          return EntryKind::kEnd;
        case Token::kLinebreak:
          continue;
        case Token::kHelp:
        case Token::kType:
          return ParseMetadata(t);
        case Token::kComment:
          text_ = TokenText();
          if (t = NextToken(); t != Token::kLinebreak)
            return ParseError("linebreak expected after comment", t);
          return EntryKind::kComment;
        case Token::kBraceOpen:
          RETURN_IF_ERROR(ParseLabelValues(&labels_, false));
          series_ = EntryText();
          return ParseSuffix(NextToken());
        case Token::kMetricName:
          return ParseNamedSeries();
        default:
          return ParseError("expected a valid start token", t);
      }
    }
  }

  bool TrySeries(PageText expected) override { return state_ == State::kInit && TakeSeries(expected); }

 protected:
  Token NextToken() override {
    Token t;
    do {
      t = Lex();
    } while (t == Token::kWhitespace);
    return t;
  }

 private:
  enum class State { kInit, kComment, kMeta1, kMeta2, kLabels, kLabelValue, kValue, kTimestamp };

  Token To(State state, Token token) {
    state_ = state;
    return token;
  }
  Token One(State state, Token token) {
    ++i_;
    return To(state, token);
  }

  Token Lex() {
    if (i_ >= b_.size()) return Token::kEof;
    token_start_ = i_;
    char c = b_[i_];
    if (state_ == State::kMeta2) return LexText();
    if (IsBlank(c)) {
      while (i_ < b_.size() && IsBlank(b_[i_])) ++i_;
      return Token::kWhitespace;
    }
    switch (state_) {
      case State::kInit:
        return LexStart(c);
      case State::kMeta1:
        if (c == '"')
          return ScanQuoted(true, false) ? To(State::kMeta2, Token::kMetricName) : Token::kInvalid;
        if (!IsNameStart(c) && c != ':') return Token::kInvalid;
        ScanName(true);
        return To(State::kMeta2, Token::kMetricName);
      case State::kLabels:
        return LexLabels(c);
      case State::kLabelValue:
        if (c != '"' || !ScanQuoted(true, true)) return Token::kInvalid;
        return To(State::kLabels, Token::kLabelValue);
      case State::kValue:
        if (c == '{') return One(State::kLabels, Token::kBraceOpen);
        while (i_ < b_.size() && b_[i_] != '{' && !IsBlank(b_[i_]) && b_[i_] != '\n' && b_[i_] != 0) ++i_;
        return i_ > token_start_ ? To(State::kTimestamp, Token::kValue) : Token::kInvalid;
      case State::kTimestamp:
        if (c == '\n') return One(State::kInit, Token::kLinebreak);
        while (i_ < b_.size() && b_[i_] >= '0' && b_[i_] <= '9') ++i_;
        return i_ > token_start_ ? Token::kTimestamp : Token::kInvalid;
      default:
        return Token::kInvalid;
    }
  }

  Token LexStart(char c) {
    if (c == 0) return Token::kEof;
    if (c == '\n') return One(State::kInit, Token::kLinebreak);
    if (c == '{') return One(State::kLabels, Token::kBraceOpen);
    if (c == '#') return LexHash();
    if (!IsNameStart(c) && c != ':') return Token::kInvalid;
    ScanName(true);
    return To(State::kValue, Token::kMetricName);
  }

  // "# HELP ", "# TYPE ", or a comment, which runs to the end of the line.
  Token LexHash() {
    ++i_;
    size_t blanks = i_;
    while (i_ < b_.size() && IsBlank(b_[i_])) ++i_;
    if (i_ > blanks && b_.size() - i_ > 4 && IsBlank(b_[i_ + 4])) {
      std::string_view word = b_.substr(i_, 4);
      if (word == "HELP" || word == "TYPE") {
        i_ += 4;
        while (i_ < b_.size() && IsBlank(b_[i_])) ++i_;
        return To(State::kMeta1, word == "HELP" ? Token::kHelp : Token::kType);
      }
    }
    i_ = std::min(b_.find('\n', i_), b_.size());
    if (i_ == b_.size()) return Token::kEof;
    return To(State::kInit, Token::kComment);
  }

  Token LexText() {
    size_t end = std::min(b_.find('\n', i_), b_.size());
    bool blank = true;
    for (size_t k = i_; k < end && blank; ++k) blank = IsBlank(b_[k]);
    i_ = end;
    // Blanks alone are white space, after which the text is empty.
    if (blank) token_start_ = i_;
    return To(State::kInit, Token::kText);
  }

  Token LexLabels(char c) {
    switch (c) {
      case '}':
        return One(State::kValue, Token::kBraceClose);
      case '=':
        return One(State::kLabelValue, Token::kEqual);
      case ',':
        return One(State::kLabels, Token::kComma);
      case '"':
        return ScanQuoted(true, false) ? Token::kQuoted : Token::kInvalid;
      default:
        break;
    }
    if (!IsNameStart(c)) return Token::kInvalid;
    ScanName(false);
    return Token::kLabelName;
  }

  absl::StatusOr<EntryKind> ParseMetadata(Token kind) {
    if (Token t = NextToken(); t != Token::kMetricName) {
      return ParseError(StrCat("expected metric name after ", TokenName(kind)), t);
    }
    name_ = {token_start_, i_};
    if (b_[name_.begin] == '"') name_ = {name_.begin + 1, name_.end - 1};
    metric_ = Slice(name_);
    NextToken();  // kText: this state knows no other
    text_ = TokenText();
    if (!text_.empty()) text_.remove_prefix(1);
    if (kind == Token::kType) {
      RETURN_IF_ERROR(SetType());
    } else if (!IsValidUtf8(text_)) {
      return absl::InvalidArgumentError(StrCat("help text ", GoQuote(text_), " is not a valid utf8 string"));
    }
    if (Token t = NextToken(); t != Token::kLinebreak)
      return ParseError("linebreak expected after metadata", t);
    return kind == Token::kType ? EntryKind::kType : EntryKind::kHelp;
  }

  absl::Status SetType() {
    static constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram", "summary"};
    for (std::string_view type : kTypes) {
      if (text_ != type) continue;
      type_ = meta_type_ = type;
      meta_name_ = Slice(name_);
      return absl::OkStatus();
    }
    if (text_ != "untyped") {
      return absl::InvalidArgumentError(StrCat("invalid metric type ", GoQuote(text_)));
    }
    type_ = meta_type_ = "unknown";
    meta_name_ = Slice(name_);
    return absl::OkStatus();
  }

  absl::StatusOr<EntryKind> ParseNamedSeries() {
    name_ = {token_start_, i_};
    name_set_ = true;
    series_ = EntryText();
    Token t = NextToken();
    if (t == Token::kBraceOpen) {
      RETURN_IF_ERROR(ParseLabelValues(&labels_, false));
      series_ = EntryText();
      t = NextToken();
    }
    return ParseSuffix(t);
  }

  absl::StatusOr<EntryKind> ParseSuffix(Token t) {
    if (!name_set_) return While("metric name not set");
    if (t != Token::kValue) return ParseError("expected value after metric", t);
    auto value = ParseExpositionFloat(TokenText());
    if (!value.ok()) return While(Message(value.status()));
    value_ = *value;
    t = NextToken();
    if (t == Token::kLinebreak) return EntryKind::kSeries;
    if (t != Token::kTimestamp) return ParseError("expected timestamp or new record", t);
    std::string_view text = TokenText();
    if (std::from_chars(text.data(), text.data() + text.size(), ts_).ec != std::errc()) {
      return While(StrCat("strconv.ParseInt: parsing ", GoQuote(text), ": value out of range"));
    }
    has_ts_ = true;
    if (t = NextToken(); t != Token::kLinebreak) return ParseError("expected next entry after timestamp", t);
    return EntryKind::kSeries;
  }

  State state_ = State::kInit;
};

}  // namespace

std::unique_ptr<ExpositionParser> NewTextParser(std::string* body, ParserOptions options) {
  body->push_back('\n');
  return std::make_unique<TextParser>(*body, options);
}

}  // namespace narthex::scraper
