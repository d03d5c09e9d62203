#include "tsdb/stripe_cache.h"

#include <utility>

#include "tsdb/memory.h"

namespace narthex::tsdb {

size_t ParsedStripe::MemoryBytes() const {
  size_t all = sizeof(*this) + HeapBytes(bytes) + VectorBytes(columns) + VectorBytes(column_hashes) +
               VectorBytes(entries);
  for (const Times& column : columns) all += sizeof(*column) + VectorBytes(*column);
  return all;
}

// False for a layout that is gone.
bool StripeCache::Enter(uint64_t layout) {
  if (layout > layout_) {
    by_key_.clear();
    entries_.clear();
    bytes_ = 0;
    layout_ = layout;
  }
  return layout == layout_;
}

std::shared_ptr<const ParsedStripe> StripeCache::Find(uint64_t layout, std::string_view key) {
  MutexLock lock(&mutex_);
  if (!Enter(layout)) return nullptr;
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  return it->second->stripe;
}

void StripeCache::Put(uint64_t layout, std::string_view key, std::shared_ptr<const ParsedStripe> stripe) {
  const size_t bytes = stripe->MemoryBytes() + sizeof(Entry) + 2 * key.size() + 64;
  MutexLock lock(&mutex_);
  if (!Enter(layout) || bytes > limit_ || by_key_.contains(key)) return;
  MakeRoom(bytes);
  entries_.push_front({std::string(key), std::move(stripe), bytes});
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += bytes;
}

void StripeCache::MakeRoom(size_t bytes) {
  while (!entries_.empty() && bytes_ + bytes > limit_) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

void StripeCache::SetLimit(size_t bytes) {
  MutexLock lock(&mutex_);
  limit_ = bytes;
  MakeRoom(0);
}

size_t StripeCache::MemoryBytes() const {
  MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace narthex::tsdb
