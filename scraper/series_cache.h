// What a target's series were last time: text -> slot, in the order of the exposition.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "scraper/parser.h"
#include "tsdb/tsdb.h"

namespace narthex::scraper {

// A steady target's scrape walks the entries in the order of the one before, looks nothing up and writes
// nothing: as long as the page is the last one's, a cursor is all there is of the round. Texts are not kept,
// but their sizes and hashes. Not thread-safe; owner: one ScrapeLoop.
class SeriesCache {
 public:
  struct Entry {
    PageText text() const { return {hash, size}; }
    bool InUse() const { return size != 0; }

    uint64_t hash = 0;  // of the raw series
    uint32_t size = 0;
    tsdb::Slot slot = 0;
    uint32_t position = 0;  // in the last round's order
    uint32_t last_round : 31 = 0;
    uint32_t dropped : 1 = 0;  // by relabelling, or has no samples to store
  };
  // The metadata that stands before a series.
  struct Gap {
    PageText text;
    uint32_t position = 0;               // of the series, in the round's order
    uint32_t first_note = 0, notes = 0;  // for MetadataTable::SkipKnown
  };

  void BeginRound() {
    ++round_;
    cursor_ = next_gap_ = 0;
    steady_ = true;
  }
  // The series that most likely comes next; nullptr if none is known.
  Entry* Predicted() { return cursor_ < previous_.size() ? &(*entries_)[previous_[cursor_]] : nullptr; }
  // Whether PredictedGap() may know something: cheap, as it is asked for each line.
  bool MayHaveGap() const {
    return next_gap_ < previous_gaps_.size() && previous_gaps_[next_gap_].position <= cursor_;
  }
  // What most likely stands before it; nullptr if nothing.
  const Gap* PredictedGap() {
    while (next_gap_ < previous_gaps_.size() && previous_gaps_[next_gap_].position < cursor_) {
      WriteRound();
      ++next_gap_;
    }
    const bool here = next_gap_ < previous_gaps_.size() && previous_gaps_[next_gap_].position == cursor_;
    return here ? &previous_gaps_[next_gap_] : nullptr;
  }
  // Stands before the series that comes next in this round.
  void AddGap(PageText text, uint32_t first_note, uint32_t notes) {
    WriteRound();
    gaps_.push_back({text, static_cast<uint32_t>(order_.size()), first_note, notes});
  }
  // It stood there; it is the next round's prediction, too.
  void TakeGap() {
    const Gap& gap = previous_gaps_[next_gap_++];
    if (!steady_) AddGap(gap.text, gap.first_note, gap.notes);
  }
  Entry* Find(PageText text) {
    MakeIndex();
    auto it = index_.find(text);
    return it == index_.end() ? nullptr : &(*entries_)[*it];
  }
  Entry* Add(PageText text, tsdb::Slot slot) { return New(text, slot, false); }
  Entry* AddDropped(PageText text) {
    ++dropped_;
    return New(text, 0, true);
  }
  // Series that are dropped are remembered too, but not so many that they fill the memory.
  bool MayAddDropped() const { return dropped_ < kMinDropped + 2 * live(); }
  // Marks what Predicted() said as seen, if all was as predicted so far.
  bool TouchPredicted() {
    cursor_ += steady_;
    return steady_;
  }
  // Marks the entry as seen. False if it was already seen in this round.
  bool Touch(Entry* entry) {
    if (steady_ && entry == Predicted()) return TouchPredicted();
    WriteRound();
    const bool first = entry->last_round != round_;
    if (first && entry->last_round == round_ - 1) cursor_ = entry->position + 1;
    if (first) {
      entry->position = static_cast<uint32_t>(order_.size());
      order_.push_back(static_cast<uint32_t>(entry - entries_->data()));
    }
    entry->last_round = round_;
    return first;
  }
  // Forgets what this round did not see, and tells `forget` the slots. After a failed scrape (keep) only if
  // the cache has grown out of hand.
  template <typename Forget>
  void EndRound(bool keep, Forget forget) {
    const bool all = cursor_ == previous_.size() && next_gap_ == previous_gaps_.size();
    if (!all || size() != previous_.size()) WriteRound();
    if (steady_) {
      if (++steady_rounds_ == kSteadyRounds) DropIndex();
    } else {
      steady_rounds_ = 0;
      order_.swap(previous_);
      order_.clear();
      gaps_.swap(previous_gaps_);
      gaps_.clear();
    }
    if (keep && size() <= good_size_ * 2 + 1000) return;
    if (!keep) good_size_ = previous_.size();
    if (size() == previous_.size()) return;
    ForgetUnseen(forget);
  }
  template <typename Forget>
  void Clear(Forget forget) {
    for (const Entry& entry : *entries_) {
      if (entry.InUse() && !entry.dropped) forget(entry.slot);
    }
    *this = SeriesCache();
  }
  size_t size() const { return entries_->size() - free_.size(); }
  // Without the dropped ones.
  size_t live() const { return size() - dropped_; }
  // Whether texts can be looked up without a table being made of them first.
  bool indexed() const { return indexed_; }
  static constexpr int kSteadyRounds = 8;  // after so many nobody is expected to look up anything

