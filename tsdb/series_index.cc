#include "tsdb/series_index.h"

#include <algorithm>
#include <bit>

#include "tsdb/format/bytes.h"
#include "tsdb/memory.h"

namespace narthex::tsdb {
namespace {

// Keeps those of `ids` that are listed (`in`), or those that are not. Both ascend.
void KeepListed(bool in, const std::vector<SeriesId>& listed, std::vector<SeriesId>* ids) {
  auto at = listed.begin();
  std::erase_if(*ids, [&](SeriesId id) {
    while (at != listed.end() && *at < id) ++at;
    return (at != listed.end() && *at == id) != in;
  });
}

// `end`: above all ids. Many ids are marked and read off in order, few are sorted.
void SortUnique(size_t end, std::vector<SeriesId>* ids) {
  if (ids->size() < end / 64) {
    std::sort(ids->begin(), ids->end());
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
    return;
  }
  std::vector<uint64_t> marks(end / 64 + 1, 0);
  for (SeriesId id : *ids) marks[id / 64] |= uint64_t{1} << (id % 64);
  ids->clear();
  for (size_t w = 0; w < marks.size(); ++w) {
    for (uint64_t bits = marks[w]; bits != 0; bits &= bits - 1) {
      ids->push_back(static_cast<SeriesId>(w * 64 + std::countr_zero(bits)));
    }
  }
}

void KeepLargest(size_t limit, std::vector<CardinalityStat>* stats) {
  std::sort(stats->begin(), stats->end(), [](const CardinalityStat& a, const CardinalityStat& b) {
    return a.value != b.value ? a.value > b.value : a.name < b.name;
  });
  if (stats->size() > limit) stats->resize(limit);
}

}  // namespace

uint32_t SeriesIndex::ShortHash(const Labels& labels) {
  uint32_t hash = 0;
  const Labels::Iterator end = labels.end();
  for (Labels::Iterator label = labels.begin(); !(label == end); ++label)
    hash = HashWith(hash, HashOfPair(label.encoded()));
  return hash;
}

uint32_t SeriesIndex::ShortHash(SeriesId id) const {
  uint32_t hash = 0;
  ForEachPair(id, [&](PairId p) { hash = HashWith(hash, by_id_[p]->hash); });
  return hash;
}

void SeriesIndex::AppendLabels(SeriesId id, std::string* encoded) const {
  ForEachPair(id, [&](PairId p) { encoded->append(by_id_[p]->encoded); });
}

Labels SeriesIndex::LabelsLocked(SeriesId id) const {
  std::string encoded;
  AppendLabels(id, &encoded);
  encoded.shrink_to_fit();
  return Labels::FromEncoded(std::move(encoded));
}

SeriesId SeriesIndex::Find(const Labels& labels) const {
  ReaderMutexLock lock(&mutex_);
  // A collision of hashes moves the series to the next free hash.
  for (uint32_t h = ShortHash(labels);; ++h) {
    const auto it = by_hash_.find(h);
    if (it == by_hash_.end()) return 0;
    if (LabelsLocked(it->second) == labels) return it->second;
  }
}

SeriesId SeriesIndex::next_id() const {
  ReaderMutexLock lock(&mutex_);
  return std::max<SeriesId>(1, static_cast<SeriesId>(offsets_.size()));
}

SeriesIndex::PairId SeriesIndex::PairOf(std::string_view encoded) {
  if (const auto it = pair_ids_.find(encoded); it != pair_ids_.end()) return it->second;
  PairId pair = static_cast<PairId>(pairs_.size());
  if (free_pairs_.empty()) {
    by_id_.push_back(&pairs_.emplace_back());
  } else {
    pair = free_pairs_.back();
    free_pairs_.pop_back();
  }
  ByteReader in(encoded);
  const std::string_view name = in.Bytes(), value = in.Bytes();
  Pair& added = pairs_[pair];
  added.encoded = encoded;
  added.value_size = static_cast<uint32_t>(value.size());
  added.hash = HashOfPair(encoded);
  text_bytes_ += encoded.size();
  pair_ids_.emplace(added.encoded, pair);
  names_[std::string(name)].emplace(added.value(), pair);
  pair_bytes_ += HeapBytes(added.encoded) + kNameBytes;
  return pair;
}

void SeriesIndex::Add(SeriesId id, const Labels& labels) {
  MutexLock lock(&mutex_);
  if (id < offsets_.size() && offsets_[id] != kNone) return;
  if (id >= offsets_.size())
    offsets_.resize(id + 1, kNone);
  else
    reused_ = true;
  std::string ids;
  size_t count = 0;
  uint32_t h = 0;
  const Labels::Iterator end = labels.end();
  for (Labels::Iterator label = labels.begin(); !(label == end); ++label) {
    const PairId pair = PairOf(label.encoded());
    Postings& postings = pairs_[pair].postings;
    pair_bytes_ -= postings.MemoryBytes();
    postings.Add(id);
    pair_bytes_ += postings.MemoryBytes();
    h = HashWith(h, pairs_[pair].hash);
    PutVarint(&ids, pair);
    ++count;
  }
  offsets_[id] = static_cast<uint32_t>(arena_.size());
  PutVarint(&arena_, count);
  arena_ += ids;
  while (!by_hash_.emplace(h, id).second) ++h;
  ++count_;
  ++changes_;
}

void SeriesIndex::Remove(const std::vector<SeriesId>& ids) {
  MutexLock lock(&mutex_);
  std::vector<PairId> touched;
  Roaring gone;
  for (SeriesId id : ids) {
    if (id >= offsets_.size() || offsets_[id] == kNone) continue;
    gone.add(id);
    ForgetHash(id);
    ForEachPair(id, [&](PairId p) { touched.push_back(p); });
    dead_bytes_ += SizeInArena(id);
    offsets_[id] = kNone;
    --count_;
  }
  if (gone.isEmpty()) return;
  ++changes_;
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (PairId p : touched) {
    pair_bytes_ -= pairs_[p].postings.MemoryBytes();
    pairs_[p].postings.Remove(gone);
    pair_bytes_ += pairs_[p].postings.MemoryBytes();
    if (pairs_[p].postings.empty()) FreePair(p);
  }
  if (dead_bytes_ > arena_.size() / 2) CompactArena();
}

// A series whose hash was taken sits at the next free one; those behind it move up.
void SeriesIndex::ForgetHash(SeriesId id) {
  uint32_t h = ShortHash(id);
  while (by_hash_.at(h) != id) ++h;
  by_hash_.erase(h);
  for (uint32_t next = h + 1;; ++next) {
    const auto it = by_hash_.find(next);
    if (it == by_hash_.end()) return;
    const SeriesId other = it->second;
    by_hash_.erase(it);
    uint32_t place = ShortHash(other);
    while (!by_hash_.emplace(place, other).second) ++place;
  }
}

void SeriesIndex::FreePair(PairId pair) {
  Pair& p = pairs_[pair];
  const std::string name(Labels::FromEncoded(p.encoded).begin()->name);
  const auto values = names_.find(name);
  values->second.erase(p.value());
  if (values->second.empty()) names_.erase(values);
  pair_ids_.erase(p.encoded);
  text_bytes_ -= p.encoded.size();
  pair_bytes_ -= HeapBytes(p.encoded) + p.postings.MemoryBytes() + kNameBytes;
  p = Pair{};
  free_pairs_.push_back(pair);
}

size_t SeriesIndex::SizeInArena(SeriesId id) const {
  ByteReader in(std::string_view(arena_).substr(offsets_[id]));
  const size_t before = in.left();
  for (uint64_t n = in.Varint(); n > 0; --n) in.Varint();
  return before - in.left();
}

void SeriesIndex::CompactArena() {
  std::string packed;
  for (uint32_t& offset : offsets_) {
    if (offset == kNone) continue;
    const SeriesId id = static_cast<SeriesId>(&offset - offsets_.data());
    const size_t size = SizeInArena(id);
    const uint32_t to = static_cast<uint32_t>(packed.size());
    packed.append(arena_, offset, size);
    offset = to;
  }
  packed.shrink_to_fit();
  arena_ = std::move(packed);
  dead_bytes_ = 0;
}

Labels SeriesIndex::LabelsOf(SeriesId id) const {
  ReaderMutexLock lock(&mutex_);
  return LabelsLocked(id);
}

std::vector<Labels> SeriesIndex::LabelsOf(std::span<const SeriesId> ids) const {
  ReaderMutexLock lock(&mutex_);
  std::vector<Labels> out;
  out.reserve(ids.size());
  std::string encoded;
  for (SeriesId id : ids) {
    encoded.clear();
    AppendLabels(id, &encoded);
    out.push_back(Labels::FromEncoded(encoded));
  }
  return out;
}

std::vector<Labels> SeriesIndex::LabelsOf(std::span<const SeriesId> ids,
                                          const std::vector<std::string>& names) const {
  std::vector<Labels> out(ids.size());
  if (names.empty()) return out;
  ReaderMutexLock lock(&mutex_);
  const std::vector<bool> wanted = PairsOf(names);
  std::string encoded;
  for (size_t i = 0; i < ids.size(); ++i) {
    encoded.clear();
    ForEachPair(ids[i], [&](PairId p) {
      if (wanted[p]) encoded += by_id_[p]->encoded;
    });
    if (!encoded.empty()) out[i] = Labels::FromEncoded(encoded);
  }
  return out;
}

std::vector<bool> SeriesIndex::PairsOf(const std::vector<std::string>& names) const {
  std::vector<bool> wanted(pairs_.size(), false);
  for (const std::string& name : names) {
    const auto values = names_.find(name);
    if (values == names_.end()) continue;
    for (const auto& [value, pair] : values->second) wanted[pair] = true;
  }
  return wanted;
}

std::vector<Labels> SeriesIndex::GroupsOf(std::span<const SeriesId> ids,
                                          const std::vector<std::string>& names,
                                          std::vector<size_t>* of) const {
  std::vector<Labels> groups;
  of->assign(ids.size(), 0);
  if (names.empty()) {
    groups.resize(ids.empty() ? 0 : 1);
    return groups;
  }
  ReaderMutexLock lock(&mutex_);
  const std::vector<bool> wanted = PairsOf(names);
  absl::flat_hash_map<std::vector<PairId>, size_t> known;
  std::vector<PairId> pairs, last;
  for (size_t i = 0; i < ids.size(); ++i) {
    pairs.clear();
    ForEachPair(ids[i], [&](PairId p) {
      if (wanted[p]) pairs.push_back(p);
    });
    if (i > 0 && pairs == last) {  // neighbours often belong together
      (*of)[i] = (*of)[i - 1];
      continue;
    }
    const auto [group, fresh] = known.try_emplace(pairs, groups.size());
    if (fresh) {
      std::string encoded;
      for (PairId p : pairs) encoded += by_id_[p]->encoded;
      groups.push_back(Labels::FromEncoded(std::move(encoded)));
    }
    (*of)[i] = group->second;
    std::swap(pairs, last);
  }
  return groups;
}

// Labels compare pair by pair, so series compare as the lists of their pairs' ranks.
void SeriesIndex::SortByLabels(std::vector<SeriesId>* ids) const {
  std::vector<uint32_t> pair_rank(pairs_.size(), 0);
  uint32_t next = 1;
  for (const auto& [name, values] : names_) {
    for (const auto& [value, pair] : values) pair_rank[pair] = next++;
  }
  std::vector<uint32_t> keys;  // of each series: its ranks, then 0
  std::vector<std::pair<uint32_t, SeriesId>> order;
  size_t all = ids->size();
  for (SeriesId id : *ids) ForEachPair(id, [&](PairId) { ++all; });
  keys.reserve(all);
  order.reserve(ids->size());
  for (SeriesId id : *ids) {
    order.emplace_back(static_cast<uint32_t>(keys.size()), id);
    ForEachPair(id, [&](PairId p) { keys.push_back(pair_rank[p]); });
    keys.push_back(0);
  }
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    const uint32_t *x = &keys[a.first], *y = &keys[b.first];
    for (; *x == *y && *x != 0; ++x, ++y) {
    }
    return *x < *y;
  });
  for (size_t i = 0; i < order.size(); ++i) (*ids)[i] = order[i].second;
}

