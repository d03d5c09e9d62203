#include "cuda/stripe_cache.h"

#include <algorithm>

namespace narthex::cuda {
namespace {

constexpr uint64_t kSlab = 64 << 20;
constexpr uint64_t kAlign = 16;
constexpr uint32_t kAskEvery = 16;

uint64_t Rounded(uint64_t size) { return (size + kPadding + kAlign - 1) / kAlign * kAlign; }

}  // namespace

StripeCache::StripeCache(Backend* backend, uint64_t budget, uint64_t reserve)
    : backend_(backend), budget_(budget), reserve_(reserve), hand_(clock_.end()) {}

StripeCache::~StripeCache() {
  for (auto& slab : slabs_) backend_->Free(slab->base);
}

StripeCache::Place StripeCache::TakeIfThere(const promql::DeviceStripe& stripe) {
  const std::lock_guard lock(mutex_);
  return FindThere(stripe);
}

StripeCache::Place StripeCache::FindThere(const promql::DeviceStripe& stripe) {
  const auto found = entries_.find(Key{stripe.key[0], stripe.key[1]});
  if (found == entries_.end()) return {};
  Entry* const entry = found->second.get();
  if (!entry->ready || entry->size != stripe.size) return {};
  ++hits_;
  ++entry->pins;
  entry->used = true;
  return {Found::kThere, entry->slab->base + entry->offset, entry};
}

StripeCache::Place StripeCache::Take(const promql::DeviceStripe& stripe) {
  const std::lock_guard lock(mutex_);
  const Key key{stripe.key[0], stripe.key[1]};
  if (entries_.contains(key)) return FindThere(stripe);
  ++misses_;
  auto entry = std::make_unique<Entry>();
  entry->key = key;
  entry->size = stripe.size;
  entry->max_ms = stripe.max_ms;
  entry->pins = 1;
  if (!FindPlace(Rounded(stripe.size), entry.get())) return {};
  bytes_ += entry->size;
  // Behind the hand: it is looked at last. Not yet `used`: what one query read once goes first.
  entry->in_clock = clock_.insert(hand_, entry.get());
  Entry* const raw = entry.get();
  entries_.emplace(key, std::move(entry));
  return {Found::kRoom, raw->slab->base + raw->offset, raw};
}

bool StripeCache::FindPlace(uint64_t size, Entry* entry) {
  while (!FindGap(size, entry)) {
    if (!AddSlab(size) && !EvictOne()) return false;
  }
  return true;
}

bool StripeCache::FindGap(uint64_t size, Entry* entry) {
  for (auto& slab : slabs_) {
    if (slab->size - slab->used < size) continue;
    const auto gap =
        std::find_if(slab->gaps.begin(), slab->gaps.end(), [&](const auto& g) { return g.second >= size; });
    if (gap == slab->gaps.end()) continue;
    entry->slab = slab.get();
    entry->offset = gap->first;
    if (gap->second > size) slab->gaps.emplace(gap->first + size, gap->second - size);
    slab->gaps.erase(gap);
    slab->used += size;
    return true;
  }
  return false;
}

bool StripeCache::AddSlab(uint64_t at_least) {
  const uint64_t size = std::max(std::min(kSlab, budget_), at_least);
  if (slab_bytes_ + size > budget_ || backend_->FreeBytes() < reserve_ + size) return false;
  uint8_t* const base = static_cast<uint8_t*>(backend_->Allocate(size));
  if (base == nullptr) return false;
  slabs_.push_back(std::make_unique<Slab>(Slab{base, size, 0, {{0, size}}}));
  slab_bytes_ += size;
  return true;
}

// One round over the clock takes the marks away, so the second finds a victim if there is any.
bool StripeCache::EvictOne() {
  for (size_t looked = 0; looked < 2 * clock_.size(); ++looked) {
    if (hand_ == clock_.end()) hand_ = clock_.begin();
    Entry* const entry = *hand_++;
    if (entry->pins > 0) continue;
    if (entry->used) {
      entry->used = false;
      continue;
    }
    ++evictions_;
    Remove(entry);
    return true;
  }
  return false;
}

void StripeCache::Remove(Entry* entry) {
  Slab* const slab = entry->slab;
  uint64_t offset = entry->offset, size = Rounded(entry->size);
  slab->used -= size;
  bytes_ -= entry->size;
  auto after = slab->gaps.lower_bound(offset);
  if (after != slab->gaps.end() && after->first == offset + size) {
    size += after->second;
    after = slab->gaps.erase(after);
  }
  if (after != slab->gaps.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      offset = before->first;
      size += before->second;
      slab->gaps.erase(before);
    }
  }
  slab->gaps.emplace(offset, size);
  if (hand_ == entry->in_clock) ++hand_;
  clock_.erase(entry->in_clock);
  entries_.erase(Key(entry->key));
}

void StripeCache::Publish(Entry* entry) {
  const std::lock_guard lock(mutex_);
  entry->ready = true;
  --entry->pins;
}

void StripeCache::Unpin(Entry* entry) {
  const std::lock_guard lock(mutex_);
  if (--entry->pins == 0 && !entry->ready) Remove(entry);
}

bool StripeCache::Has(const promql::DeviceStripe& stripe) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(Key{stripe.key[0], stripe.key[1]});
  return found != entries_.end() && found->second->ready;
}

void StripeCache::ForgetBefore(int64_t ms) {
  const std::lock_guard lock(mutex_);
  for (auto it = clock_.begin(); it != clock_.end();) {
    Entry* const entry = *it++;
    if (entry->pins == 0 && entry->max_ms < ms) Remove(entry);
  }
}

void StripeCache::KeepReserve() {
  const std::lock_guard lock(mutex_);
  // Asking costs as much as a small query.
  if (slabs_.empty() || ++asked_ % kAskEvery != 0) return;
  if (backend_->FreeBytes() < reserve_) backend_->Trim();
  while (!slabs_.empty() && backend_->FreeBytes() < reserve_) {
    // The slab with the least in it; what is in use stays.
    auto victim = slabs_.end();
    for (auto it = slabs_.begin(); it != slabs_.end(); ++it) {
      const bool pinned = std::any_of(clock_.begin(), clock_.end(),
                                      [&](const Entry* e) { return e->slab == it->get() && e->pins > 0; });
      if (!pinned && (victim == slabs_.end() || (*it)->used < (*victim)->used)) victim = it;
    }
    if (victim == slabs_.end()) return;
    for (auto it = clock_.begin(); it != clock_.end();) {
      Entry* const entry = *it++;
      if (entry->slab != victim->get()) continue;
      ++evictions_;
      Remove(entry);
    }
    backend_->Free((*victim)->base);
    backend_->Trim();
    slab_bytes_ -= (*victim)->size;
    slabs_.erase(victim);
  }
}

void StripeCache::AddTo(promql::DeviceUse* use) const {
  const std::lock_guard lock(mutex_);
  use->cache_budget = budget_;
  use->cache_bytes = bytes_;
  use->cache_stripes = entries_.size();
  use->hits = hits_;
  use->misses = misses_;
  use->evictions = evictions_;
}

}  // namespace narthex::cuda
