// libFuzzer: any bytes as what discovery is told: a file of targets, Docker's lists, an answer of the name
// service.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "discovery/dns_lookup.h"
#include "discovery/sources.h"
#include "discovery/target_groups.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::discovery;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const char* const types[] = {"A", "AAAA", "MX", "NS", "SRV"};
  (void)ParseDnsAnswer({data + 1, size - 1}, types[data[0] % 5]).ok();
  (void)ParseTargetFile("fuzz.json", input).ok();
  (void)ParseTargetGroups("fuzz", input).ok();
  const std::string_view::size_type cut = input.find('\n');
  const std::string_view containers = input.substr(0, cut);
  (void)ParseDockerTargets({}, containers, cut == input.npos ? "[]" : input.substr(cut + 1)).ok();
  return 0;
}
