#include "tsdb/history.h"

#include <algorithm>
#include <cstring>

#include "absl/hash/hash.h"
#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/format/stripe.h"
#include "tsdb/manifest.h"
#include "tsdb/stripe_writer.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kMaxBuffered = 48 << 20;  // decoded samples
constexpr size_t kMaxStripesBuffered = 32 << 20;
constexpr size_t kMaxFamilies = 4;
constexpr std::string_view kGroupLabel = "__history__";

uint64_t HashTimes(std::span<const int64_t> t) {
  return absl::HashOf(absl::string_view(reinterpret_cast<const char*>(t.data()), t.size_bytes()));
}

bool Contains(const std::vector<int64_t>& times, int64_t t) {
  return std::binary_search(times.begin(), times.end(), t);
}

std::vector<int64_t> Union(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> out;
  out.reserve(std::max(a.size(), b.size()));
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

// A series in a column that has all its times, and more maybe.
std::string EncodeFloats(const std::vector<int64_t>& times, const double* v,
                         const std::vector<int64_t>& column) {
  const size_t n = column.size();
  if (times.size() == n && std::none_of(v, v + n, IsStale)) return EncodeDenseEntry(v, n);
  SeriesRows rows;
  rows.present = Bits(n);
  rows.stale = Bits(n);
  rows.values.assign(n, 0);
  for (size_t i = 0, row = 0; i < times.size(); ++i, ++row) {
    while (column[row] != times[i]) ++row;
    if (IsStale(v[i])) {
      rows.stale.Set(row);
    } else {
      rows.present.Set(row);
      rows.values[row] = v[i];
    }
  }
  return EncodeEntry(rows, n);
}

// The samples of `all` in [from, to).
template <typename T>
std::span<const T> Slice(std::span<const T> all, size_t from, size_t to) {
  return all.empty() ? all : all.subspan(from, to - from);
}

}  // namespace

HistoryWriterImpl::HistoryWriterImpl(DbImpl* db, std::string_view name)
    : db_(db), name_(name), ticket_(&db->series_use_) {}

uint32_t HistoryWriterImpl::TargetOf(const Labels& labels) {
  std::pair<std::string, std::string> name(labels.Get("job"), labels.Get("instance"));
  const auto [it, fresh] = target_ids_.try_emplace(name, static_cast<uint32_t>(target_names_.size()));
  if (fresh) target_names_.push_back(std::move(name));
  return it->second;
}

absl::Status HistoryWriterImpl::Add(SeriesRef* ref, const Labels& labels, const History& samples) {
  if (labels.empty()) return absl::InvalidArgumentError("empty labelset: invalid sample");
  const auto storable = [](int64_t first, int64_t last) {
    return IsStorableTime(first) && IsStorableTime(last);
  };
  if ((!samples.t.empty() && !storable(samples.t.front(), samples.t.back())) ||
      (!samples.h.empty() && !storable(samples.h.front().t, samples.h.back().t)))
    return absl::InvalidArgumentError(StrCat("out of bounds: times of series ", labels.ToString()));
  bool created = false;
  if (*ref == 0) {
    ASSIGN_OR_RETURN(*ref, db_->GetOrCreateSeries(labels, &created));
  }
  const SeriesId id = static_cast<SeriesId>(*ref);
  // A run has the order of labels, each series once.
  if (!last_.empty() && !(last_ < labels)) RETURN_IF_ERROR(Encode());
  last_ = labels;
  const int64_t window_ms = db_->options_.window_ms;
  const uint32_t target = TargetOf(labels);
  for (size_t from = 0; from < samples.t.size();) {
    const int64_t start = WindowOf(samples.t[from], window_ms);
    size_t to = from + 1;
    while (to < samples.t.size() && samples.t[to] - start < window_ms) ++to;
    Window& window = windows_[start];
    window.members.add(id);
    if (samples.start_t.empty()) {
      AddFloats(&window, target, id, Slice(samples.t, from, to), Slice(samples.v, from, to));
    } else {
      AddLoose(
          &window, labels, id,
          {Slice(samples.t, from, to), Slice(samples.v, from, to), Slice(samples.start_t, from, to), {}, {}});
    }
    from = to;
  }
  for (size_t from = 0; from < samples.h.size();) {
    const int64_t start = WindowOf(samples.h[from].t, window_ms);
    size_t to = from + 1;
    while (to < samples.h.size() && samples.h[to].t - start < window_ms) ++to;
    Window& window = windows_[start];
    window.members.add(id);
    AddLoose(&window, labels, id,
             {{}, {}, {}, Slice(samples.h, from, to), Slice(samples.h_start_t, from, to)});
    from = to;
  }
  const auto note = [&](int64_t first, int64_t last) {
    mint_ = std::min(mint_, first);
    maxt_ = std::max(maxt_, last);
  };
  if (!samples.t.empty()) note(samples.t.front(), samples.t.back());
  if (!samples.h.empty()) note(samples.h.front().t, samples.h.back().t);
  return buffered_ > kMaxBuffered ? Encode() : absl::OkStatus();
}

