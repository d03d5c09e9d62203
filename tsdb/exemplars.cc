#include "tsdb/exemplars.h"

#include <map>

namespace narthex::tsdb {

bool ExemplarRing::Add(SeriesId series, const Exemplar& exemplar) {
  MutexLock lock(&mutex_);
  auto [it, fresh] = newest_.try_emplace(series, 0, exemplar);
  if (!fresh && exemplar.t <= it->second.second.t) return false;
  it->second.second = exemplar;
  ++it->second.first;
  ring_.emplace_back(series, exemplar);
  if (ring_.size() > capacity_) {
    const auto old = newest_.find(ring_.front().first);
    if (old != newest_.end() && --old->second.first == 0) newest_.erase(old);
    ring_.pop_front();
  }
  return true;
}

std::vector<std::pair<SeriesId, std::vector<Exemplar>>> ExemplarRing::Select(
    const std::vector<SeriesId>& series, int64_t mint, int64_t maxt) const {
  std::vector<std::pair<SeriesId, std::vector<Exemplar>>> out;
  absl::flat_hash_map<SeriesId, size_t> place;
  for (SeriesId id : series) {
    if (place.emplace(id, out.size()).second) out.emplace_back(id, std::vector<Exemplar>());
  }
  MutexLock lock(&mutex_);
  for (const auto& [id, exemplar] : ring_) {
    const auto it = place.find(id);
    if (it != place.end() && exemplar.t >= mint && exemplar.t <= maxt)
      out[it->second].second.push_back(exemplar);
  }
  return out;
}

}  // namespace narthex::tsdb
