#include "tsdb/series_index.h"

#include <algorithm>
#include <iterator>

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {
namespace {

constexpr uint32_t kNone = 0xffffffff;

std::vector<SeriesId> Intersect(const std::vector<SeriesId>& a, const std::vector<SeriesId>& b) {
  std::vector<SeriesId> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

std::vector<SeriesId> Subtract(const std::vector<SeriesId>& a, const std::vector<SeriesId>& b) {
  std::vector<SeriesId> out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

void KeepLargest(size_t limit, std::vector<CardinalityStat>* stats) {
  std::sort(stats->begin(), stats->end(), [](const CardinalityStat& a, const CardinalityStat& b) {
    return a.value != b.value ? a.value > b.value : a.name < b.name;
  });
  if (stats->size() > limit) stats->resize(limit);
}

}  // namespace

std::vector<SeriesIndex::PairId> SeriesIndex::PairsOf(SeriesId id) const {
  std::vector<PairId> out;
  if (id >= offsets_.size() || offsets_[id] == kNone) return out;
  ByteReader in(std::string_view(arena_).substr(offsets_[id]));
  out.resize(in.Varint());
  for (PairId& p : out) p = static_cast<PairId>(in.Varint());
  return out;
}

Labels SeriesIndex::LabelsLocked(SeriesId id) const {
  std::string encoded;
  for (PairId p : PairsOf(id)) encoded += pairs_[p].encoded;
  return Labels::FromEncoded(std::move(encoded));
}

SeriesId SeriesIndex::Find(const Labels& labels) const {
  ReaderMutexLock lock(&mutex_);
  // A collision of the 64-bit hash moves the series to the next free hash.
  for (uint64_t h = labels.Hash();; ++h) {
    const auto it = by_hash_.find(h);
    if (it == by_hash_.end()) return 0;
    if (LabelsLocked(it->second) == labels) return it->second;
  }
}

SeriesId SeriesIndex::next_id() const {
  ReaderMutexLock lock(&mutex_);
  return std::max<SeriesId>(1, static_cast<SeriesId>(offsets_.size()));
}

void SeriesIndex::Add(SeriesId id, const Labels& labels) {
  MutexLock lock(&mutex_);
  if (id < offsets_.size() && offsets_[id] != kNone) return;
  if (id >= offsets_.size()) offsets_.resize(id + 1, kNone);
  std::string ids;
  size_t count = 0;
  for (const LabelView& label : labels) {
    const Labels single({{label.name, label.value}});
    auto it = pair_ids_.find(single.encoded());
    if (it == pair_ids_.end()) {
      const PairId pair = static_cast<PairId>(pairs_.size());
      pairs_.push_back({single.encoded(), {}, {}});
      Pair& added = pairs_.back();
      added.value = std::string_view(added.encoded).substr(added.encoded.size() - label.value.size());
      text_bytes_ += added.encoded.size();
      it = pair_ids_.emplace(added.encoded, pair).first;
      names_[std::string(label.name)].emplace(added.value, pair);
    }
    std::vector<SeriesId>& postings = pairs_[it->second].postings;
    if (postings.empty() || postings.back() < id)
      postings.push_back(id);
    else
      postings.insert(std::lower_bound(postings.begin(), postings.end(), id), id);
    PutVarint(&ids, it->second);
    ++count;
  }
  offsets_[id] = static_cast<uint32_t>(arena_.size());
  PutVarint(&arena_, count);
  arena_ += ids;
  uint64_t h = labels.Hash();
  while (!by_hash_.emplace(h, id).second) ++h;
  ++count_;
}

void SeriesIndex::Remove(const std::vector<SeriesId>& ids) {
  MutexLock lock(&mutex_);
  for (SeriesId id : ids) {
    if (id >= offsets_.size() || offsets_[id] == kNone) continue;
    const Labels labels = LabelsLocked(id);
    for (uint64_t h = labels.Hash();; ++h) {
      const auto it = by_hash_.find(h);
      if (it == by_hash_.end()) break;
      if (it->second == id) {
        by_hash_.erase(it);
        break;
      }
    }
    for (PairId p : PairsOf(id)) {
      std::vector<SeriesId>& postings = pairs_[p].postings;
      const auto at = std::lower_bound(postings.begin(), postings.end(), id);
      if (at != postings.end() && *at == id) postings.erase(at);
    }
    offsets_[id] = kNone;
    --count_;
  }
}

Labels SeriesIndex::LabelsOf(SeriesId id) const {
  ReaderMutexLock lock(&mutex_);
  return LabelsLocked(id);
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

std::vector<SeriesId> SeriesIndex::WithValue(const Matcher& m, bool accept) const {
  std::vector<SeriesId> out;
  const auto name = names_.find(m.name());
  if (name == names_.end()) return out;
  const auto& values = name->second;
  size_t lists = 0;
  const auto take = [&](PairId p) {
    out.insert(out.end(), pairs_[p].postings.begin(), pairs_[p].postings.end());
    ++lists;
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
  if (lists > 1) {
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
  }
  return out;
}

std::vector<SeriesId> SeriesIndex::Select(const Matchers& matchers) const {
  ReaderMutexLock lock(&mutex_);
  bool have = false;
  std::vector<SeriesId> out;
  // A matcher that refuses the empty value picks series; one that accepts it only takes series away.
  for (const Matcher& m : matchers) {
    if (m.MatchesEmpty()) continue;
    std::vector<SeriesId> ids = WithValue(m, true);
    out = have ? Intersect(out, ids) : std::move(ids);
    have = true;
    if (out.empty()) return out;
  }
  if (!have) out = AllLocked();
  for (const Matcher& m : matchers) {
    if (!m.MatchesEmpty() || out.empty()) continue;
    out = Subtract(out, WithValue(m, false));
  }
  return out;
}

std::vector<std::string> SeriesIndex::Names(const Filter& filter, size_t limit) const {
  ReaderMutexLock lock(&mutex_);
  std::vector<std::string> out;
  for (const auto& [name, values] : names_) {
    const bool any = std::any_of(values.begin(), values.end(), [&](const auto& v) {
      const std::vector<SeriesId>& p = pairs_[v.second].postings;
      return std::any_of(p.begin(), p.end(), filter);
    });
    if (any) out.push_back(name);
    if (limit > 0 && out.size() > limit) break;
  }
  return out;
}

std::vector<std::string> SeriesIndex::Values(std::string_view name, const Filter& filter,
                                             size_t limit) const {
  ReaderMutexLock lock(&mutex_);
  std::vector<std::string> out;
  const auto it = names_.find(std::string(name));
  if (it == names_.end()) return out;
  for (const auto& [value, pair] : it->second) {
    const std::vector<SeriesId>& p = pairs_[pair].postings;
    if (std::any_of(p.begin(), p.end(), filter)) out.emplace_back(value);
    if (limit > 0 && out.size() > limit) break;
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