bool SeriesIndex::LabelsLess(SeriesId a, SeriesId b) const {
  ByteReader x(std::string_view(arena_).substr(offsets_[a])), y(std::string_view(arena_).substr(offsets_[b]));
  const uint64_t nx = x.Varint(), ny = y.Varint();
  for (uint64_t i = 0; i < std::min(nx, ny); ++i) {
    const uint64_t p = x.Varint(), q = y.Varint();
    if (p == q) continue;
    return Labels::FromEncoded(pairs_[p].encoded) < Labels::FromEncoded(pairs_[q].encoded);
  }
  return nx < ny;
}

// A few new series are put where they belong; many make a new sort cheaper.
void SeriesIndex::UpdateSorted() const {
  if (reused_) {
    // An id may stand for another series than when it was sorted in.
    sorted_ = AllLocked();
    reused_ = false;
    return SortByLabels(&sorted_);
  }
  std::erase_if(sorted_, [&](SeriesId id) { return offsets_[id] == kNone; });
  std::vector<SeriesId> fresh;
  const size_t ranked = ranks_ == nullptr ? 0 : ranks_->size();
  for (size_t id = std::max<size_t>(1, ranked); id < offsets_.size(); ++id) {
    if (offsets_[id] != kNone) fresh.push_back(static_cast<SeriesId>(id));
  }
  if (fresh.size() > sorted_.size() / 32) {
    sorted_.insert(sorted_.end(), fresh.begin(), fresh.end());
    return SortByLabels(&sorted_);
  }
  const auto less = [&](SeriesId a, SeriesId b)
                        ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return LabelsLess(a, b); };
  std::sort(fresh.begin(), fresh.end(), less);
  std::vector<SeriesId> merged;
  merged.reserve(sorted_.size() + fresh.size());
  auto copied = sorted_.begin();
  for (SeriesId id : fresh) {
    const auto at = std::upper_bound(copied, sorted_.end(), id, less);
    merged.insert(merged.end(), copied, at);
    merged.push_back(id);
    copied = at;
  }
  merged.insert(merged.end(), copied, sorted_.end());
  sorted_ = std::move(merged);
}

