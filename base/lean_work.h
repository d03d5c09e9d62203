// Heavy work that comes now and then, and what it leaves in the process.
#pragma once

#include <cstdint>
#include <optional>

#include "base/code_pages.h"

namespace narthex {

// Keeps a seal or a merge from adding to the process the code that only it needs. Before its first step, and
// whenever the process has about as much of program and libraries mapped as when the work began, all of it is
// let go of, and what is in use comes back; memory that is free goes back to the system before the first step
// and at the end. Lives as long as the work; not thread-safe.
class LeanWork {
 public:
  LeanWork();
  ~LeanWork();
  LeanWork(const LeanWork&) = delete;
  LeanWork& operator=(const LeanWork&) = delete;

  // Behind each part of the work, the smaller, the better: nearly free where nothing has to be done. Without
  // it nothing happens at the end either.
  void Step();
  // Where another kind of work begins, which needs other code: lets go of it in any case.
  void Turn();

 private:
  const int64_t most_;  // pages of files
  int64_t released_ns_ = 0;
  std::optional<CodePages> code_;  // once there was a step
};

}  // namespace narthex
