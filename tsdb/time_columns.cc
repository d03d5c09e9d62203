#include "tsdb/time_columns.h"

#include <string_view>
#include <utility>

#include "absl/hash/hash.h"

namespace narthex::tsdb {

constexpr size_t kMaxKnown = 4096;

std::weak_ptr<const std::vector<int64_t>>& TimeColumns::SlotOf(const std::vector<int64_t>& times) {
  const uint64_t hash = absl::HashOf(
      std::string_view(reinterpret_cast<const char*>(times.data()), times.size() * sizeof(int64_t)));
  if (known_.size() > kMaxKnown) known_.clear();
  return known_[hash];
}

Times TimeColumns::Intern(std::vector<int64_t> times) {
  std::weak_ptr<const std::vector<int64_t>>& slot = SlotOf(times);
  Times have = slot.lock();
  if (have != nullptr && *have == times) return have;
  auto out = std::make_shared<const std::vector<int64_t>>(std::move(times));
  slot = out;
  return out;
}

Times TimeColumns::Intern(Times times) {
  std::weak_ptr<const std::vector<int64_t>>& slot = SlotOf(*times);
  Times have = slot.lock();
  if (have != nullptr && *have == *times) return have;
  slot = times;
  return times;
}

}  // namespace narthex::tsdb