std::shared_ptr<const SeriesIndex::Ranks> SeriesIndex::RanksByLabels() const {
  MutexLock order_lock(&order_mutex_);
  ReaderMutexLock lock(&mutex_);
  if (ranks_ != nullptr && ranked_changes_ == changes_) return ranks_;
  UpdateSorted();
  auto ranks = std::make_shared<Ranks>(offsets_.size(), kNoRank);
  for (size_t i = 0; i < sorted_.size(); ++i) (*ranks)[sorted_[i]] = static_cast<uint32_t>(i);
  ranks_ = std::move(ranks);
  ranked_changes_ = changes_;
  return ranks_;
}

bool SeriesIndex::Has(SeriesId id) const {
  ReaderMutexLock lock(&mutex_);
  return id < offsets_.size() && offsets_[id] != kNone;
}

size_t SeriesIndex::series_count() const {
  ReaderMutexLock lock(&mutex_);
  return count_;
}

uint64_t SeriesIndex::text_bytes() const {
  ReaderMutexLock lock(&mutex_);
  return text_bytes_;
}

size_t SeriesIndex::MemoryBytes() const {
  size_t bytes = 0;
  {
    MutexLock lock(&order_mutex_);
    bytes = VectorBytes(sorted_) + (ranks_ == nullptr ? 0 : VectorBytes(*ranks_));
  }
  ReaderMutexLock lock(&mutex_);
  constexpr size_t kPairsANode = 512 / sizeof(Pair);  // of a deque
  return bytes + pair_bytes_ + pairs_.size() * HeapBytes(kPairsANode * sizeof(Pair)) / kPairsANode +
         HeapBytes(arena_) + VectorBytes(offsets_) + TableBytes(pair_ids_) + TableBytes(by_hash_) +
         VectorBytes(free_pairs_) + VectorBytes(by_id_);
}

