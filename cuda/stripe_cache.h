// Stripes that stay in the device's memory from query to query. They are sealed, so they never change; they
// go when room is needed (CLOCK), when their samples are older than the retention time, and by the slab when
// the device's free memory falls below the reserve.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cuda/backend.h"

namespace narthex::cuda {

// Thread-safe.
class StripeCache {
 public:
  struct Key {
    uint64_t a = 0, b = 0;
    bool operator==(const Key&) const = default;
  };
  struct Entry;
  enum class Found {
    kThere,    // `at` holds the bytes
    kRoom,     // `at` is for the caller to fill; others see it after Publish
    kNoPlace,  // being filled by another query, or there is no room
  };
  struct Place {
    Found found = Found::kNoPlace;
    uint8_t* at = nullptr;
    Entry* entry = nullptr;  // pinned until it is given to Publish or Unpin
  };

  StripeCache(Backend* backend, uint64_t budget, uint64_t reserve);
  ~StripeCache();

  Place Take(const promql::DeviceStripe& stripe);
  // Never kRoom.
  Place TakeIfThere(const promql::DeviceStripe& stripe);
  // What was taken is filled, and let go of.
  void Publish(Entry* entry);
  // Lets go. An entry that was never filled is forgotten.
  void Unpin(Entry* entry);
  bool Has(const promql::DeviceStripe& stripe) const;
  void ForgetBefore(int64_t ms);
  // Gives memory back to the device as long as less than the reserve is free there. Looks at every 16th call.
  void KeepReserve();
  void AddTo(promql::DeviceUse* use) const;

 private:
  struct KeyHash {
    size_t operator()(const Key& k) const { return k.a ^ (k.b * 0x9e3779b97f4a7c15); }
  };
  struct Slab {
    uint8_t* base = nullptr;
    uint64_t size = 0, used = 0;
    std::map<uint64_t, uint64_t> gaps;  // offset, size
  };

  Place FindThere(const promql::DeviceStripe& stripe);
  bool FindPlace(uint64_t size, Entry* entry);
  bool FindGap(uint64_t size, Entry* entry);
  bool AddSlab(uint64_t at_least);
  bool EvictOne();
  void Remove(Entry* entry);

  Backend* const backend_;
  const uint64_t budget_, reserve_;
  mutable std::mutex mutex_;
  std::list<std::unique_ptr<Slab>> slabs_;
  std::unordered_map<Key, std::unique_ptr<Entry>, KeyHash> entries_;
  std::list<Entry*> clock_;
  std::list<Entry*>::iterator hand_;
  uint64_t slab_bytes_ = 0, bytes_ = 0;
  uint32_t asked_ = 0;
  uint64_t hits_ = 0, misses_ = 0, evictions_ = 0;
};

struct StripeCache::Entry {
  Key key;
  Slab* slab = nullptr;
  uint64_t offset = 0, size = 0;
  int64_t max_ms = 0;
  uint32_t pins = 0;
  bool ready = false, used = false;
  std::list<Entry*>::iterator in_clock;
};

}  // namespace narthex::cuda
