#include "tsdb/postings.h"

#include <algorithm>

#include "tsdb/memory.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kContainerBytes = 56;  // what a container takes besides its ids

}  // namespace

void Postings::Add(SeriesId id) {
  if (many_ == nullptr) {
    const auto at = std::lower_bound(few_.begin(), few_.end(), id);
    if (at != few_.end() && *at == id) return;
    few_.insert(at, id);
    if (few_.size() <= kFew) return;
    BecomeMany();
    Pack();
    return;
  }
  // Mostly it is a new one, which need not be looked for.
  bool added = id > many_->last;
  if (added)
    many_->ids.add(id);
  else
    added = many_->ids.addChecked(id);
  if (added) {
    ++many_->count;
    many_->last = std::max(many_->last, id);
    many_->bytes += sizeof(uint16_t);
    if (many_->count >= many_->packed + many_->packed / 16 + kFew) Pack();
  }
}

void Postings::AddMany(std::span<const SeriesId> ids) {
  if (ids.empty()) return;
  if (many_ == nullptr) {
    const auto middle = static_cast<ptrdiff_t>(few_.size());
    few_.insert(few_.end(), ids.begin(), ids.end());
    if (middle > 0 && few_[static_cast<size_t>(middle) - 1] > ids.front())
      std::inplace_merge(few_.begin(), few_.begin() + middle, few_.end());
    if (few_.size() > kFew) BecomeMany();
    return;
  }
  if (ids.back() - ids.front() + 1 == ids.size())
    roaring_bitmap_add_range_closed(&many_->ids.roaring, ids.front(), ids.back());
  else
    many_->ids.addMany(ids.size(), ids.data());
  many_->count += ids.size();
  many_->last = std::max(many_->last, ids.back());
}

void Postings::BecomeMany() {
  many_ = std::make_unique<Many>();
  many_->ids.addMany(few_.size(), few_.data());
  many_->count = few_.size();
  many_->last = few_.back();
  few_ = {};
}

void Postings::Finish() {
  if (many_ != nullptr && many_->packed != many_->count) Pack();
  few_.shrink_to_fit();
}

// Ids in a row become runs.
void Postings::Pack() {
  many_->ids.runOptimize();
  many_->ids.shrinkToFit();
  many_->packed = many_->count;
  const size_t containers = static_cast<size_t>(many_->ids.roaring.high_low_container.size);
  many_->bytes = containers * kContainerBytes + many_->ids.getSizeInBytes(/*portable=*/false);
}

void Postings::Remove(const Roaring& gone) {
  if (many_ == nullptr) {
    std::erase_if(few_, [&](SeriesId id) { return gone.contains(id); });
    return;
  }
  many_->ids -= gone;
  many_->count = many_->ids.cardinality();
  if (many_->count > kFew / 2) return Pack();
  AppendTo(&few_);
  many_.reset();
}

void Postings::AppendTo(std::vector<SeriesId>* out) const {
  if (many_ == nullptr) {
    out->insert(out->end(), few_.begin(), few_.end());
    return;
  }
  const size_t before = out->size();
  out->resize(before + many_->count);
  many_->ids.toUint32Array(out->data() + before);
}

void Postings::Keep(bool in, std::vector<SeriesId>* ids) const {
  // Reading an id off a bitmap costs a small part of looking one up.
  constexpr size_t kReadsALookUp = 16;
  if (many_ != nullptr && many_->count / kReadsALookUp > ids->size()) {
    std::erase_if(*ids, [&](SeriesId id) { return many_->ids.contains(id) != in; });
    return;
  }
  std::vector<SeriesId> read;
  if (many_ != nullptr) AppendTo(&read);
  const std::vector<SeriesId>& mine = many_ != nullptr ? read : few_;
  auto at = mine.begin();
  std::erase_if(*ids, [&](SeriesId id) {
    while (at != mine.end() && *at < id) ++at;
    return (at != mine.end() && *at == id) != in;
  });
}

std::vector<SeriesId> Postings::Common(const Postings& other) const {
  std::vector<SeriesId> out;
  if (many_ == nullptr || other.many_ == nullptr) {
    const Postings& shorter = many_ == nullptr ? *this : other;
    shorter.AppendTo(&out);
    (many_ == nullptr ? other : *this).Keep(true, &out);
    return out;
  }
  const Roaring both = many_->ids & other.many_->ids;
  out.resize(both.cardinality());
  both.toUint32Array(out.data());
  return out;
}

bool Postings::Any(const Filter& filter) const {
  if (many_ == nullptr) return filter(few_);
  roaring_uint32_iterator_t at;
  roaring_init_iterator(&many_->ids.roaring, &at);
  // Mostly the first one passes; else fewer and larger questions.
  if (at.has_value && filter(std::span(&at.current_value, 1))) return true;
  roaring_advance_uint32_iterator(&at);
  std::vector<SeriesId> some(16);
  while (true) {
    const uint32_t n = roaring_read_uint32_iterator(&at, some.data(), static_cast<uint32_t>(some.size()));
    if (n == 0) return false;
    if (filter(std::span(some).first(n))) return true;
    some.resize(std::min<size_t>(some.size() * 4, 4096));
  }
}

bool Postings::AnyOf(std::span<const SeriesId> among, const Filter& filter) const {
  if (many_ == nullptr) {
    return std::any_of(few_.begin(), few_.end(), [&](SeriesId id) {
      return std::binary_search(among.begin(), among.end(), id) && filter(std::span(&id, 1));
    });
  }
  roaring_uint32_iterator_t at;
  roaring_init_iterator(&many_->ids.roaring, &at);
  while (at.has_value && !among.empty()) {
    if (at.current_value < among.front()) {
      roaring_move_uint32_iterator_equalorlarger(&at, among.front());
    } else if (at.current_value > among.front()) {
      const auto next = std::lower_bound(among.begin(), among.end(), at.current_value);
      among = among.subspan(static_cast<size_t>(next - among.begin()));
    } else {
      if (filter(among.first(1))) return true;
      among = among.subspan(1);
    }
  }
  return false;
}

size_t Postings::MemoryBytes() const {
  if (many_ == nullptr) return VectorBytes(few_);
  return many_->bytes + HeapBytes(sizeof(Many));
}

}  // namespace narthex::tsdb
