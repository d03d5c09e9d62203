// What a target's series were last time: raw text -> slot, in the order of the exposition.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "base/strings.h"
#include "tsdb/tsdb.h"

namespace narthex::scraper {

// A steady target's scrape walks the entries in the order of the one before, and looks nothing up. Not
// thread-safe; owner: one ScrapeLoop.
class SeriesCache {
 public:
  struct Entry {
    std::unique_ptr<char[]> text;  // the raw series
    uint32_t size = 0;
    tsdb::Slot slot = 0;
    bool dropped = false;   // by relabelling, or has no samples to store
    uint32_t position = 0;  // in the last round's order
    uint64_t last_round = 0;

    std::string_view raw() const { return {text.get(), size}; }
  };

  void BeginRound() {
    ++round_;
    cursor_ = 0;
    order_.swap(previous_);
    order_.clear();
  }
  // The series that most likely comes next; nullptr if none is known.
  Entry* Predicted() { return cursor_ < previous_.size() ? &(*entries_)[previous_[cursor_]] : nullptr; }
  Entry* Find(std::string_view raw) {
    auto it = index_.find(raw);
    return it == index_.end() ? nullptr : &(*entries_)[*it];
  }
  Entry* Add(std::string_view raw, tsdb::Slot slot) { return New(raw, slot, false); }
  Entry* AddDropped(std::string_view raw) {
    ++dropped_;
    return New(raw, 0, true);
  }
  // Series that are dropped are remembered too, but not so many that they fill the memory.
  bool MayAddDropped() const { return dropped_ < kMinDropped + 2 * live(); }
  // Marks the entry as seen. False if it was already seen in this round.
  bool Touch(Entry* entry) {
    const bool first = entry->last_round != round_;
    if (first && entry->last_round + 1 == round_) cursor_ = entry->position + 1;
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
    if (keep && index_.size() <= good_size_ * 2 + 1000) return;
    if (!keep) good_size_ = order_.size();
    if (index_.size() == order_.size()) return;
    for (auto it = index_.begin(); it != index_.end();) {
      const uint32_t id = *it;
      Entry& entry = (*entries_)[id];
      if (entry.last_round == round_) {
        ++it;
        continue;
      }
      if (!entry.dropped) forget(entry.slot);
      index_.erase(it++);
      if (entry.dropped) --dropped_;
      entry = Entry();
      free_.push_back(id);
    }
    if (keep) previous_.clear();
  }
  template <typename Forget>
  void Clear(Forget forget) {
    for (uint32_t id : index_) {
      if (!(*entries_)[id].dropped) forget((*entries_)[id].slot);
    }
    *this = SeriesCache();
  }
  size_t size() const { return index_.size(); }
  // Without the dropped ones.
  size_t live() const { return index_.size() - dropped_; }

 private:
  static constexpr size_t kMinDropped = 10'000;
  using Entries = std::vector<Entry>;
  // The index holds entry numbers; their texts are hashed and compared.
  struct Hash {
    using is_transparent = void;
    const Entries* entries;
    size_t operator()(std::string_view raw) const { return absl::HashOf(ToAbsl(raw)); }
    size_t operator()(uint32_t id) const { return (*this)((*entries)[id].raw()); }
  };
  struct Equal {
    using is_transparent = void;
    const Entries* entries;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t a, std::string_view b) const { return (*entries)[a].raw() == b; }
    bool operator()(std::string_view a, uint32_t b) const { return (*entries)[b].raw() == a; }
  };

  Entry* New(std::string_view raw, tsdb::Slot slot, bool dropped) {
    uint32_t id;
    if (free_.empty()) {
      id = static_cast<uint32_t>(entries_->size());
      entries_->emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    Entry& entry = (*entries_)[id];
    entry.text = std::make_unique_for_overwrite<char[]>(raw.size());
    std::memcpy(entry.text.get(), raw.data(), raw.size());
    entry.size = static_cast<uint32_t>(raw.size());
    entry.slot = slot;
    entry.dropped = dropped;
    index_.insert(id);
    return &entry;
  }

  std::unique_ptr<Entries> entries_ = std::make_unique<Entries>();  // stays where it is when *this moves
  std::vector<uint32_t> free_, order_, previous_;
  absl::flat_hash_set<uint32_t, Hash, Equal> index_{0, Hash{entries_.get()}, Equal{entries_.get()}};
  uint64_t round_ = 1;
  size_t cursor_ = 0, good_size_ = 0, dropped_ = 0;
};

}  // namespace narthex::scraper
