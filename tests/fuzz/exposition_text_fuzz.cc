// libFuzzer: any bytes as a Prometheus text exposition.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "scraper/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string body(input);
  auto parser = narthex::scraper::NewTextParser(&body, {});
  narthex::scraper::LabelPairs labels;
  while (true) {
    auto kind = parser->Next();
    if (!kind.ok() || *kind == narthex::scraper::EntryKind::kEnd) break;
    if (*kind == narthex::scraper::EntryKind::kSeries) parser->BuildLabels(&labels);
    if (*kind == narthex::scraper::EntryKind::kHelp) (void)parser->help();
  }
  return 0;
}
