// The index from its rows, and series as a row.
#include <algorithm>

#include "tsdb/memory.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {

// What costs something is done once a row and pair, not once a series and label.
void SeriesIndex::Load(const SeriesRow& row) {
  MutexLock lock(&mutex_);
  const size_t n = row.ids.size();
  if (n == 0) return;
  if (row.ids.back() >= offsets_.size()) offsets_.resize(size_t{row.ids.back()} + 1, kNone);
  const auto labels_of = [&](size_t i) {
    const size_t begin = i == 0 ? 0 : row.ends[i - 1];
    return std::span(row.labels).subspan(begin, row.ends[i] - begin);
  };
  // The members of all pairs, pair after pair.
  std::vector<uint32_t> ends(row.pairs.size() + 1, 0);
  std::vector<bool> is_known(n);
  for (size_t i = 0; i < n; ++i) {
    is_known[i] = offsets_[row.ids[i]] != kNone;
    if (!is_known[i]) {
      for (uint32_t place : labels_of(i)) ++ends[place + 1];
      continue;
    }
    std::string encoded;
    for (uint32_t place : labels_of(i)) encoded += row.pairs[place];
    again_.emplace_back(row.ids[i], Labels::FromEncoded(std::move(encoded)));
  }
  std::vector<PairId> pairs(row.pairs.size(), 0);
  for (size_t place = 0; place < pairs.size(); ++place) {
    if (ends[place + 1] > 0) pairs[place] = PairOf(row.pairs[place]);
    ends[place + 1] += ends[place];
  }
  std::vector<SeriesId> members(ends.back());
  std::vector<uint32_t> next = ends;
  char buffer[10];
  for (size_t i = 0; i < n; ++i) {
    if (is_known[i]) continue;
    const auto labels = labels_of(i);
    offsets_[row.ids[i]] = static_cast<uint32_t>(arena_.size());
    PutVarint(&arena_, labels.size());
    for (uint32_t place : labels) {
      arena_.append(buffer, WriteVarint(buffer, pairs[place]));
      members[next[place]++] = row.ids[i];
    }
    ++count_;
  }
  for (size_t place = 0; place < pairs.size(); ++place) {
    if (ends[place] == ends[place + 1]) continue;
    pairs_[pairs[place]].postings.AddMany(
        std::span(members).subspan(ends[place], ends[place + 1] - ends[place]));
  }
  ++changes_;
}

void SeriesIndex::FinishLoad() {
  std::vector<std::pair<SeriesId, Labels>> again;
  {
    MutexLock lock(&mutex_);
    for (Pair& pair : pairs_) {
      pair.postings.Finish();
      pair_bytes_ += pair.postings.MemoryBytes();
    }
    by_hash_.reserve(count_);
    for (SeriesId id = 1; id < offsets_.size(); ++id) {
      if (offsets_[id] == kNone) continue;
      uint32_t hash = ShortHash(id);
      while (!by_hash_.emplace(hash, id).second) ++hash;
    }
    again.swap(again_);
  }
  for (const auto& [id, labels] : again) {
    if (LabelsOf(id) == labels) continue;
    Remove({id});
    Add(id, labels);
  }
}

SeriesRow SeriesIndex::RowOf(std::span<const SeriesId> ids) const {
  ReaderMutexLock lock(&mutex_);
  SeriesRow row;
  std::vector<PairId> pairs;
  for (SeriesId id : ids) {
    if (id >= offsets_.size() || offsets_[id] == kNone) continue;
    ForEachPair(id, [&](PairId p) { pairs.push_back(p); });
    row.ids.push_back(id);
    row.ends.push_back(static_cast<uint32_t>(pairs.size()));
  }
  std::vector<PairId> used = pairs;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  std::vector<uint32_t> order(used.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto text = [&](uint32_t i) ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    ByteReader in(by_id_[used[i]]->encoded);
    const std::string_view name = in.Bytes();
    return std::pair(name, by_id_[used[i]]->value());
  };
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return text(a) < text(b); });
  std::vector<uint32_t> place(used.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    row.pairs.push_back(by_id_[used[order[i]]]->encoded);
  }
  row.labels.reserve(pairs.size());
  for (PairId p : pairs) {
    const auto at = std::lower_bound(used.begin(), used.end(), p);
    row.labels.push_back(place[static_cast<size_t>(at - used.begin())]);
  }
  return row;
}

}  // namespace narthex::tsdb
