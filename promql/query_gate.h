// How many queries run at once.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/metrics.h"
#include "base/mutex.h"

namespace narthex::promql {

// Owned by the engine. Thread-safe.
class QueryGate {
 public:
  QueryGate(int slots, Gauge* running) : slots_(slots), gauge_(running) {}
  // Waits for a slot. DeadlineExceeded if none came free in time.
  template <typename BeforeWaiting>
  absl::Status Enter(int64_t timeout_ms, const BeforeWaiting& before_waiting) {
    if (TryEnter()) return absl::OkStatus();
    before_waiting();
    MutexLock lock(&mutex_);
    auto has_slot = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ < slots_; };
    if (!mutex_.AwaitWithTimeout(Condition(&has_slot), absl::Milliseconds(timeout_ms))) {
      return absl::DeadlineExceededError("query timed out in query queue");
    }
    gauge_->Set(++running_);
    return absl::OkStatus();
  }
  bool TryEnter() {
    MutexLock lock(&mutex_);
    if (running_ >= slots_) return false;
    gauge_->Set(++running_);
    return true;
  }
  void Leave() {
    MutexLock lock(&mutex_);
    gauge_->Set(--running_);
  }

 private:
  const int slots_;
  Gauge* const gauge_;
  Mutex mutex_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex::promql
