#include "tsdb/format/records.h"

#include <algorithm>
#include <cstring>

#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {
enum RecordType : uint8_t {
  kLooseRecord = 1,
  kRoundRecord = 2,
  kExemplarRecord = 3,
  kFloatsRecord = 4
};  // on disk, never renumber
enum SampleFlags : uint8_t { kIsHistogram = 1, kHasStart = 2, kSameSeries = 4, kSameStep = 8 };
}  // namespace

void PutLooseSamples(std::string* out, const std::vector<LooseSample>& samples) {
  PutVarint(out, samples.size());
  int64_t t = 0, step = 0;
  uint32_t series = 0;
  double v = 0;  // the last float of the series
  for (const LooseSample& s : samples) {
    const bool same = s.series == series;
    const int64_t delta = WrapSub(s.sample.t, t);
    const bool same_step = delta == step;
    out->push_back(static_cast<char>((s.sample.h ? kIsHistogram : 0) |
                                     (s.sample.start_t != 0 ? kHasStart : 0) | (same ? kSameSeries : 0) |
                                     (same_step ? kSameStep : 0)));
    if (!same) {
      PutVarint(out, series = s.series);
      v = 0;
    }
    if (!same_step) PutZigZag(out, delta);
    step = delta;
    t = s.sample.t;
    if (s.sample.start_t != 0) PutZigZag(out, WrapSub(s.sample.start_t, t));
    if (s.sample.h) {
      PutHistogram(out, *s.sample.h);
    } else {
      PutValueDelta(out, v, s.sample.v);
      v = s.sample.v;
    }
  }
}

bool ReadLooseSamples(ByteReader* in, std::vector<LooseSample>* out) {
  out->clear();
  const size_t n = in->Count(in->left());
  int64_t t = 0, step = 0;
  uint32_t series = 0;
  double v = 0;
  for (size_t i = 0; i < n && in->ok(); ++i) {
    LooseSample s;
    const uint8_t flags = in->Byte();
    if ((flags & kSameSeries) == 0) {
      series = static_cast<uint32_t>(in->Varint());
      v = 0;
    }
    s.series = series;
    if ((flags & kSameStep) == 0) step = in->SignedVarint();
    s.sample.t = t = WrapAdd(t, step);
    if ((flags & kHasStart) != 0) s.sample.start_t = WrapAdd(t, in->SignedVarint());
    if ((flags & kIsHistogram) != 0)
      s.sample.h = ReadHistogram(in);
    else
      s.sample.v = v = ReadValueDelta(in, v);
    if (in->ok()) out->push_back(std::move(s));
  }
  return in->ok();
}

void PutRound(std::string* out, const Round& round, const Round* previous) {
  const size_t n = round.values.size();
  PutZigZag(out, WrapSub(round.t, previous != nullptr ? previous->t : 0));
  PutVarint(out, n);
  const auto word_of = [](const Bits& bits, size_t w) {
    return w < bits.words().size() ? bits.words()[w] : 0;
  };
  std::vector<uint32_t> flips;
  for (size_t w = 0; w * 64 < n; ++w) {
    const uint64_t was = previous != nullptr ? word_of(previous->present, w) : 0;
    for (uint64_t bits = was ^ word_of(round.present, w); bits != 0; bits &= bits - 1) {
      const size_t i = w * 64 + static_cast<size_t>(std::countr_zero(bits));
      if (i < n) flips.push_back(static_cast<uint32_t>(i));
    }
  }
  PutAscending(out, flips);
  PutAscending(out, round.stale);
  PutAscending(out, round.tracked_only);
  const size_t changed_at = out->size();
  out->append((n + 7) / 8, '\0');
  const size_t known = previous != nullptr ? previous->values.size() : 0;
  char buffer[64 * kLongestValueDelta];
  for (size_t w = 0; w * 64 < n; ++w) {
    char* end = buffer;
    uint64_t changed = 0;
    for (uint64_t bits = word_of(round.present, w); bits != 0; bits &= bits - 1) {
      const size_t i = w * 64 + static_cast<size_t>(std::countr_zero(bits));
      if (i >= n) break;
      const double before = i < known ? previous->values[i] : 0;
      if (std::bit_cast<uint64_t>(before) == std::bit_cast<uint64_t>(round.values[i])) continue;
      changed |= bits & (0 - bits);
      end = WriteValueDelta(end, before, round.values[i]);
    }
    changed = LittleEndian(changed);
    std::memcpy(out->data() + changed_at + w * 8, &changed, std::min<size_t>(8, (n + 7) / 8 - w * 8));
    out->append(buffer, end);
  }
}

