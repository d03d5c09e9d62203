// Heavy work that comes now and then, and what it leaves in the process.
#pragma once

#include <cstdint>
#include <optional>

#include "base/code_pages.h"

namespace narthex {

// Keeps a seal or a merge from adding to the process the code that only it needs: with the first step, and
// whenever the process has more of program and libraries mapped than when the work began, all of it is let go
// of, and what is in use comes back. At the end memory that was freed is given back, too. Lives as long as
// the work; not thread-safe.
class LeanWork {
 public:
  LeanWork();
  ~LeanWork();
  LeanWork(const LeanWork&) = delete;
  LeanWork& operator=(const LeanWork&) = delete;

  // Behind each part of the work, the smaller, the better: nearly free where nothing has to be done. Without
  // it nothing happens at the end either.
  void Step();

 private:
  const int64_t mapped_;  // pages of files at the beginning
  int64_t released_ns_ = 0;
  std::optional<CodePages> code_;  // once there was a step
};

}  // namespace narthex
