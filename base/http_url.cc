#include "base/http_url.h"

namespace narthex {

UrlParts SplitUrl(std::string_view url) {
  UrlParts parts;
  if (size_t colon = url.find("://"); colon != url.npos) {
    parts.scheme = url.substr(0, colon);
    url.remove_prefix(colon + 3);
  }
  const size_t end = std::min(url.find_first_of("/?#"), url.size());
  parts.path_and_query = url.substr(end);
  std::string_view authority = url.substr(0, end);
  if (size_t at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  parts.host_port = authority;
  const size_t bracket = authority.find(']');
  const size_t colon = authority.rfind(':');
  if (colon != authority.npos && (bracket == authority.npos || colon > bracket)) {
    parts.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  if (bracket != authority.npos && authority.starts_with("[")) authority = authority.substr(1, bracket - 1);
  parts.host = authority;
  return parts;
}

}  // namespace narthex
