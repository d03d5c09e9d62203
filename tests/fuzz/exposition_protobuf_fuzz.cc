// libFuzzer: any bytes as a protobuf exposition, as it is and with classic histograms converted.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "scraper/histogram_limits.h"
#include "scraper/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::scraper;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  ScrapeConfig config;
  config.native_histogram_bucket_limit = 20;
  LabelPairs labels;
  for (bool convert : {false, true}) {
    ParserOptions options{.type_and_unit_labels = true, .keep_classic = true};
    auto parser = NewProtobufParser(input, options);
    if (convert) parser = NewHistogramConverter(std::move(parser), options);
    while (true) {
      auto kind = parser->Next();
      if (!kind.ok() || *kind == EntryKind::kEnd) break;
      if (*kind != EntryKind::kSeries && *kind != EntryKind::kHistogram) continue;
      parser->BuildLabels(&labels);
      (void)parser->StartTimestamp();
      if (parser->has_exemplar()) (void)parser->Exemplars();
      if (*kind == EntryKind::kHistogram) (void)LimitHistogram(parser->Histogram(), config);
    }
  }
  return 0;
}
