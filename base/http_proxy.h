// Which proxy the environment names: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in capitals or not, as Go reads
// them.
#pragma once

#include <string>

namespace narthex {

struct ProxyChoice {
  std::string url;  // "" = none
  std::string no_proxy;
};
// Never a proxy for localhost and loopback addresses.
ProxyChoice ProxyFromEnvironment(const std::string& url);

}  // namespace narthex
