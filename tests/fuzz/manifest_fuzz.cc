// libFuzzer: any bytes as the index rows that are more than a number.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tsdb/format/crc.h"
#include "tsdb/format/keys.h"
#include "tsdb/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::tsdb;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Manifest manifest;
  (void)manifest.Decode(input);
  (void)DecodeIntervals(input);
  StripeKey stripe;
  (void)DecodeStripeKey(input, &stripe);
  DayKey day;
  (void)DecodeDayKey(input, &day);
  std::string sealed(input);
  PutFixed32(&sealed, Crc32c(0, sealed));
  Roaring series;
  (void)DecodeSeriesSet(sealed, &series);
  return 0;
}