size_t SeriesIndex::NextStep() const {
  ReaderMutexLock lock(&mutex_);
  const auto full = [](const auto& table) {
    return table.size() + 16 > table.capacity() - table.capacity() / 8;
  };
  size_t bytes = 0;
  if (full(by_hash_)) bytes += TableBytes(by_hash_);
  if (full(pair_ids_)) bytes += TableBytes(pair_ids_);
  if (offsets_.size() == offsets_.capacity()) bytes += VectorBytes(offsets_);
  if (by_id_.size() == by_id_.capacity()) bytes += VectorBytes(by_id_);
  if (arena_.size() + 256 > arena_.capacity()) bytes += HeapBytes(arena_);
  return bytes;
}

std::vector<SeriesId> SeriesIndex::AllLocked() const {
  std::vector<SeriesId> out;
  for (SeriesId id = 1; id < offsets_.size(); ++id)
    if (offsets_[id] != kNone) out.push_back(id);
  return out;
}

std::vector<SeriesId> SeriesIndex::All() const {
  ReaderMutexLock lock(&mutex_);
  return AllLocked();
}

SeriesIndex::Pick SeriesIndex::WithValue(const Matcher& m, bool accept) const {
  Pick pick;
  const auto name = names_.find(m.name());
  if (name == names_.end()) return pick;
  const auto& values = name->second;
  const auto take = [&](PairId p) {
    pick.pairs.push_back(p);
    pick.series += by_id_[p]->postings.size();
  };
  const auto take_value = [&](const std::string& v) {
    const auto it = values.find(v);
    if (it != values.end()) take(it->second);
  };
  const bool wants_equal = (m.op() == MatchOp::kEqual && accept) || (m.op() == MatchOp::kNotEqual && !accept);
  const bool wants_regex = (m.op() == MatchOp::kRegex && accept) || (m.op() == MatchOp::kNotRegex && !accept);
  if (wants_equal) {
    take_value(m.value());
  } else if (wants_regex && m.regex() != nullptr && !m.regex()->literal_set().empty()) {
    for (const std::string& v : m.regex()->literal_set()) take_value(v);
  } else {
    const std::string prefix = wants_regex && m.regex() != nullptr ? m.regex()->literal_prefix() : "";
    for (auto it = values.lower_bound(prefix); it != values.end(); ++it) {
      if (it->first.substr(0, prefix.size()) != prefix) break;
      if (!pairs_[it->second].postings.empty() && m.Matches(it->first) == accept) take(it->second);
    }
  }
  return pick;
}

