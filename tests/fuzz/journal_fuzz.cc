// libFuzzer: any bytes as a journal segment, as one record's payload, and as rounds one after the other.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/format/journal_format.h"
#include "tsdb/format/records.h"

namespace {

// Against an arbitrary value before each.
void CheckFloats(const narthex::tsdb::Record& record) {
  using namespace narthex::tsdb;
  FloatRunReader values(record.floats);
  std::vector<RunFloat> floats = record.floats.floats;
  for (RunFloat& f : floats) {
    f.before = f.link % 7 == 0 ? 0 : static_cast<double>(f.link);
    f.v = values.Next(f.before);
  }
  if (floats.empty() || !values.ok()) return;
  Record again;
  const std::string bytes = EncodeFloatsRecord(UINT64_MAX, floats, record.loose);
  if (!DecodeRecordPayload(bytes, &again)) __builtin_trap();
  FloatRunReader same(again.floats);
  for (const RunFloat& f : floats) {
    if (std::bit_cast<uint64_t>(same.Next(f.before)) != std::bit_cast<uint64_t>(f.v)) __builtin_trap();
  }
}

}  // namespace

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
    CheckFloats(record);
    if (!record.has_round && record.exemplars.empty() && record.floats.floats.empty()) {
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
