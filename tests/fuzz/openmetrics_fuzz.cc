// libFuzzer: any bytes as an OpenMetrics exposition, with start timestamps and exemplars.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "scraper/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto parser = narthex::scraper::NewOpenMetricsParser(input, {true, true});
  narthex::scraper::LabelPairs labels;
  while (true) {
    auto kind = parser->Next();
    if (!kind.ok() || *kind == narthex::scraper::EntryKind::kEnd) break;
    if (*kind != narthex::scraper::EntryKind::kSeries) continue;
    parser->BuildLabels(&labels);
    (void)parser->StartTimestamp();
    if (parser->has_exemplar()) (void)parser->Exemplars();
  }
  return 0;
}
