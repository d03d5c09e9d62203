// Scrape protocols and name escaping: the words of the configuration and what they mean on the wire.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace narthex::scraper {

const std::vector<std::string>& DefaultScrapeProtocols();
// With native histograms protobuf comes first.
const std::vector<std::string>& ProtobufFirstScrapeProtocols();
absl::Status ValidateScrapeProtocol(std::string_view protocol);
// Errors lack the "for scrape config ..." that the caller adds.
absl::Status ValidateScrapeProtocols(const std::vector<std::string>& protocols);
// The Accept header.
std::string AcceptHeader(const std::vector<std::string>& protocols, std::string_view escaping_scheme);

bool IsEscapingScheme(std::string_view scheme);

}  // namespace narthex::scraper
