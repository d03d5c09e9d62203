#include "base/go_url.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {
namespace {

absl::Status Error(std::string text) { return absl::InvalidArgumentError(text); }

// The text before the first `mark`; *rest is what follows it.
std::string_view Cut(std::string_view text, char mark, std::string_view* rest) {
  const size_t at = text.find(mark);
  *rest = at == text.npos ? std::string_view() : text.substr(at + 1);
  return text.substr(0, at);
}

bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

absl::Status CheckEscapes(std::string_view text) {
  for (size_t i = text.find('%'); i != text.npos; i = text.find('%', i + 1)) {
    if (i + 2 < text.size() && IsHex(text[i + 1]) && IsHex(text[i + 2])) continue;
    return Error(StrCat("invalid URL escape ", GoQuote(text.substr(i, 3))));
  }
  return absl::OkStatus();
}

absl::Status CheckHostCharacters(std::string_view host) {
  constexpr std::string_view kAllowed = "-_.~!$&'()*+,;=:[]<>\"%";
  for (char c : host) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (u >= 0x80 || std::isalnum(u) || kAllowed.find(c) != kAllowed.npos) continue;
    return Error(StrCat("invalid character ", GoQuote(std::string_view(&c, 1)), " in host name"));
  }
  return absl::OkStatus();
}

absl::Status CheckPort(std::string_view colon_port) {
  if (colon_port.empty()) return absl::OkStatus();
  const std::string_view digits = colon_port.substr(1);
  const bool valid = colon_port[0] == ':' &&
                     std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return valid ? absl::OkStatus() : Error(StrCat("invalid port ", GoQuote(colon_port), " after host"));
}

absl::Status CheckAuthority(std::string_view authority) {
  const size_t at = authority.rfind('@');
  const std::string_view host = at == authority.npos ? authority : authority.substr(at + 1);
  if (at != authority.npos) RETURN_IF_ERROR(CheckEscapes(authority.substr(0, at)));
  if (host.starts_with("[")) {
    const size_t close = host.rfind(']');
    if (close == host.npos) return Error("missing ']' in host");
    return CheckPort(host.substr(close + 1));
  }
  if (const size_t colon = host.rfind(':'); colon != host.npos)
    RETURN_IF_ERROR(CheckPort(host.substr(colon)));
  RETURN_IF_ERROR(CheckEscapes(host));
  return CheckHostCharacters(host);
}

// The scheme with its colon; empty if there is none.
absl::StatusOr<std::string_view> Scheme(std::string_view url) {
  for (size_t i = 0; i < url.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(url[i]);
    if (std::isalpha(c)) continue;
    if (c == ':' && i == 0) return Error("missing protocol scheme");
    if (c == ':') return url.substr(0, i + 1);
    if (i == 0 || !(std::isdigit(c) || c == '+' || c == '-' || c == '.')) break;
  }
  return std::string_view();
}

absl::Status Check(std::string_view url) {
  std::string_view fragment, query;
  std::string_view rest = Cut(url, '#', &fragment);
  for (char c : rest) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return Error("net/url: invalid control character in URL");
  }
  absl::StatusOr<std::string_view> scheme = Scheme(rest);
  RETURN_IF_ERROR(scheme.status());
  rest = Cut(rest.substr(scheme->size()), '?', &query);
  if (!rest.starts_with("/")) {
    if (!scheme->empty()) return absl::OkStatus();
    if (rest.substr(0, rest.find('/')).find(':') != rest.npos)
      return Error("first path segment in URL cannot contain colon");
  }
  if (rest.starts_with("//") && (!scheme->empty() || !rest.starts_with("///"))) {
    const size_t end = std::min(rest.find('/', 2), rest.size());
    RETURN_IF_ERROR(CheckAuthority(rest.substr(2, end - 2)));
    rest.remove_prefix(end);
  }
  RETURN_IF_ERROR(CheckEscapes(rest));
  return CheckEscapes(fragment);
}

}  // namespace

absl::Status CheckUrl(std::string_view url) {
  absl::Status status = Check(url);
  if (status.ok()) return status;
  return Error(StrCat("parse ", GoQuote(url), ": ", std::string(status.message())));
}

}  // namespace narthex
