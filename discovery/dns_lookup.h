// Questions to the domain name system. The one file pair that uses the resolver library.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "discovery/discovery.h"

namespace narthex::discovery {

// A server to ask instead of the system's; no search list then.
struct DnsServer {
  std::string ip;  // IPv4
  int port = 53;
};
// Blocks for at most some seconds. Errors: "could not resolve \"NAME\": ...".
absl::StatusOr<std::vector<DnsRecord>> LookupDns(const std::string& name, const std::string& type,
                                                 const DnsServer* server = nullptr);

}  // namespace narthex::discovery
