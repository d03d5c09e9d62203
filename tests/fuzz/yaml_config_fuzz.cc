// libFuzzer: any bytes as a configuration: global and scrape_configs sections.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "scraper/scraper.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto root = narthex::YamlNode::Parse(input);
  if (!root.ok() || !root->IsMapping()) return 0;
  auto global =
      narthex::scraper::ParseGlobalConfig(root->Find("global"), [](const std::string&) { return "x"; });
  if (!global.ok()) return 0;
  (void)narthex::scraper::ParseScrapeConfigs(root->Find("scrape_configs"), *global, "/").ok();
  return 0;
}