 private:
  static constexpr size_t kMinDropped = 10'000;
  using Entries = std::vector<Entry>;
  // The index holds entry numbers; their texts are hashed and compared.
  struct Hash {
    using is_transparent = void;
    const Entries* entries;
    size_t operator()(PageText text) const { return text.hash; }
    size_t operator()(uint32_t id) const { return (*entries)[id].hash; }
  };
  struct Equal {
    using is_transparent = void;
    const Entries* entries;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t a, PageText b) const { return (*entries)[a].text() == b; }
    bool operator()(PageText a, uint32_t b) const { return (*entries)[b].text() == a; }
  };

  // The page is not the last one's: from here on the round has an order of its own.
  void WriteRound() {
    if (!steady_) return;
    steady_ = false;
    for (size_t i = 0; i < previous_.size(); ++i) {
      (*entries_)[previous_[i]].last_round = i < cursor_ ? round_ : round_ - 1;
    }
    order_.assign(previous_.begin(), previous_.begin() + static_cast<ptrdiff_t>(cursor_));
    gaps_.assign(previous_gaps_.begin(), previous_gaps_.begin() + static_cast<ptrdiff_t>(next_gap_));
  }
  // REQUIRES: the round is not steady
  template <typename Forget>
  void ForgetUnseen(Forget forget) {
    MakeIndex();
    for (uint32_t id = 0; id < entries_->size(); ++id) {
      Entry& entry = (*entries_)[id];
      if (!entry.InUse() || entry.last_round == round_) continue;
      if (!entry.dropped) forget(entry.slot);
      index_.erase(id);
      if (entry.dropped) --dropped_;
      entry = Entry();
      free_.push_back(id);
    }
  }

  void MakeIndex() {
    if (indexed_) return;
    indexed_ = true;
    index_.reserve(size());
    for (uint32_t id = 0; id < entries_->size(); ++id) {
      if ((*entries_)[id].InUse()) index_.insert(id);
    }
  }
  void DropIndex() {
    index_ = Index(0, Hash{entries_.get()}, Equal{entries_.get()});
    indexed_ = false;
  }

  Entry* New(PageText text, tsdb::Slot slot, bool dropped) {
    MakeIndex();
    uint32_t id;
    if (free_.empty()) {
      id = static_cast<uint32_t>(entries_->size());
      entries_->emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    Entry& entry = (*entries_)[id];
    entry.hash = text.hash;
    entry.size = text.size;
    entry.slot = slot;
    entry.dropped = dropped;
    index_.insert(id);
    return &entry;
  }

  std::unique_ptr<Entries> entries_ = std::make_unique<Entries>();  // stays where it is when *this moves
  std::vector<uint32_t> free_;
  std::vector<uint32_t> order_, previous_;  // of this round where it is not steady; of the last one
  std::vector<Gap> gaps_, previous_gaps_;
  using Index = absl::flat_hash_set<uint32_t, Hash, Equal>;
  Index index_{0, Hash{entries_.get()}, Equal{entries_.get()}};
  bool indexed_ = true;
  int steady_rounds_ = 0;
  uint32_t round_ = 1;
  bool steady_ = true;  // so far the round is the last one
  size_t cursor_ = 0, next_gap_ = 0, good_size_ = 0, dropped_ = 0;
};

}  // namespace narthex::scraper
