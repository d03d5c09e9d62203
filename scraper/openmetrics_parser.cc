// OpenMetrics text, versions 0.0.1 and 1.0.0.
#include <algorithm>
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

constexpr std::string_view kCreated = "_created";
constexpr std::string_view kNoEof = "data does not end with # EOF";

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class OpenMetricsParser : public LineParser {
 public:
  OpenMetricsParser(std::string_view body, ParserOptions options) : LineParser(body, options, true) {}

  absl::StatusOr<EntryKind> Next() override {
    if (!skipped_.empty() && !AtEnd()) CatchUp();
    while (true) {
      ASSIGN_OR_RETURN(EntryKind kind, ParseEntry());
      if (kind != EntryKind::kSeries || !options_.skip_created || !IsCreated()) return kind;
    }
  }

  bool TrySeries(PageText expected) override {
    return state_ == State::kInit && !FamilyHasCreated() && TakeSeries(expected);
  }

  // The _created line of a series may stand anywhere in its family, so this looks ahead. The last hit is
  // remembered: the parts of a histogram share it.
  int64_t StartTimestamp() override {
    if (!FamilyHasCreated()) return 0;
    std::string key = FamilyKey(Slice(name_));
    if (key == created_key_) return created_ms_;
    OpenMetricsParser ahead(*this);
    ahead.options_.skip_created = false;
    created_key_.clear();
    while (true) {
      auto kind = ahead.Next();
      if (!kind.ok() || *kind != EntryKind::kSeries) return 0;
      std::string_view name = ahead.Slice(ahead.name_);
      if (!name.ends_with(kCreated)) continue;
      if (ahead.FamilyKey(name) != key) return 0;
      const double ms = ahead.value_ * 1000.0;
      created_key_ = std::move(key);
      created_ms_ = std::fabs(ms) < 9.2e18 ? static_cast<int64_t>(ms) : 0;
      return created_ms_;
    }
  }

 protected:
  Token NextToken() override {
    if (i_ >= b_.size()) return Token::kEof;
    token_start_ = i_;
    char c = b_[i_];
    switch (state_) {
      case State::kInit:
        return LexStart(c);
      case State::kMeta1:
        if (c == '"')
          return ScanQuoted(true, false) ? To(State::kMeta2, Token::kMetricName) : Token::kInvalid;
        if (!IsNameStart(c) && c != ':') return Token::kInvalid;
        ScanName(true);
        return To(State::kMeta2, Token::kMetricName);
      case State::kMeta2:
        return LexText(c);
      case State::kLabels:
      case State::kExemplar:
        return LexLabels(c);
      case State::kLabelValue:
        if (c != '"' || !ScanQuoted(false, true)) return Token::kInvalid;
        return To(State::kLabels, Token::kLabelValue);
      case State::kExemplarValue:
        if (c == '"')
          return ScanQuoted(false, false) ? To(State::kExemplar, Token::kLabelValue) : Token::kInvalid;
        return LexWord(c, State::kExemplarTimestamp, Token::kValue);
      case State::kValue:
        if (c == '{') return One(State::kLabels, Token::kBraceOpen);
        return LexWord(c, State::kTimestamp, Token::kValue);
      case State::kTimestamp:
        if (c == '\n') return One(State::kInit, Token::kLinebreak);
        if (b_.substr(i_, 3) == " # ") {
          i_ += 3;
          if (i_ < b_.size() && b_[i_] == '{') return One(State::kExemplar, Token::kComment);
          return Token::kInvalid;
        }
        return LexWord(c, State::kTimestamp, Token::kTimestamp);
      case State::kExemplarTimestamp:
        if (c == '\n') return One(State::kInit, Token::kLinebreak);
        return LexWord(c, State::kExemplarTimestamp, Token::kTimestamp);
    }
    return Token::kInvalid;
  }

 private:
  enum class State {
    kInit,
    kMeta1,
    kMeta2,
    kLabels,
    kLabelValue,
    kValue,
    kTimestamp,
    kExemplar,
    kExemplarValue,
    kExemplarTimestamp
  };

  Token To(State state, Token token) {
    state_ = state;
    return token;
  }
  Token One(State state, Token token) {
    ++i_;
    return To(state, token);
  }

  Token LexStart(char c) {
    if (c == '{') return One(State::kLabels, Token::kBraceOpen);
    if (c == '#') return LexHash();
    if (!IsNameStart(c) && c != ':') return Token::kInvalid;
    ScanName(true);
    return To(State::kValue, Token::kMetricName);
  }

  Token LexHash() {
    static constexpr std::pair<std::string_view, Token> kWords[] = {{" HELP ", Token::kHelp},
                                                                    {" TYPE ", Token::kType},
                                                                    {" UNIT ", Token::kUnit},
                                                                    {" EOF", Token::kEofWord}};
    ++i_;
    size_t longest = 0;
    for (const auto& [word, token] : kWords) {
      size_t same = 0;
      while (same < word.size() && i_ + same < b_.size() && b_[i_ + same] == word[same]) ++same;
      longest = std::max(longest, same);
      if (same < word.size()) continue;
      i_ += same;
      if (token != Token::kEofWord) return To(State::kMeta1, token);
      if (i_ < b_.size() && b_[i_] == '\n') ++i_;
      return To(State::kInit, token);
    }
    i_ += longest;
    return Token::kInvalid;
  }

  Token LexText(char c) {
    if (c != ' ') return Token::kInvalid;
    i_ = std::min(b_.find('\n', i_), b_.size());
    if (i_ == b_.size()) return Token::kInvalid;
    return One(State::kInit, Token::kText);
  }

  Token LexLabels(char c) {
    const bool exemplar = state_ == State::kExemplar;
    switch (c) {
      case '}':
        return One(exemplar ? State::kExemplarValue : State::kValue, Token::kBraceClose);
      case '=':
        return One(exemplar ? State::kExemplarValue : State::kLabelValue, Token::kEqual);
      case ',':
        return One(state_, Token::kComma);
      case '"':
        return ScanQuoted(!exemplar, false) ? Token::kQuoted : Token::kInvalid;
      default:
        break;
    }
    if (!IsNameStart(c)) return Token::kInvalid;
    ScanName(false);
    return Token::kLabelName;
  }

  // One space and a word.
  Token LexWord(char c, State next, Token token) {
    if (c != ' ') return Token::kInvalid;
    ++i_;
    size_t begin = i_;
    while (i_ < b_.size() && b_[i_] != ' ' && b_[i_] != '\n' && b_[i_] != 0) ++i_;
    return i_ > begin ? To(next, token) : Token::kInvalid;
  }

  absl::StatusOr<EntryKind> ParseEntry() {
    StartEntry();
    Token t = NextToken();
    switch (t) {
      case Token::kEofWord:
        if (NextToken() != Token::kEof) return absl::InvalidArgumentError("unexpected data after # EOF");
        return EntryKind::kEnd;
      case Token::kEof:
        return Invalid(kNoEof);
      case Token::kHelp:
      case Token::kType:
      case Token::kUnit:
        return ParseMetadata(t);
      case Token::kBraceOpen:
        RETURN_IF_ERROR(ParseLabelValues(&labels_, false));
        series_ = EntryText();
        return ParseSuffix(NextToken());
      case Token::kMetricName:
        name_ = {token_start_, i_};
        name_set_ = true;
        series_ = EntryText();
        t = NextToken();
        if (t == Token::kBraceOpen) {
          RETURN_IF_ERROR(ParseLabelValues(&labels_, false));
          series_ = EntryText();
          t = NextToken();
        }
        return ParseSuffix(t);
      default:
        return ParseError("expected a valid start token", t);
    }
  }

  absl::StatusOr<EntryKind> ParseMetadata(Token kind) {
    if (Token t = NextToken(); t != Token::kMetricName) {
      return ParseError(StrCat("expected metric name after ", TokenName(kind)), t);
    }
    name_ = {token_start_, i_};
    if (b_[name_.begin] == '"') name_ = {name_.begin + 1, name_.end - 1};
    metric_ = Slice(name_);
    if (NextToken() != Token::kText) {
      return absl::InvalidArgumentError(StrCat("expected text in ", TokenName(kind)));
    }
    text_ = TokenText().substr(1, TokenText().size() - 2);
    std::string_view name = Slice(name_);
    if (kind != Token::kHelp || name != meta_name_) family_created_known_ = false;
    if (kind == Token::kHelp) {
      if (!IsValidUtf8(text_)) {
        return absl::InvalidArgumentError(
            StrCat("help text ", GoQuote(text_), " is not a valid utf8 string"));
      }
      return EntryKind::kHelp;
    }
    if (name != meta_name_) {
      meta_type_ = "unknown";
      meta_unit_ = {};
      meta_name_ = name;
    }
    if (kind == Token::kType) return SetType();
    if (!text_.empty() && (!name.ends_with(text_) || name.size() < text_.size() + 1 ||
                           name[name.size() - text_.size() - 1] != '_')) {
      return absl::InvalidArgumentError(
          StrCat("unit ", GoQuote(text_), " not a suffix of metric ", GoQuote(name)));
    }
    meta_unit_ = text_;
    return EntryKind::kUnit;
  }

  absl::StatusOr<EntryKind> SetType() {
    static constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram", "gaugehistogram",
                                                  "summary", "info",  "stateset",  "unknown"};
    for (std::string_view type : kTypes) {
      if (text_ != type) continue;
      type_ = meta_type_ = type;
      return EntryKind::kType;
    }
    return absl::InvalidArgumentError(StrCat("invalid metric type ", GoQuote(text_)));
  }

  absl::StatusOr<double> FloatValue(Token t, std::string_view after) {
    if (t != Token::kValue) return ParseError(StrCat("expected value after ", after), t);
    return FloatWord();
  }

  absl::StatusOr<double> FloatWord() {
    auto value = ParseExpositionFloat(TokenText().substr(1));
    if (!value.ok()) return While(Message(value.status()));
    return value;
  }

  // Seconds to milliseconds; `what` is "timestamp" or "exemplar timestamp".
  absl::StatusOr<int64_t> TimestampWord(std::string_view what) {
    ASSIGN_OR_RETURN(double seconds, FloatWord());
    if (std::isnan(seconds) || std::isinf(seconds)) {
      return absl::InvalidArgumentError(StrCat("invalid ", what, " ", FormatFloatF(seconds)));
    }
    // What is beyond all times is refused when it is appended.
    return static_cast<int64_t>(std::clamp(seconds * 1000, -9.2e18, 9.2e18));
  }

  absl::StatusOr<EntryKind> ParseSuffix(Token t) {
    if (!name_set_) return While("metric name not set");
    ASSIGN_OR_RETURN(value_, FloatValue(t, "metric"));
    t = NextToken();
    switch (t) {
      case Token::kEof:
        return Invalid(kNoEof);
      case Token::kLinebreak:
        return EntryKind::kSeries;
      case Token::kComment:
        return ParseExemplar();
      case Token::kTimestamp:
        break;
      default:
        return ParseError("expected timestamp or # symbol", t);
    }
    ASSIGN_OR_RETURN(ts_, TimestampWord("timestamp"));
    has_ts_ = true;
    t = NextToken();
    switch (t) {
      case Token::kEof:
        return Invalid(kNoEof);
      case Token::kLinebreak:
        return EntryKind::kSeries;
      case Token::kComment:
        return ParseExemplar();
      default:
        return ParseError("expected next entry after timestamp", t);
    }
  }

  absl::StatusOr<EntryKind> ParseExemplar() {
    RETURN_IF_ERROR(ParseLabelValues(&exemplar_labels_, true));
    ASSIGN_OR_RETURN(exemplar_value_, FloatValue(NextToken(), "exemplar labels"));
    has_exemplar_ = true;
    Token t = NextToken();
    switch (t) {
      case Token::kEof:
        return Invalid(kNoEof);
      case Token::kLinebreak:
        return EntryKind::kSeries;
      case Token::kTimestamp:
        break;
      default:
        return ParseError("expected timestamp or comment", t);
    }
    ASSIGN_OR_RETURN(exemplar_ts_, TimestampWord("exemplar timestamp"));
    has_exemplar_ts_ = true;
    if (t = NextToken(); t != Token::kLinebreak)
      return ParseError("expected next entry after exemplar timestamp", t);
    return EntryKind::kSeries;
  }

  bool TypeHasCreated() const { return type_ == "counter" || type_ == "histogram" || type_ == "summary"; }
  bool IsCreated() const { return TypeHasCreated() && Slice(name_).ends_with(kCreated); }

  // Whether the rest of this family mentions _created at all; asked once a family, so that look-ahead stays
  // linear.
  bool FamilyHasCreated() {
    if (!options_.skip_created || !TypeHasCreated()) return false;
    if (!family_created_known_) {
      size_t end = std::min(b_.find("\n# ", i_), b_.size());
      family_created_ = b_.substr(i_, end - i_).find(kCreated) != std::string_view::npos;
      family_created_known_ = true;
      created_key_.clear();
    }
    return family_created_;
  }

  // What a series and its _created line have in common: family name and labels without le or quantile.
  std::string FamilyKey(std::string_view name) const {
    static constexpr std::string_view kSuffixes[] = {"_created", "_total", "_bucket", "_sum", "_count"};
    for (std::string_view suffix : kSuffixes) {
      if (!name.ends_with(suffix)) continue;
      name.remove_suffix(suffix.size());
      break;
    }
    std::string key(name);
    for (const auto& [label, value] : labels_) {
      std::string_view text = Slice(label);
      if ((type_ == "histogram" && text == "le") || (type_ == "summary" && text == "quantile")) continue;
      StrAppend(&key, "\xff", text, "\xff", Slice(value));
    }
    return key;
  }

  State state_ = State::kInit;
  bool family_created_known_ = false, family_created_ = false;
  std::string created_key_;
  int64_t created_ms_ = 0;
};

}  // namespace

std::unique_ptr<ExpositionParser> NewOpenMetricsParser(std::string_view body, ParserOptions options) {
  return std::make_unique<OpenMetricsParser>(body, options);
}

}  // namespace narthex::scraper
