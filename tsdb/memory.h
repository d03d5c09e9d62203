// What the store holds in memory, and its limit.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace narthex::tsdb {

// What the allocator takes for a block of n bytes.
inline size_t HeapBytes(size_t n) {
  if (n == 0) return 0;
  return n <= 24 ? 32 : (n + 8 + 15) / 16 * 16;
}
// The same of a string, apart from the object itself.
inline size_t HeapBytes(const std::string& s) { return s.capacity() > 15 ? HeapBytes(s.capacity() + 1) : 0; }
template <typename V>
size_t VectorBytes(const V& v) {
  return HeapBytes(v.capacity() * sizeof(v[0]));
}
// Of Abseil's flat tables, apart from what the elements own: a byte of control each.
template <typename T>
size_t TableBytes(const T& table) {
  return table.capacity() == 0 ? 0 : HeapBytes(table.capacity() * (sizeof(typename T::value_type) + 1) + 32);
}

struct MemoryUse {
  int64_t index = 0;  // series, label pairs, postings
  int64_t head = 0;   // rounds and loose samples that are not sealed
  int64_t exemplars = 0;
  int64_t windows = 0;  // which series each window has, deleted ranges
  int64_t buffers = 0;  // RocksDB's memtables and table readers
  int64_t caches = 0;   // blocks and directories that were read
  int64_t total() const { return index + head + exemplars + windows + buffers + caches; }
};

// Thread-safe. Holds the last measurement and a guess of what was added since. Owned by the database, which
// measures again when told to.
class MemoryAccount {
 public:
  explicit MemoryAccount(int64_t limit) : limit_(limit) {}  // 0 = no limit
  int64_t limit() const { return limit_; }
  int64_t used() const { return measured_ + grown_; }
  // True: enough was added to measure again.
  bool Grow(int64_t bytes) {
    return grown_.fetch_add(bytes, std::memory_order_relaxed) + bytes > Step() && limit_ > 0;
  }
  void Measured(const MemoryUse& use) {
    measured_ = use.total();
    grown_ = 0;
  }
  // Whether so much more would go over the limit.
  bool WouldExceed(int64_t more) const { return limit_ > 0 && used() + more > limit_; }
  // Where caches shrink and windows are sealed before their time.
  int64_t High() const { return limit_ - limit_ / 16; }
  bool Tight() const { return limit_ > 0 && used() > High(); }

 private:
  int64_t Step() const { return limit_ / 128; }

  const int64_t limit_;
  std::atomic<int64_t> measured_{0}, grown_{0};
};

}  // namespace narthex::tsdb