void HistoryWriterImpl::AddFloats(Window* window, uint32_t target_id, SeriesId series,
                                  std::span<const int64_t> t, std::span<const double> v) {
  Target& target = window->targets[target_id];
  const auto same = [&](const Times& times) {
    return times.size() == t.size() && std::memcmp(times.data(), t.data(), t.size_bytes()) == 0;
  };
  Part part{series, 0, values_.size()};
  if (!target.parts.empty() && same(target.times[target.parts.back().times])) {
    part.times = target.parts.back().times;
  } else {
    const auto [it, fresh] =
        target.by_hash.try_emplace(HashTimes(t), static_cast<uint32_t>(target.times.size()));
    part.times = it->second;
    if (fresh || !same(target.times[it->second])) {  // or two lists with one hash
      part.times = static_cast<uint32_t>(target.times.size());
      target.times.emplace_back(t.begin(), t.end());
      buffered_ += t.size_bytes();
    }
  }
  target.parts.push_back(part);
  values_.insert(values_.end(), v.begin(), v.end());
  buffered_ += v.size_bytes() + sizeof(Part);
}

void HistoryWriterImpl::AddLoose(Window* window, const Labels& labels, SeriesId series, const History& part) {
  const bool floats = part.h.empty();
  const size_t n = floats ? part.t.size() : part.h.size();
  const std::span<const int64_t> starts = floats ? part.start_t : part.h_start_t;
  LooseEntry entry{labels, series, {}, {}};
  SeriesRows rows;
  rows.present = Bits(n);
  rows.start_t.assign(starts.begin(), starts.end());
  for (size_t i = 0; i < n; ++i) {
    rows.present.Set(i);
    entry.times.push_back(floats ? part.t[i] : part.h[i].t);
    if (!floats) rows.histograms.push_back(part.h[i].h);
  }
  if (floats) rows.values.assign(part.v.begin(), part.v.end());
  entry.bytes = EncodeEntry(rows, n);
  buffered_ += entry.bytes.size() + n * 8 + labels.encoded().size() + sizeof entry;
  window->loose.push_back(std::move(entry));
}

// The family of each list of times, -1 = none. A list belongs to a family that it shares times with, unless
// that would blow up the family's column.
std::vector<int> HistoryWriterImpl::FindFamilies(const Target& target, std::vector<Family>* families) const {
  std::vector<uint32_t> order(target.times.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return target.times[a].size() > target.times[b].size(); });
  std::vector<int> out(order.size(), -1);
  for (uint32_t i : order) {
    const Times& t = target.times[i];
    const int64_t probes[] = {t.front(), t[t.size() / 4], t[t.size() / 2], t[t.size() * 3 / 4], t.back()};
    for (size_t f = 0; f < families->size() && out[i] < 0; ++f) {
      Times& column = (*families)[f].times;
      const bool shares =
          std::any_of(std::begin(probes), std::end(probes), [&](int64_t p) { return Contains(column, p); });
      if (!shares) continue;
      Times merged = Union(column, t);
      if (merged.size() > std::max(column.size(), t.size()) * 5 / 4 + 8) continue;
      column = std::move(merged);
      out[i] = static_cast<int>(f);
    }
    if (out[i] >= 0 || families->size() >= kMaxFamilies || (t.size() < 4 && !families->empty())) continue;
    out[i] = static_cast<int>(families->size());
    families->push_back({t});
  }
  return out;
}

