#include "tsdb/time_columns.h"

#include <string_view>
#include <utility>

#include "absl/hash/hash.h"

namespace narthex::tsdb {

constexpr size_t kMaxKnown = 4096;

uint64_t TimeColumns::HashOf(const std::vector<int64_t>& times) {
  return absl::HashOf(
      std::string_view(reinterpret_cast<const char*>(times.data()), times.size() * sizeof(int64_t)));
}

std::weak_ptr<const std::vector<int64_t>>& TimeColumns::SlotOf(uint64_t hash) {
  if (known_.size() > kMaxKnown) known_.clear();
  return known_[hash];
}

Times TimeColumns::Intern(std::vector<int64_t> times) {
  std::weak_ptr<const std::vector<int64_t>>& slot = SlotOf(HashOf(times));
  Times have = slot.lock();
  if (have != nullptr && *have == times) return have;
  auto out = std::make_shared<const std::vector<int64_t>>(std::move(times));
  slot = out;
  return out;
}

Times TimeColumns::Intern(Times times, uint64_t hash) {
  std::weak_ptr<const std::vector<int64_t>>& slot = SlotOf(hash);
  Times have = slot.lock();
  if (have != nullptr && (have == times || *have == *times)) return have;
  slot = times;
  return times;
}

}  // namespace narthex::tsdb
