// libFuzzer: any bytes as the index rows that are more than a number.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tsdb/format/crc.h"
#include "tsdb/format/index_rows.h"
#include "tsdb/format/keys.h"
#include "tsdb/manifest.h"
#include "tsdb/series_index.h"

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
  // Behind a version and under a checksum that are right: what is read is written again as it was.
  std::string row_bytes = "\x01" + std::string(input);
  PutFixed32(&row_bytes, Crc32c(0, row_bytes));
  SeriesRow row, again;
  if (DecodeSeriesRow(row_bytes, &row)) {
    const std::string written = EncodeSeriesRow(row);
    if (!DecodeSeriesRow(written, &again) || again.ids != row.ids || again.labels != row.labels)
      __builtin_trap();
    if (!row.ids.empty() && row.ids.back() > 1000) return 0;  // a table by id
    SeriesIndex index;
    index.Load(row);
    index.FinishLoad();
  }
  std::vector<SlotRun> runs;
  (void)DecodeSlotRow(row_bytes, &runs);
  return 0;
}
