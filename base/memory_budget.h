// Byte accounts: every query charges the buffers it holds and is refused over its limit.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "base/strings.h"

namespace narthex {

// Thread-safe. A child account charges its parent too. limit 0 = unlimited.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit_bytes, MemoryBudget* parent = nullptr)
      : limit_(limit_bytes), parent_(parent) {}
  // ResourceExhausted over the limit; then nothing is charged.
  absl::Status Charge(int64_t bytes) {
    int64_t now = used_.fetch_add(bytes) + bytes;
    if (limit_ > 0 && now > limit_) {
      used_ -= bytes;
      return absl::ResourceExhaustedError(
          StrCat("query processing would use more than ", limit_,
                 " bytes of memory: ask for fewer series, a shorter range or a larger step, or raise "
                 "--query.max-memory"));
    }
    if (parent_ != nullptr) {
      absl::Status s = parent_->Charge(bytes);
      if (!s.ok()) used_ -= bytes;
      return s;
    }
    return absl::OkStatus();
  }
  void Release(int64_t bytes) {
    used_ -= bytes;
    if (parent_ != nullptr) parent_->Release(bytes);
  }
  int64_t used() const { return used_; }

 private:
  const int64_t limit_;
  MemoryBudget* const parent_;
  std::atomic<int64_t> used_{0};
};

}  // namespace narthex
