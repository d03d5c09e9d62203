#include "base/http_proxy.h"

#include <cstdlib>

#include "base/http_url.h"

namespace narthex {
namespace {

std::string Environment(const char* upper, const char* lower) {
  for (const char* name : {upper, lower}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

}  // namespace

ProxyChoice ProxyFromEnvironment(const std::string& url) {
  const UrlParts parts = SplitUrl(url);
  if (parts.host == "localhost" || parts.host.starts_with("127.") || parts.host == "::1") return {};
  ProxyChoice choice;
  choice.url = parts.scheme == "https" ? Environment("HTTPS_PROXY", "https_proxy")
                                       : Environment("HTTP_PROXY", "http_proxy");
  choice.no_proxy = Environment("NO_PROXY", "no_proxy");
  return choice;
}

}  // namespace narthex