std::vector<SeriesId> SeriesIndex::SeriesOf(const Pick& pick) const {
  std::vector<SeriesId> out;
  out.reserve(pick.series);
  for (PairId p : pick.pairs) by_id_[p]->postings.AppendTo(&out);
  if (pick.pairs.size() > 1) SortUnique(offsets_.size(), &out);
  return out;
}

void SeriesIndex::KeepPicked(bool in, const Pick& pick, std::vector<SeriesId>* ids) const {
  if (pick.pairs.size() == 1) return by_id_[pick.pairs[0]]->postings.Keep(in, ids);
  // Many long lists, few ids: the ids are asked for their pairs.
  if (pick.series / 4 <= ids->size()) return KeepListed(in, SeriesOf(pick), ids);
  std::vector<bool> picked(pairs_.size(), false);
  for (PairId p : pick.pairs) picked[p] = true;
  std::erase_if(*ids, [&](SeriesId id) {
    bool found = false;
    ForEachPair(id, [&](PairId p) { found = found || picked[p]; });
    return found != in;
  });
}

std::vector<SeriesId> SeriesIndex::Select(const Matchers& matchers) const {
  ReaderMutexLock lock(&mutex_);
  // A matcher that refuses the empty value picks series; one that accepts it only takes series away.
  std::vector<Pick> picks;
  for (const Matcher& m : matchers) {
    if (m.MatchesEmpty()) continue;
    picks.push_back(WithValue(m, true));
    if (picks.back().series == 0) return {};
  }
  // The fewest first: what is longer is only looked into.
  std::sort(picks.begin(), picks.end(), [](const Pick& a, const Pick& b) { return a.series < b.series; });
  const bool pairs = picks.size() > 1 && picks[0].pairs.size() == 1 && picks[1].pairs.size() == 1;
  std::vector<SeriesId> out =
      pairs           ? by_id_[picks[0].pairs[0]]->postings.Common(by_id_[picks[1].pairs[0]]->postings)
      : picks.empty() ? AllLocked()
                      : SeriesOf(picks[0]);
  for (size_t i = pairs ? 2 : 1; i < picks.size() && !out.empty(); ++i) KeepPicked(true, picks[i], &out);
  for (const Matcher& m : matchers) {
    if (m.MatchesEmpty() && !out.empty()) KeepPicked(false, WithValue(m, false), &out);
  }
  return out;
}