absl::Status HistoryWriterImpl::Encode() {
  for (auto& [start, window] : windows_) {
    for (auto& [id, target] : window.targets) RETURN_IF_ERROR(EncodeTarget(start, id, &target, &window));
    RETURN_IF_ERROR(EncodeLoose(start, &window));
    members_[start] |= window.members;
  }
  windows_.clear();
  values_.clear();
  buffered_ = 0;
  last_ = Labels();
  size_t bytes = 0;
  for (const auto& [key, stripe] : stripes_) bytes += stripe.size();
  return bytes > kMaxStripesBuffered ? Ingest() : absl::OkStatus();
}

absl::Status HistoryWriterImpl::EncodeTarget(int64_t start, uint32_t id, Target* target, Window* window) {
  std::vector<Family>& families = families_[{start, id}];
  const std::vector<int> family_of = FindFamilies(*target, &families);
  for (size_t f = 0; f < families.size(); ++f) {
    RETURN_IF_ERROR(EncodeFamily(start, id, f, families[f], *target, family_of));
  }
  for (const Part& part : target->parts) {
    if (family_of[part.times] >= 0) continue;
    const Times& times = target->times[part.times];
    LooseEntry entry{db_->index_.LabelsOf(part.series), part.series, times, {}};
    entry.bytes = EncodeFloats(times, &values_[part.values], times);
    window->loose.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::Status HistoryWriterImpl::EncodeFamily(int64_t start, uint32_t target_id, size_t number,
                                             const Family& family, const Target& target,
                                             const std::vector<int>& family_of) {
  std::vector<SeriesId> members;
  for (const Part& part : target.parts) {
    if (family_of[part.times] == static_cast<int>(number)) members.push_back(part.series);
  }
  if (members.empty()) return absl::OkStatus();
  const auto& [job, instance] = target_names_[target_id];
  const Labels key({{kGroupLabel, std::to_string(number)}, {"instance", instance}, {"job", job}});
  const uint32_t group = db_->GroupOfKey(key)->id;
  ASSIGN_OR_RETURN(const uint64_t generation, NextGeneration(start, group));
  RETURN_IF_ERROR(db_->NoteHistory(group, members, generation));
  const std::vector<Times> columns = {family.times};
  RunWriter writer({start, group, generation, 0}, &columns, &stripes_);
  for (const Part& part : target.parts) {
    if (family_of[part.times] != static_cast<int>(number)) continue;
    writer.Add(part.series, 0, EncodeFloats(target.times[part.times], &values_[part.values], family.times));
  }
  return absl::OkStatus();
}

absl::Status HistoryWriterImpl::EncodeLoose(int64_t start, Window* window) {
  if (window->loose.empty()) return absl::OkStatus();
  std::stable_sort(window->loose.begin(), window->loose.end(),
                   [](const LooseEntry& a, const LooseEntry& b) { return a.labels < b.labels; });
  std::vector<Times> columns;
  std::map<Times, uint32_t> known;
  for (const LooseEntry& e : window->loose) {
    if (known.try_emplace(e.times, static_cast<uint32_t>(columns.size())).second) columns.push_back(e.times);
  }
  ASSIGN_OR_RETURN(const uint64_t generation, NextGeneration(start, kLooseGroup));
  RunWriter writer({start, kLooseGroup, generation, 0}, &columns, &stripes_);
  for (LooseEntry& e : window->loose) writer.Add(e.series, known[e.times], std::move(e.bytes));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> HistoryWriterImpl::NextGeneration(int64_t window, uint32_t group) {
  const size_t number = runs_[{window, group}]++;
  while (generations_.size() <= number) {
    ASSIGN_OR_RETURN(const uint64_t next, db_->HistoryGeneration(name_, generations_.size()));
    generations_.push_back(next);
  }
  return generations_[number];
}

absl::Status HistoryWriterImpl::Ingest() {
  if (stripes_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(db_->IngestHistory(stripes_, members_, mint_, maxt_));
  stripes_.clear();
  members_.clear();
  return absl::OkStatus();
}

absl::Status HistoryWriterImpl::Commit() {
  RETURN_IF_ERROR(Encode());
  return Ingest();
}

absl::StatusOr<std::unique_ptr<HistoryWriter>> DbImpl::NewHistoryWriter(std::string_view name) {
  return std::unique_ptr<HistoryWriter>(std::make_unique<HistoryWriterImpl>(this, name));
}

absl::StatusOr<uint64_t> DbImpl::HistoryGeneration(const std::string& name, size_t number) {
  const std::string key = StateKey(StrCat("history/", name, "/", number));
  uint64_t generation = 0;
  const absl::StatusOr<std::string> known = store_->Get(key);
  if (known.ok() && absl::SimpleAtoi(*known, &generation)) return generation;
  if (known.ok())
    return absl::DataLossError(StrCat("history ", name, ": the note of its generation is malformed"));
  if (!absl::IsNotFound(known.status())) return known.status();
  bool written = false;
  generation = AppendJournal(EncodeLooseRecord({}), &written);
  if (!written) return absl::ResourceExhaustedError("the journal cannot be written");
  RETURN_IF_ERROR(SyncAll());
  IndexBatch batch;
  batch.puts.emplace_back(key, std::to_string(generation));
  RETURN_IF_ERROR(store_->Write(batch, /*sync=*/true));
  return generation;
}

absl::Status DbImpl::NoteHistory(uint32_t group, const std::vector<SeriesId>& series, uint64_t generation) {
  IndexBatch batch;
  std::vector<SeriesId> fresh;
  {
    ReaderMutexLock lock(&groups_mutex_);
    for (SeriesId id : series) {
      bool known = false;
      ForEachGroup(id, [&](uint32_t g) { known = known || g == group; });
      if (known) continue;
      batch.puts.emplace_back(MemberKey(id, group), "");
      fresh.push_back(id);
    }
  }
  if (!batch.empty()) RETURN_IF_ERROR(store_->Write(batch, /*sync=*/false));
  MutexLock lock(&groups_mutex_);
  for (SeriesId id : fresh) NoteMembership(id, group);
  const auto it = groups_.find(group);
  if (it == groups_.end()) return absl::OkStatus();
  MutexLock group_lock(&it->second->mutex);
  it->second->sealed_sequence = std::max(it->second->sealed_sequence, generation);
  return absl::OkStatus();
}

absl::Status DbImpl::IngestHistory(const std::map<std::string, std::string>& stripes,
                                   const std::map<int64_t, Roaring>& members, int64_t mint, int64_t maxt) {
  MutexLock maintain(&maintain_mutex_);
  WriteIndex();  // the series that the stripes name
  RETURN_IF_ERROR(store_->Sync());
  RETURN_IF_ERROR(IngestHours(stripes));
  IndexBatch batch;
  {
    MutexLock lock(&windows_mutex_);
    for (const auto& [window, series] : members) {
      Roaring all = series;
      const auto it = windows_.find(window);
      if (it != windows_.end()) all |= *it->second;
      all.runOptimize();
      batch.puts.emplace_back(WindowKey(window), EncodeSeriesSet(all));
      windows_[window] = std::make_shared<const Roaring>(std::move(all));
    }
  }
  RETURN_IF_ERROR(store_->Write(batch, /*sync=*/true));
  NoteTime(mint);
  NoteTime(maxt);
  MutexLock layout(&layout_mutex_);
  ++layout_version_;
  MutexLock lock(&windows_mutex_);
  for (const auto& [window, series] : members) hourly_.insert(window);
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
