// What a journal record says: one commit. A round of a group (values against the round before) and loose
// samples.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/format/bytes.h"
#include "tsdb/format/float_runs.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

inline constexpr size_t kMaxSlots = size_t{1} << 24;  // of a group

// A sample that is not part of a round: own timestamp, histogram, start timestamp or late.
struct LooseSample {
  uint32_t series = 0;
  Sample sample;
  bool first = false;  // of its series in this commit, and a float without start timestamp
};
void PutLooseSamples(std::string* out, const std::vector<LooseSample>& samples);
bool ReadLooseSamples(ByteReader* in, std::vector<LooseSample>* out);

// One round of a group. `values` is meaningful where `present` is set.
struct Round {
  int64_t t = 0;
  std::vector<double> values;
  Bits present;
  std::vector<uint32_t> stale;  // slots that got a stale marker
  std::vector<uint32_t>
      tracked_only;  // slots without a value here that count as seen (their sample is loose)
};
// A round against the one before it in the same tile; `previous` null = keyframe.
void PutRound(std::string* out, const Round& round, const Round* previous);
// *round holds the previous round on entry (ignored by a keyframe) and this one on return.
bool ReadRound(ByteReader* in, bool keyframe, Round* round);
// Only its time and number of slots, `before` being the time of the round before it (0: none).
bool ReadRoundHead(std::string_view bytes, int64_t before, int64_t* t, size_t* slots);

struct SeriesExemplar {
  uint32_t series = 0;
  Exemplar exemplar;
};
void PutExemplar(std::string* out, const Exemplar& exemplar);
bool ReadExemplar(ByteReader* in, Exemplar* exemplar);

struct Record {
  bool has_round = false;
  uint32_t group = 0;
  uint32_t row = 0;              // the round's place in its tile: 0 = keyframe
  std::string_view round_bytes;  // for ReadRound
  FloatRuns floats;              // before the loose samples
  std::vector<LooseSample> loose;
  std::vector<SeriesExemplar> exemplars;
};
std::string EncodeExemplarRecord(const std::vector<SeriesExemplar>& exemplars);
std::string EncodeRoundRecord(uint32_t group, uint32_t row, std::string_view round_bytes,
                              const std::vector<LooseSample>& loose);
std::string EncodeLooseRecord(const std::vector<LooseSample>& loose);
std::string EncodeFloatsRecord(uint64_t base, std::span<const RunFloat> floats,
                               const std::vector<LooseSample>& loose);
// Whether it has nothing but loose samples and floats.
bool IsLooseOnly(std::string_view payload);
bool DecodeRecordPayload(std::string_view payload, Record* record);

}  // namespace narthex::tsdb
