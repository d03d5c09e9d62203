#include "tsdb/loose_store.h"

#include <algorithm>

#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {
enum Flags : uint8_t { kHistogram = 1, kStart = 2, kSameStep = 4 };
constexpr uint32_t kMarkEvery = 32;
constexpr uint8_t kMaxChained = 31;
static_assert(sizeof(LooseColumn) == 64);

size_t HeapOf(const Sample* s) {
  if (s == nullptr) return 0;
  if (s->h == nullptr) return HeapBytes(sizeof(Sample));
  const FloatHistogram& h = *s->h;
  return HeapBytes(sizeof(Sample)) + HeapBytes(sizeof(FloatHistogram) + 16) + VectorBytes(h.positive_spans) +
         VectorBytes(h.negative_spans) + VectorBytes(h.positive_buckets) + VectorBytes(h.negative_buckets) +
         VectorBytes(h.custom_values);
}

bool IsPlain(const Sample& s) { return s.h == nullptr && s.start_t == 0; }

}  // namespace

LooseColumn* LooseStore::ColumnOf(SeriesId id) {
  uint32_t& place = places_[id];
  if (place == 0) {
    if (size_ % kSlab == 0) slabs_.emplace_back(new LooseColumn[kSlab]);
    place = ++size_;
    At(place - 1).id = id;
    ++series_;
  }
  return &At(place - 1);
}

void LooseStore::SetLast(LooseColumn* column, const Sample& sample) {
  heap_ -= HeapOf(column->newest.get());
  column->newest = std::make_unique<Sample>(sample);
  heap_ += HeapOf(column->newest.get());
}

void LooseStore::Forget(SeriesId id) {
  if (places_.Get(id) == 0) return;
  uint32_t& place = places_[id];
  LooseColumn& column = At(place - 1);
  heap_ -= HeapOf(column.newest.get());
  column = LooseColumn{};
  place = 0;
  --series_;
}

void LooseStore::Add(const Sample& s, LooseColumn* column) {
  LooseColumn& c = *column;
  const int64_t last_t = c.last_t();
  if (s.t < last_t) {
    if (c.newest == nullptr) SetLast(&c, c.last());
  } else if (!IsPlain(s)) {
    SetLast(&c, s);
  } else if (c.newest != nullptr) {
    heap_ -= HeapOf(c.newest.get());
    c.newest.reset();
  }
  const bool anew = c.count % kMarkEvery == 0;
  const int64_t delta = WrapSub(s.t, anew ? 0 : c.coder_t);
  const bool same_step = !anew && delta == c.coder_delta;
  c.plain = c.plain && IsPlain(s) && (c.count == 0 || s.t > c.coder_t);
  coded_.assign(1, static_cast<char>((s.h ? kHistogram : 0) | (s.start_t != 0 ? kStart : 0) |
                                     (same_step ? kSameStep : 0)));
  if (!same_step) PutZigZag(&coded_, delta);
  if (s.start_t != 0) PutZigZag(&coded_, WrapSub(s.start_t, s.t));
  if (s.h) {
    PutHistogram(&coded_, *s.h);
    if (anew) c.coder_v = 0;
  } else {
    PutValueDelta(&coded_, anew ? 0 : c.coder_v, s.v);
    c.coder_v = s.v;
  }
  ByteBlocks::Position end = c.end();
  const ByteBlocks::Position begin = blocks_.Append(coded_, &end);
  if (c.count == 0) {
    c.first_block = begin.block;
  } else if (anew) {
    c.mark_blocks[0] = c.mark_blocks[1];
    c.mark_offsets[0] = c.mark_offsets[1];
    c.mark_blocks[1] = begin.block;
    c.mark_offsets[1] = begin.offset;
  }
  c.end_block = end.block;
  c.end_offset = end.offset;
  c.coder_t = s.t;
  c.coder_delta = anew ? 0 : delta;
  c.record = 0;
  ++c.count;
  ++samples_;
  min_t_ = std::min(min_t_, s.t);
  max_t_ = std::max(max_t_, s.t);
  bytes_ += coded_.size();
}

