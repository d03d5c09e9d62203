// libFuzzer: any bytes as a journal segment, as one record's payload, and as rounds one after the other.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/format/journal_format.h"
#include "tsdb/format/records.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::tsdb;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  SegmentHeader header;
  (void)DecodeSegmentHeader(input, &header);
  uint64_t sequence = 0;
  std::string_view payload;
  (void)DecodeRecord(1, input, &sequence, &payload);
  Record record;
  if (DecodeRecordPayload(input, &record)) {
    Round round;
    ByteReader in(record.round_bytes);
    (void)ReadRound(&in, true, &round);
    // What was read must be written and read again as the same.
    if (!record.has_round && record.exemplars.empty()) {
      Record again;
      if (!DecodeRecordPayload(EncodeLooseRecord(record.loose), &again)) __builtin_trap();
      if (again.loose.size() != record.loose.size()) __builtin_trap();
    }
  }
  ByteReader in(input);
  Round round;
  for (bool keyframe = true; in.ok() && !in.done(); keyframe = false) {
    if (!ReadRound(&in, keyframe, &round) || round.values.size() > 100'000) break;
  }
  return 0;
}
