#include "base/regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "base/strings.h"

namespace narthex {
namespace {

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

// RE2's reasons in the words of Go's regexp/syntax.
std::string ErrorText(const re2::RE2& re) {
  const char* text = "invalid regexp";
  switch (re.error_code()) {
    case re2::RE2::ErrorBadEscape:
      text = "invalid escape sequence";
      break;
    case re2::RE2::ErrorBadCharClass:
      text = "invalid character class";
      break;
    case re2::RE2::ErrorBadCharRange:
      text = "invalid character class range";
      break;
    case re2::RE2::ErrorMissingBracket:
      text = "missing closing ]";
      break;
    case re2::RE2::ErrorMissingParen:
      text = "missing closing )";
      break;
    case re2::RE2::ErrorUnexpectedParen:
      text = "unexpected )";
      break;
    case re2::RE2::ErrorTrailingBackslash:
      text = "trailing backslash at end of expression";
      break;
    case re2::RE2::ErrorRepeatArgument:
      text = "missing argument to repetition operator";
      break;
    case re2::RE2::ErrorRepeatSize:
      text = "invalid repeat count";
      break;
    case re2::RE2::ErrorRepeatOp:
      text = "invalid nested repetition operator";
      break;
    case re2::RE2::ErrorBadPerlOp:
      text = "invalid or unsupported Perl syntax";
      break;
    case re2::RE2::ErrorBadUTF8:
      text = "invalid UTF-8";
      break;
    case re2::RE2::ErrorBadNamedCapture:
      text = "invalid named capture";
      break;
    case re2::RE2::ErrorPatternTooLarge:
      text = "expression too large";
      break;
    default:
      break;
  }
  bool no_argument = re.error_code() == re2::RE2::ErrorTrailingBackslash;
  return StrCat("error parsing regexp: ", text, ": `", no_argument ? std::string() : re.error_arg(), "`");
}

bool IsMeta(char c) { return std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos; }

// The alternatives of a pattern that is literals joined by '|', optionally in one pair of parentheses.
std::vector<std::string> LiteralSet(std::string_view pattern) {
  if (pattern.size() > 2 && pattern.front() == '(' && pattern.back() == ')') {
    pattern = pattern.substr(1, pattern.size() - 2);
    if (pattern.starts_with("?:")) pattern.remove_prefix(2);
  }
  std::vector<std::string> out(1);
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '|') {
      out.emplace_back();
    } else if (c == '\\' && i + 1 < pattern.size() && IsMeta(pattern[i + 1])) {
      out.back().push_back(pattern[++i]);
    } else if (IsMeta(c)) {
      return {};
    } else {
      out.back().push_back(c);
    }
  }
  return out;
}

std::string LiteralPrefix(std::string_view pattern) {
  if (pattern.find('|') != pattern.npos) return "";
  size_t n = 0;
  while (n < pattern.size() && !IsMeta(pattern[n])) ++n;
  // A quantifier takes the last literal away.
  if (n > 0 && n < pattern.size() && std::string_view("*?{").find(pattern[n]) != std::string_view::npos) --n;
  while (n > 0 && (static_cast<unsigned char>(pattern[n]) & 0xc0) == 0x80 && n < pattern.size()) --n;
  return std::string(pattern.substr(0, n));
}

// Bytes of the character at `at`; 1 at the end.
size_t RuneLength(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return end - at;
}

// Go also writes a named group (?<name>...), which this RE2 knows as (?P<name>...) only.
std::string WithNamedGroups(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    out.push_back(c);
    if (c == '\\' && i + 1 < pattern.size()) {
      out.push_back(pattern[++i]);
    } else if (c == '[') {
      in_class = true;
    } else if (c == ']') {
      in_class = false;
    } else if (c == '(' && !in_class && pattern.substr(i).starts_with("(?<")) {
      out += "?P";
      ++i;
    }
  }
  return out;
}

bool IsNameChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// One $reference of a replacement at `at` (which holds '$'). Sets *name; returns the bytes used, 0 if it is
// no reference.
size_t ReadReference(std::string_view replacement, size_t at, std::string_view* name) {
  std::string_view rest = replacement.substr(at + 1);
  bool braced = rest.starts_with("{");
  if (braced) rest.remove_prefix(1);
  size_t n = 0;
  while (n < rest.size() && IsNameChar(rest[n])) ++n;
  if (n == 0 || (braced && (n >= rest.size() || rest[n] != '}'))) return 0;
  *name = rest.substr(0, n);
  return 1 + n + (braced ? 2 : 0);
}

}  // namespace

struct Regex::Rep {
  std::string pattern;
  std::unique_ptr<re2::RE2> re;
  std::vector<std::string> literals;         // as written
  std::vector<std::string> sorted_literals;  // the same, to search in
  std::string prefix;
  bool anchored = true;