namespace {

bool AnyPasses(const Postings& postings, const Postings::Filter& filter, const SeriesIndex::Among& among) {
  return among ? postings.AnyOf(*among, filter) : postings.Any(filter);
}

}  // namespace

std::vector<SeriesIndex::Candidate> SeriesIndex::Names(const Filter& filter, Among among) const {
  ReaderMutexLock lock(&mutex_);
  std::vector<Candidate> out;
  for (const auto& [name, values] : names_) {
    Candidate candidate{name, {}};
    bool passes = false;
    for (auto it = values.begin(); it != values.end() && !passes; ++it)
      passes = AnyPasses(pairs_[it->second].postings, filter, among);
    if (!passes) {
      for (const auto& [value, pair] : values) {
        pairs_[pair].postings.AppendTo(&candidate.unsure);
      }
    }
    if (passes || !candidate.unsure.empty()) out.push_back(std::move(candidate));
  }
  return out;
}

std::vector<SeriesIndex::Candidate> SeriesIndex::Values(std::string_view name, const Filter& filter,
                                                        Among among) const {
  ReaderMutexLock lock(&mutex_);
  std::vector<Candidate> out;
  const auto it = names_.find(std::string(name));
  if (it == names_.end()) return out;
  out.reserve(it->second.size());
  for (const auto& [value, pair] : it->second) {
    const Postings& postings = pairs_[pair].postings;
    if (postings.empty()) continue;
    out.push_back({std::string(value), {}});
    if (!AnyPasses(postings, filter, among)) postings.AppendTo(&out.back().unsure);
  }
  return out;
}

void SeriesIndex::FillStatus(size_t limit, Status* status) const {
  ReaderMutexLock lock(&mutex_);
  status->head_series = count_;
  status->label_pairs = 0;
  for (const auto& [name, values] : names_) {
    uint64_t live = 0, bytes = 0;
    for (const auto& [value, pair] : values) {
      const uint64_t series = pairs_[pair].postings.size();
      if (series == 0) continue;
      ++live;
      bytes += (name.size() + value.size()) * series;
      status->series_by_pair.push_back({name + "=" + std::string(value), series});
      if (name == kMetricName) status->series_by_metric.push_back({std::string(value), series});
    }
    status->label_pairs += live;
    if (live == 0) continue;
    status->values_by_label.push_back({name, live});
    status->memory_by_label.push_back({name, bytes});
  }
  KeepLargest(limit, &status->series_by_metric);
  KeepLargest(limit, &status->values_by_label);
  KeepLargest(limit, &status->memory_by_label);
  KeepLargest(limit, &status->series_by_pair);
}

}  // namespace narthex::tsdb
