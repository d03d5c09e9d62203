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
  Times Intern(Times times) { return Intern(times, HashOf(*times)); }
  // The same if its hash is known.
  Times Intern(Times times, uint64_t hash);
  static uint64_t HashOf(const std::vector<int64_t>& times);

 private:
  std::weak_ptr<const std::vector<int64_t>>& SlotOf(uint64_t hash);

  absl::flat_hash_map<uint64_t, std::weak_ptr<const std::vector<int64_t>>> known_;
};

}  // namespace narthex::tsdb
