// The pages of program and libraries that were needed once.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace narthex {

// Takes the read-only pages of the program and its libraries out of the process, which the kernel counts as
// its memory; they stay in the page cache, and what is used comes back from there. Most of them are touched
// while the process starts and never again: each step of the start touches others. Costs some page faults:
// call it behind such steps and once a minute, not once a second.
class CodePages {
 public:
  CodePages();  // finds out where they lie, and releases them
  void Release() const;

 private:
  std::vector<std::pair<void*, size_t>> ranges_;
};

void ReleaseUnusedCode();  // once

}  // namespace narthex
