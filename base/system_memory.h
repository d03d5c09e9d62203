// How much memory this process may use.
#pragma once

#include <cstdint>
#include <string>

namespace narthex {

// The machine's memory or, where it is smaller, the limit of the process's control group, in bytes.
int64_t MemoryLimitBytes();

// The limit a control group file states ("max" or a number); 0 if it states none.
int64_t ParseCgroupLimit(const std::string& text);

}  // namespace narthex
