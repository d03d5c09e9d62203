// What a target's series were last time: raw text -> slot, in the order of the exposition.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/strings.h"
#include "tsdb/tsdb.h"

namespace narthex::scraper {

// A steady target's scrape walks the entries in the order of the one before, and looks nothing up. Not
// thread-safe; owner: one ScrapeLoop.
class SeriesCache {
 public:
  struct Entry {
    std::string raw;
    tsdb::Slot slot = 0;
    bool dropped = false;  // by relabelling, or has no samples to store
    uint64_t last_round = 0;
    size_t position = 0;  // in the last round's order
  };

  void BeginRound() {
    ++round_;
    cursor_ = 0;
    order_.swap(previous_);
    order_.clear();
  }
  // The series that most likely comes next; nullptr if none is known.
  Entry* Predicted() { return cursor_ < previous_.size() ? &entries_[previous_[cursor_]] : nullptr; }
  Entry* Find(std::string_view raw) {
    auto it = index_.find(ToAbsl(raw));
    return it == index_.end() ? nullptr : &entries_[it->second];
  }
  Entry* Add(std::string_view raw) {
    uint32_t id;
    if (free_.empty()) {
      id = static_cast<uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    entries_[id] = Entry{std::string(raw)};
    index_.emplace(std::string(raw), id);
    return &entries_[id];
  }
  // Marks the entry as seen. False if it was already seen in this round.
  bool Touch(Entry* entry) {
    const bool first = entry->last_round != round_;
    if (first && entry->last_round + 1 == round_) cursor_ = entry->position + 1;
    if (first) {
      entry->position = order_.size();
      order_.push_back(static_cast<uint32_t>(entry - entries_.data()));
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
      Entry& entry = entries_[it->second];
      if (entry.last_round == round_) {
        ++it;
        continue;
      }
      if (!entry.dropped) forget(entry.slot);
      entry = Entry();
      free_.push_back(it->second);
      index_.erase(it++);
    }
    if (keep) previous_.clear();
  }
  template <typename Forget>
  void Clear(Forget forget) {
    for (const auto& [raw, id] : index_)
      if (!entries_[id].dropped) forget(entries_[id].slot);
    *this = SeriesCache();
  }
  size_t size() const { return index_.size(); }

 private:
  std::vector<Entry> entries_;
  std::vector<uint32_t> free_, order_, previous_;
  absl::flat_hash_map<std::string, uint32_t> index_;
  uint64_t round_ = 1;
  size_t cursor_ = 0, good_size_ = 0;
};

}  // namespace narthex::scraper