bool ReadRound(ByteReader* in, bool keyframe, Round* round) {
  if (keyframe) *round = Round{};
  round->t = WrapAdd(round->t, in->SignedVarint());
  const size_t n = in->Count(kMaxSlots);
  if (!in->ok() || n / 8 > in->left() || n < round->values.size()) {
    in->Fail();
    return false;
  }
  round->values.resize(n, 0);
  round->present.Resize(n);
  std::vector<uint32_t> flips;
  if (!ReadAscending(in, n, &flips) || !ReadAscending(in, n, &round->stale) ||
      !ReadAscending(in, n, &round->tracked_only)) {
    return false;
  }
  for (uint32_t i : flips) {
    const bool now = !round->present.Get(i);
    round->present.Set(i, now);
    if (!now) round->values[i] = 0;  // an absent slot counts as 0 for the next round
  }
  const Bits changed = Bits::Read(in, n);
  if (!in->ok()) return false;
  for (size_t w = 0; w < changed.words().size(); ++w) {
    for (uint64_t bits = changed.words()[w]; bits != 0; bits &= bits - 1) {
      double& v = round->values[w * 64 + std::countr_zero(bits)];
      v = ReadValueDelta(in, v);
    }
  }
  return in->ok();
}

bool ReadRoundHead(std::string_view bytes, int64_t before, int64_t* t, size_t* slots) {
  ByteReader in(bytes);
  *t = WrapAdd(before, in.SignedVarint());
  *slots = in.Count(kMaxSlots);
  return in.ok() && *slots / 8 <= in.left();
}

std::string EncodeRoundRecord(uint32_t group, uint32_t row, std::string_view round_bytes,
                              const std::vector<LooseSample>& loose) {
  constexpr size_t kHeads = 1 + 3 * 5 + 1;
  std::string out;
  out.reserve(kHeads + round_bytes.size() + loose.size() * 16);
  out.push_back(static_cast<char>(kRoundRecord));
  PutVarint(&out, group);
  PutVarint(&out, row);
  PutBytes(&out, round_bytes);
  PutLooseSamples(&out, loose);
  return out;
}

std::string EncodeLooseRecord(const std::vector<LooseSample>& loose) {
  std::string out(1, static_cast<char>(kLooseRecord));
  PutLooseSamples(&out, loose);
  return out;
}

std::string EncodeFloatsRecord(uint64_t base, std::span<const RunFloat> floats,
                               const std::vector<LooseSample>& loose) {
  std::string out(1, static_cast<char>(kFloatsRecord));
  out.reserve(64 + floats.size() * 3);
  PutFloatRuns(&out, base, floats);
  PutLooseSamples(&out, loose);
  PutFloatRunValues(&out, floats);
  return out;
}

void PutExemplar(std::string* out, const Exemplar& e) {
  out->push_back(e.has_t ? 1 : 0);
  PutZigZag(out, e.t);
  PutValueDelta(out, 0, e.value);
  PutBytes(out, e.labels.encoded());
}

bool ReadExemplar(ByteReader* in, Exemplar* e) {
  e->has_t = (in->Byte() & 1) != 0;
  e->t = in->SignedVarint();
  e->value = ReadValueDelta(in, 0);
  const std::string_view labels = in->Bytes();
  if (!in->ok() || !Labels::IsWellFormed(labels)) {
    in->Fail();
    return false;
  }
  e->labels = Labels::FromEncoded(std::string(labels));
  return true;
}

std::string EncodeExemplarRecord(const std::vector<SeriesExemplar>& exemplars) {
  std::string out(1, static_cast<char>(kExemplarRecord));
  PutVarint(&out, exemplars.size());
  for (const SeriesExemplar& e : exemplars) {
    PutVarint(&out, e.series);
    PutExemplar(&out, e.exemplar);
  }
  return out;
}

bool IsLooseOnly(std::string_view payload) {
  return !payload.empty() && (payload[0] == kLooseRecord || payload[0] == kFloatsRecord);
}

bool DecodeRecordPayload(std::string_view payload, Record* record) {
  ByteReader in(payload);
  record->has_round = false;
  record->floats.floats.clear();
  record->floats.values = {};
  record->loose.clear();
  record->exemplars.clear();
  const uint8_t type = in.Byte();
  if (type == kRoundRecord) {
    record->has_round = true;
    record->group = static_cast<uint32_t>(in.Varint());
    record->row = static_cast<uint32_t>(in.Varint());
    record->round_bytes = in.Bytes();
  } else if (type == kExemplarRecord) {
    const size_t n = in.Count(in.left());
    for (size_t i = 0; i < n && in.ok(); ++i) {
      SeriesExemplar e;
      e.series = static_cast<uint32_t>(in.Varint());
      if (ReadExemplar(&in, &e.exemplar)) record->exemplars.push_back(std::move(e));
    }
    return in.ok();
  } else if (type == kFloatsRecord) {
    if (!ReadFloatRuns(&in, &record->floats) || !ReadLooseSamples(&in, &record->loose)) return false;
    record->floats.values = in.Take(in.left());
    return true;
  } else if (type != kLooseRecord) {
    return false;
  }
  return ReadLooseSamples(&in, &record->loose);
}

}  // namespace narthex::tsdb