  void Expand(std::string_view replacement, const std::vector<re2::StringPiece>& groups,
              std::string* out) const;
};

namespace {

absl::StatusOr<std::unique_ptr<re2::RE2>> CompileRe(std::string_view pattern, bool dot_matches_newline) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(8 << 20);
  options.set_dot_nl(dot_matches_newline);
  auto re = std::make_unique<re2::RE2>(WithNamedGroups(pattern), options);
  if (!re->ok()) return absl::InvalidArgumentError(ErrorText(*re));
  return re;
}

}  // namespace

void Regex::Rep::Expand(std::string_view replacement, const std::vector<re2::StringPiece>& groups,
                        std::string* out) const {
  const std::map<std::string, int>& names = re->NamedCapturingGroups();
  for (size_t i = 0; i < replacement.size();) {
    if (replacement[i] != '$') {
      out->push_back(replacement[i++]);
      continue;
    }
    if (i + 1 < replacement.size() && replacement[i + 1] == '$') {
      out->push_back('$');
      i += 2;
      continue;
    }
    std::string_view name;
    size_t used = ReadReference(replacement, i, &name);
    if (used == 0) {
      out->push_back(replacement[i++]);
      continue;
    }
    i += used;
    size_t group = groups.size();
    bool digits = name.find_first_not_of("0123456789") == name.npos;
    bool leading_zero = name.size() > 1 && name[0] == '0';  // Go takes "01" for a name
    if (digits && !leading_zero && name.size() < 9) {
      group = static_cast<size_t>(std::stoi(std::string(name)));
    } else if (auto it = names.find(std::string(name)); it != names.end()) {
      group = static_cast<size_t>(it->second);
    }
    if (group < groups.size() && groups[group].data() != nullptr) {
      out->append(groups[group].data(), groups[group].size());
    }
  }
}

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern) {
  auto re = CompileRe(pattern, true);
  if (!re.ok()) return re.status();
  auto rep = std::make_shared<Rep>();
  rep->pattern = std::string(pattern);
  rep->re = *std::move(re);
  rep->literals = LiteralSet(pattern);
  rep->sorted_literals = rep->literals;
  std::sort(rep->sorted_literals.begin(), rep->sorted_literals.end());
  rep->prefix = LiteralPrefix(pattern);
  Regex out;
  out.rep_ = std::move(rep);
  return out;
}

absl::StatusOr<Regex> Regex::CompileUnanchored(std::string_view pattern) {
  auto re = CompileRe(pattern, false);
  if (!re.ok()) return re.status();
  auto rep = std::make_shared<Rep>();
  rep->pattern = std::string(pattern);
  rep->re = *std::move(re);
  rep->anchored = false;
  Regex out;
  out.rep_ = std::move(rep);
  return out;
}

const std::string& Regex::pattern() const { return rep_->pattern; }
const std::vector<std::string>& Regex::literal_set() const { return rep_->literals; }
const std::string& Regex::literal_prefix() const { return rep_->prefix; }

bool Regex::Matches(std::string_view text) const {
  if (rep_->anchored && !rep_->literals.empty()) {
    return std::binary_search(rep_->sorted_literals.begin(), rep_->sorted_literals.end(), text);
  }
  return rep_->anchored ? re2::RE2::FullMatch(Piece(text), *rep_->re)
                        : re2::RE2::PartialMatch(Piece(text), *rep_->re);
}

bool Regex::Expand(std::string_view text, std::string_view replacement, std::string* out) const {
  std::vector<re2::StringPiece> groups(static_cast<size_t>(rep_->re->NumberOfCapturingGroups()) + 1);
  re2::RE2::Anchor anchor = rep_->anchored ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED;
  if (!rep_->re->Match(Piece(text), 0, text.size(), anchor, groups.data(), static_cast<int>(groups.size())))
    return false;
  out->clear();
  rep_->Expand(replacement, groups, out);
  return true;
}

std::string Regex::ReplaceAll(std::string_view text, std::string_view replacement) const {
  std::vector<re2::StringPiece> groups(static_cast<size_t>(rep_->re->NumberOfCapturingGroups()) + 1);
  std::string out;
  size_t copied = 0, search = 0;
  while (search <= text.size() && rep_->re->Match(Piece(text), search, text.size(), re2::RE2::UNANCHORED,
                                                  groups.data(), static_cast<int>(groups.size()))) {
    size_t begin = static_cast<size_t>(groups[0].data() - text.data());
    size_t end = begin + groups[0].size();
    out.append(text.substr(copied, begin - copied));
    // Go skips an empty match right behind the previous match.
    if (end > copied || begin == 0) rep_->Expand(replacement, groups, &out);
    copied = end;
    search = std::max(end, search + RuneLength(text, search));
  }
  if (copied < text.size()) out.append(text.substr(copied));
  return out;
}

}  // namespace narthex