void LooseStore::Read(SeriesId id, uint32_t limit, std::vector<Sample>* out) const {
  const LooseColumn* column = Find(id);
  if (column == nullptr || column->count == 0) return;
  std::string bytes;
  blocks_.Read(column->begin(), column->end(), &bytes);
  ByteReader in(bytes);
  int64_t t = 0, delta = 0;
  double v = 0;
  const uint32_t count = std::min(limit, column->count);
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    const bool anew = i % kMarkEvery == 0;
    if (anew) t = 0, v = 0;
    const uint8_t flags = in.Byte();
    Sample s;
    if ((flags & kSameStep) == 0) delta = in.SignedVarint();
    s.t = t = WrapAdd(t, delta);
    if (anew) delta = 0;
    if ((flags & kStart) != 0) s.start_t = WrapAdd(t, in.SignedVarint());
    if ((flags & kHistogram) != 0)
      s.h = ReadHistogram(&in);
    else
      s.v = v = ReadValueDelta(&in, v);
    if (in.ok()) out->push_back(std::move(s));
  }
}

bool LooseStore::ReadFloats(SeriesId id, uint32_t limit, std::vector<int64_t>* times,
                            std::vector<double>* values, int64_t mint) const {
  times->clear();
  values->clear();
  const LooseColumn* column = Find(id);
  return column == nullptr || ReadFloats(*column, limit, times, values, mint);
}

bool LooseStore::ReadFloats(const LooseColumn& c, uint32_t limit, std::vector<int64_t>* times,
                            std::vector<double>* values, int64_t mint) const {
  times->clear();
  values->clear();
  if (!c.plain) return false;
  const uint32_t count = std::min(limit, c.count);
  if (count == 0) return true;
  // The newest mark with all wanted samples behind it.
  std::string bytes;
  uint32_t done = 0;
  for (int i = 1; i >= 0 && done == 0 && mint != INT64_MIN; --i) {
    if (c.mark_blocks[i] == ByteBlocks::kNone) continue;
    const uint32_t before = ((c.count - 1) / kMarkEvery - (i == 1 ? 0 : 1)) * kMarkEvery;
    if (before >= count) continue;
    blocks_.Read({c.mark_blocks[i], c.mark_offsets[i]}, c.end(), &bytes);
    ByteReader in(std::string_view(bytes).substr(1));
    if (in.SignedVarint() <= mint) done = before;
  }
  if (done == 0) blocks_.Read(c.begin(), c.end(), &bytes);
  times->resize(count - done);
  values->resize(count - done);
  ByteReader in(bytes);
  ValueDeltas deltas;
  int64_t t = 0, delta = 0;
  for (size_t i = 0; i < times->size(); ++i) {
    const bool anew = i % kMarkEvery == 0;
    if (anew) {
      t = 0;
      deltas = ValueDeltas();
    }
    const uint8_t flags = in.Byte();
    if ((flags & kSameStep) == 0) delta = in.SignedVarint();
    (*times)[i] = t = WrapAdd(t, delta);
    if (anew) delta = 0;
    (*values)[i] = deltas.Read(&in);
  }
  return true;
}

size_t LooseStore::MemoryBytes() const {
  return heap_ + places_.MemoryBytes() + blocks_.MemoryBytes() + VectorBytes(slabs_) +
         slabs_.size() * HeapBytes(sizeof(LooseColumn) * kSlab);
}

RunFloat LooseStore::ForJournal(const LooseSample& s, const LooseColumn& c) const {
  RunFloat out{s.series, s.sample.t, 0, 0, s.sample.v};
  if (c.record == 0 || c.chained >= kMaxChained) return out;
  out.link = first_sequence + c.record - 1;
  out.before = c.coder_v;
  return out;
}

bool LooseStore::Before(const RunFloat& f, const LooseColumn& c, double* before) const {
  *before = 0;
  if (f.link == 0) return true;
  *before = c.coder_v;
  return c.record != 0 && first_sequence + c.record - 1 == f.link;
}

void LooseStore::NoteRecord(uint64_t sequence, bool linked, LooseColumn* column) const {
  const uint64_t record = sequence - first_sequence + 1;
  column->record = record <= UINT32_MAX ? static_cast<uint32_t>(record) : 0;
  column->chained = static_cast<uint8_t>(linked ? column->chained + 1 : 0) & 0x7f;
}

void LooseStore::InheritLast(const LooseStore& other, int64_t since) {
  other.ForEach([&](const LooseColumn& c) {
    if (c.last_t() >= since) NoteLast(c.id, c.last());
  });
}

void LooseStore::NoteLast(SeriesId id, const Sample& sample) {
  LooseColumn* c = ColumnOf(id);
  if (sample.t <= c->last_t()) return;
  if (c->count > 0 || !IsPlain(sample)) return SetLast(c, sample);
  heap_ -= HeapOf(c->newest.get());
  c->newest.reset();
  c->coder_t = sample.t;
  c->coder_v = sample.v;
}

}  // namespace narthex::tsdb
