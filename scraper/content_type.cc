// Content-Type of an exposition, judged as Go's mime package does.
#include <set>
#include <string>

#include "absl/status/statusor.h"

#include "base/go_format.h"
#include "scraper/parser.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

bool IsTokenChar(char c) {
  return c > 0x20 && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

std::string_view TakeToken(std::string_view* s) {
  size_t n = 0;
  while (n < s->size() && IsTokenChar((*s)[n])) ++n;
  std::string_view token = s->substr(0, n);
  s->remove_prefix(n);
  return token;
}

bool TakeQuoted(std::string_view* s) {
  for (size_t i = 1; i < s->size(); ++i) {
    if ((*s)[i] == '\\') {
      ++i;
    } else if ((*s)[i] == '"') {
      s->remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

absl::Status CheckParameters(std::string_view rest) {
  std::set<std::string> seen;
  while (true) {
    rest = StripLeft(rest);
    if (rest.empty() || rest == ";") return absl::OkStatus();
    if (rest[0] != ';') return absl::InvalidArgumentError("mime: invalid media parameter");
    rest = StripLeft(rest.substr(1));
    std::string name = ToLower(TakeToken(&rest));
    rest = StripLeft(rest);
    if (name.empty() || rest.empty() || rest[0] != '=') {
      return absl::InvalidArgumentError("mime: invalid media parameter");
    }
    rest = StripLeft(rest.substr(1));
    bool ok = !rest.empty() && (rest[0] == '"' ? TakeQuoted(&rest) : !TakeToken(&rest).empty());
    if (!ok) return absl::InvalidArgumentError("mime: invalid media parameter");
    if (!seen.insert(name).second) return absl::InvalidArgumentError("mime: duplicate parameter name");
  }
}

absl::StatusOr<std::string> ParseMediaType(std::string_view header) {
  std::string_view base = header.substr(0, header.find(';'));
  std::string type = ToLower(Strip(base));
  std::string_view rest = type;
  if (TakeToken(&rest).empty()) return absl::InvalidArgumentError("mime: no media type");
  if (!rest.empty()) {
    if (rest[0] != '/') return absl::InvalidArgumentError("mime: expected slash after first token");
    rest.remove_prefix(1);
    if (TakeToken(&rest).empty()) return absl::InvalidArgumentError("mime: expected token after slash");
    if (!rest.empty()) return absl::InvalidArgumentError("mime: unexpected content after media subtype");
  }
  absl::Status parameters = CheckParameters(header.substr(base.size()));
  if (!parameters.ok()) return parameters;
  return type;
}

std::string_view FallbackMediaType(std::string_view protocol) {
  if (protocol.empty()) return "";
  if (protocol == "PrometheusProto") return "application/vnd.google.protobuf";
  return protocol.starts_with("OpenMetrics") ? "application/openmetrics-text" : "text/plain";
}

FormatChoice Choice(std::string_view media_type, std::string warning) {
  FormatChoice choice{Format::kText, std::move(warning)};
  if (media_type == "application/openmetrics-text") choice.format = Format::kOpenMetrics;
  if (media_type == "application/vnd.google.protobuf") choice.format = Format::kProtobuf;
  return choice;
}

}  // namespace

absl::StatusOr<FormatChoice> ChooseFormat(std::string_view content_type, std::string_view fallback_protocol) {
  std::string_view fallback = FallbackMediaType(fallback_protocol);
  const std::string using_fallback = StrCat(", using fallback_scrape_protocol ", GoQuote(fallback));
  if (content_type.empty()) {
    const std::string_view blank = "non-compliant scrape target sending blank Content-Type";
    if (!fallback.empty()) return Choice(fallback, StrCat(blank, using_fallback));
    return absl::InvalidArgumentError(StrCat(blank, " and no fallback_scrape_protocol specified for target"));
  }
  absl::StatusOr<std::string> type = ParseMediaType(content_type);
  if (!type.ok()) {
    if (!fallback.empty()) {
      return Choice(fallback, StrCat("could not parse received Content-Type ", GoQuote(content_type),
                                     using_fallback, "\n", Message(type.status())));
    }
    return absl::InvalidArgumentError(StrCat("cannot parse Content-Type ", GoQuote(content_type),
                                             " and no fallback_scrape_protocol for target\n",
                                             Message(type.status())));
  }
  if (*type == "application/openmetrics-text" || *type == "application/vnd.google.protobuf" ||
      *type == "text/plain") {
    return Choice(*type, "");
  }
  std::string unsupported = StrCat("received unsupported Content-Type ", GoQuote(content_type));
  if (!fallback.empty()) return Choice(fallback, StrCat(unsupported, using_fallback));
  return absl::InvalidArgumentError(
      StrCat(unsupported, " and no fallback_scrape_protocol specified for target"));
}

}  // namespace narthex::scraper
