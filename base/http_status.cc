#include "base/http_status.h"

#include <utility>

#include "base/strings.h"

namespace narthex {

std::string_view HttpStatusText(int code) {
  static constexpr std::pair<int, std::string_view> kTexts[] = {{200, "OK"},
                                                                {201, "Created"},
                                                                {202, "Accepted"},
                                                                {204, "No Content"},
                                                                {301, "Moved Permanently"},
                                                                {302, "Found"},
                                                                {304, "Not Modified"},
                                                                {307, "Temporary Redirect"},
                                                                {308, "Permanent Redirect"},
                                                                {400, "Bad Request"},
                                                                {401, "Unauthorized"},
                                                                {403, "Forbidden"},
                                                                {404, "Not Found"},
                                                                {405, "Method Not Allowed"},
                                                                {406, "Not Acceptable"},
                                                                {408, "Request Timeout"},
                                                                {410, "Gone"},
                                                                {413, "Request Entity Too Large"},
                                                                {415, "Unsupported Media Type"},
                                                                {422, "Unprocessable Entity"},
                                                                {429, "Too Many Requests"},
                                                                {431, "Request Header Fields Too Large"},
                                                                {500, "Internal Server Error"},
                                                                {501, "Not Implemented"},
                                                                {502, "Bad Gateway"},
                                                                {503, "Service Unavailable"},
                                                                {504, "Gateway Timeout"}};
  for (const auto& [known, text] : kTexts) {
    if (known == code) return text;
  }
  return "";
}

std::string HttpReason(int code) {
  std::string_view text = HttpStatusText(code);
  return text.empty() ? StrCat(code, " status code ", code) : StrCat(code, " ", text);
}

std::string HttpStatusLine(int code) {
  std::string_view text = HttpStatusText(code);
  return StrCat(code, text.empty() ? "" : " ", text);
}

}  // namespace narthex
