// Equal columns of times are kept once, so that rows with the same times are known by one pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace narthex::tsdb {

using Times = std::shared_ptr<const std::vector<int64_t>>;

// Owned by one selection; not thread-safe. Holds no column that nobody else does.
class TimeColumns {
 public:
  Times Intern(std::vector<int64_t> times);
  // The same of a column that others share already.
  Times Intern(Times times);

 private:
  std::weak_ptr<const std::vector<int64_t>>& SlotOf(const std::vector<int64_t>& times);

  absl::flat_hash_map<uint64_t, std::weak_ptr<const std::vector<int64_t>>> known_;
};

}  // namespace narthex::tsdb
