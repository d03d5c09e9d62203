// The parts of an absolute URL.
#pragma once

#include <string>
#include <string_view>

namespace narthex {

struct UrlParts {
  std::string scheme, host, port;  // host without brackets; port "" if none is given
  std::string host_port;           // as written, without user and password
  std::string path_and_query;      // from the first '/', '?' or '#' on
};
UrlParts SplitUrl(std::string_view url);

}  // namespace narthex
