// The only source of time. Everything that needs "now" is given a Clock; tests give it a FakeClock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace narthex {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, milliseconds since the Unix epoch. May step in either direction.
  virtual int64_t NowMs() const = 0;
  // Monotonic nanoseconds from an arbitrary origin; use it for durations and deadlines.
  virtual int64_t MonotonicNs() const = 0;
};

// The machine's clocks. The returned object lives as long as the process.
const Clock& SystemClock();

// A clock that moves only when told to. Wall and monotonic time move apart only by StepWall.
class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t now_ms) : wall_ms_(now_ms) {}
  int64_t NowMs() const override { return wall_ms_.load(); }
  int64_t MonotonicNs() const override { return mono_ns_.load(); }
  void AdvanceMs(int64_t ms) {
    wall_ms_ += ms;
    mono_ns_ += ms * 1'000'000;
  }
  void StepWall(int64_t ms) { wall_ms_ += ms; }

 private:
  std::atomic<int64_t> wall_ms_;
  std::atomic<int64_t> mono_ns_{0};
};

}  // namespace narthex
