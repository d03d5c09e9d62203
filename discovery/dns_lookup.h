// Questions to the domain name system. The one file pair that uses the resolver library.
#pragma once

#include <span>
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
// The records of `type` (A, AAAA, MX, NS, SRV) in an answer as it came over the wire; names without the dot
// at their end. Others are left out. InvalidArgument "broken answer".
absl::StatusOr<std::vector<DnsRecord>> ParseDnsAnswer(std::span<const unsigned char> answer,
                                                      const std::string& type);
// Blocks for at most some seconds. Errors: "could not resolve \"NAME\": ...".
absl::StatusOr<std::vector<DnsRecord>> LookupDns(const std::string& name, const std::string& type,
                                                 const DnsServer* server = nullptr);

}  // namespace narthex::discovery
