#include "tsdb/stripe_reader.h"

#include <algorithm>
#include <map>

#include "absl/hash/hash.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/directory.h"

namespace narthex::tsdb {
namespace {

// Where in a key the stripe number stands; what is before it names the run.
constexpr size_t kHourPrefix = 20, kDayPrefix = 16;

std::string WithStripe(std::string prefix, uint32_t stripe) {
  PutBig32(&prefix, stripe);
  return prefix;
}

bool HasPrefix(const Cursor& cursor, std::string_view prefix) {
  return cursor.Valid() && cursor.key().substr(0, prefix.size()) == prefix;
}

}  // namespace

StripeReader::Directory StripeReader::ReadDirectory(Cursor* cursor, const Run& run, uint32_t group) {
  Directory directory;
  const std::string key = WithStripe(run.prefix, kDirectoryStripe);
  cursor->Seek(key);
  const bool there = HasPrefix(*cursor, key);
  if (there && DecodeDirectory(cursor->value(), &directory)) return directory;
  if (there || !cursor->status().ok()) corrupt_(run.start, group, kDirectoryStripe);
  directory.clear();
  StripeView view;
  for (cursor->Seek(run.prefix); HasPrefix(*cursor, run.prefix); cursor->Next()) {
    const uint32_t number = GetBig32(cursor->key().data() + run.prefix.size());
    if (number == kDirectoryStripe) break;
    if (number >= directory.size()) directory.resize(number + 1);
    if (!view.Parse(cursor->value())) {
      corrupt_(run.start, group, number);
      continue;
    }
    for (const StripeView::Entry& e : view.entries) directory[number].push_back(e.series);
  }
  if (!cursor->status().ok()) corrupt_(run.start, group, kDirectoryStripe);
  return directory;
}

void StripeReader::AddRun(const Directory& directory, Run run, CachedRuns* found, std::vector<Run>* runs) {
  CachedRun& cached = found->emplace_back();
  cached.prefix = run.prefix;
  for (uint32_t s = 0; s < directory.size(); ++s) {
    // The first series that still has a rank; a stripe where none has holds nothing that is asked for.
    SeriesId leader = 0;
    for (SeriesId id : directory[s]) {
      has_younger_ = has_younger_ || id >= ranks_->size();
      if (leader == 0 && RankOf(id) != SeriesIndex::kNoRank) leader = id;
    }
    cached.leaders.push_back(leader);
    if (leader != 0) run.parts.push_back({RankOf(leader), s, s + 1});
  }
  runs->push_back(std::move(run));
}

void StripeReader::FindDay(uint32_t group, int64_t day, uint32_t generation, CachedRuns* found,
                           std::vector<Run>* runs) {
  Run run{true, day, EncodeDayKey({day, generation, group, 0, 0}).substr(0, kDayPrefix), {}};
  const Directory directory = ReadDirectory(view_->days.get(), run, group);
  if (keep_series_) {
    for (const auto& list : directory) series_[group].addMany(list.size(), list.data());
  }
  if (!directory.empty()) AddRun(directory, std::move(run), found, runs);
}

void StripeReader::FindHours(uint32_t group, int64_t window, CachedRuns* found, std::vector<Run>* runs) {
  Cursor* const cursor = view_->hours.get();
  const std::string all = StripeGroupPrefix(window, group);
  for (cursor->Seek(all); HasPrefix(*cursor, all);) {
    StripeKey key;
    if (!DecodeStripeKey(cursor->key(), &key)) break;
    Run run{false, window, EncodeStripeKey(key).substr(0, kHourPrefix), {}};
    const Directory directory = ReadDirectory(cursor, run, group);
    if (keep_series_) {
      for (const auto& list : directory) series_[group].addMany(list.size(), list.data());
    }
    AddRun(directory, std::move(run), found, runs);
    if (key.generation == UINT64_MAX) break;
    cursor->Seek(EncodeStripeKey({window, group, key.generation + 1, 0}));
  }
  if (!cursor->status().ok()) corrupt_(window, group, kDirectoryStripe);
}

bool StripeReader::FindCached(const RunCache::Key& key, std::vector<Run>* runs) const {
  if (view_->cache == nullptr || keep_series_) return false;
  const std::shared_ptr<const CachedRuns> cached = view_->cache->Find(view_->layout, key);
  if (cached == nullptr) return false;
  const size_t before = runs->size();
  for (const CachedRun& c : *cached) {
    Run run{key.merged, key.start, c.prefix, {}, true};
    if (!AddParts(c.leaders, &run.parts)) {
      runs->resize(before);
      return false;
    }
    runs->push_back(std::move(run));
  }
  return true;
}

bool StripeReader::AddParts(const std::vector<SeriesId>& leaders, std::vector<Part>* parts) const {
  // The first stripe behind a rank. A leader without a rank says nothing, and all are looked at.
  bool known = true;
  const auto behind = [&](uint32_t rank) {
    size_t low = 0, high = leaders.size();
    while (low < high && known) {
      const size_t middle = (low + high) / 2;
      const uint32_t have = leaders[middle] == 0 ? SeriesIndex::kNoRank : RankOf(leaders[middle]);
      known = have != SeriesIndex::kNoRank;
      (rank < have ? high : low) = rank < have ? middle : middle + 1;
    }
    return low;
  };
  size_t begin = behind(first_rank_), end = behind(last_rank_);
  if (!known) {
    begin = 0;
    end = leaders.size();
  } else if (begin > 0) {
    --begin;
  }
  parts->reserve(end - begin);
  for (size_t s = begin; s < end; ++s) {
    if (leaders[s] == 0) continue;
    const uint32_t rank = RankOf(leaders[s]);
    // Younger than the ranks here: the directory tells of others of its stripe.
    if (rank == SeriesIndex::kNoRank) return false;
    parts->push_back({rank, static_cast<uint32_t>(s), static_cast<uint32_t>(s) + 1});
  }
  return true;
}

void StripeReader::FindRuns(const RunCache::Key& key, std::vector<Run>* runs) {
  if (FindCached(key, runs)) return;
  has_younger_ = false;
  auto found = std::make_shared<CachedRuns>();
  if (key.merged) {
    for (const auto& [day, generation] : view_->merged) {
      if (day == key.start) FindDay(key.group, day, generation, found.get(), runs);
    }
  } else {
    FindHours(key.group, key.start, found.get(), runs);
  }
  // Series younger than the ranks here may be leaders for others.
  if (view_->cache != nullptr && !has_younger_) view_->cache->Put(view_->layout, key, std::move(found));
}

const std::vector<StripeReader::Run>& StripeReader::RunsOf(uint32_t group) {
  const auto [it, fresh] = runs_.try_emplace(group);
  if (fresh) {
    for (const auto& [day, generation] : view_->merged) FindRuns({true, day, group}, &it->second);
    for (int64_t window : view_->windows) FindRuns({false, window, group}, &it->second);
  }
  return it->second;
}

std::vector<SeriesId> StripeReader::SeriesOf(uint32_t group) {
  keep_series_ = true;
  runs_.erase(group);
  RunsOf(group);
  keep_series_ = false;
  std::vector<SeriesId> out;
  out.reserve(series_[group].cardinality());
  for (const SeriesId id : series_[group]) {
    if (RankOf(id) != SeriesIndex::kNoRank) out.push_back(id);
  }
  series_.erase(group);
  std::sort(out.begin(), out.end(), [&](SeriesId a, SeriesId b) { return RankOf(a) < RankOf(b); });
  return out;
}

void StripeReader::Read(uint32_t group, std::span<const SeriesId> ids, const Visitor& visit) {
  const std::vector<Run>& runs = RunsOf(group);
  for (size_t r = 0; r < runs.size(); ++r) ReadRun(runs[r], r, group, ids, visit);
}

void StripeReader::ReadRun(const Run& run, size_t number, uint32_t group, std::span<const SeriesId> ids,
                           const Visitor& visit) {
  auto part = run.parts.begin();
  for (size_t i = 0; i < ids.size();) {
    // The last part that begins at or before the series.
    part = std::upper_bound(part, run.parts.end(), RankOf(ids[i]),
                            [](uint32_t rank, const Part& p) { return rank < p.rank; });
    if (part == run.parts.begin()) {
      ++i;
      continue;
    }
    size_t end = i + 1;
    while (end < ids.size() && (part == run.parts.end() || RankOf(ids[end]) < part->rank)) ++end;
    --part;
    for (uint32_t s = part->begin; s < part->end; ++s) {
      const Loaded& loaded = Load(run, group, s);
      for (const Stripe& stripe : loaded.windows) {
        Source source{stripe.window, number, {}, stripe.id, loaded.stays_for == block_, stripe.listed.get()};
        if (stripe.parsed != nullptr) source.stripe = stripe.parsed->bytes;
        VisitStripe(stripe, source, ids.subspan(i, end - i), i, visit);
      }
    }
    i = end;
  }
}

// Both sides have the order of labels, but for entries whose series is gone.
template <typename Entries, typename F>
void StripeReader::MatchEntries(const Entries& entries, std::span<const SeriesId> ids, F f) const {
  auto entry = entries.begin();
  for (size_t i = 0; i < ids.size(); ++i) {
    const uint32_t rank = RankOf(ids[i]);
    for (; entry != entries.end(); ++entry) {
      const uint32_t have = RankOf(entry->series);
      if (have == SeriesIndex::kNoRank || have < rank) continue;
      if (have > rank) break;
      f(i, *entry);
    }
  }
}

void StripeReader::VisitStripe(const Stripe& stripe, const Source& source, std::span<const SeriesId> ids,
                               size_t offset, const Visitor& visit) {
  if (stripe.listed == nullptr) {
    return MatchEntries(stripe.parsed->entries, ids, [&](size_t i, const StripeView::Entry& e) {
      visit(offset + i, source, stripe.columns[e.column], e.bytes);
    });
  }
  MatchEntries(stripe.listed->entries, ids, [&](size_t i, const StripeDirectory::Entry& e) {
    Source of_entry = source;
    of_entry.listed_entry = &e;
    visit(offset + i, of_entry, stripe.columns[e.column], {});
  });
}

std::shared_ptr<const ParsedStripe> StripeReader::Parse(int64_t window, uint32_t group, uint32_t stripe,
                                                        std::string_view bytes) {
  auto parsed = std::make_shared<ParsedStripe>();
  parsed->bytes = std::string(bytes);
  StripeView view;
  if (!view.Parse(parsed->bytes)) {
    corrupt_(window, group, stripe);
    return nullptr;
  }
  for (std::vector<int64_t>& column : view.columns) {
    parsed->column_hashes.push_back(TimeColumns::HashOf(column));
    parsed->columns.push_back(columns_.Intern(std::move(column)));
  }
  parsed->entries = std::move(view.entries);
  return parsed;
}

uint64_t StripeReader::IdOf(const Loaded& loaded, int64_t window) const {
  return absl::HashOf(loaded.key, window);
}

bool StripeReader::Has(uint64_t id, const StripeDirectory& directory) const {
  const uint64_t name[2] = {id, StripeName(directory.stripe_bytes, directory.checksum)};
  return (*has_)(name, directory.stripe_bytes);
}

std::pair<int64_t, int64_t> StripeReader::WindowsOf(const Run& run) const {
  if (!run.merged) return {run.start, run.start};
  const int64_t oldest = view_->mint > run.start ? view_->mint - view_->window_ms + 1 : run.start;
  return {std::max(oldest, run.start), std::min(view_->maxt, run.start + 24 * view_->window_ms - 1)};
}

bool StripeReader::LoadListed(const Run& run, Loaded* out) {
  if (has_ == nullptr || view_->directories == nullptr) return false;
  const auto [from, to] = WindowsOf(run);
  const auto known = view_->directories->Find(view_->layout, out->key, from, to);
  if (!known) return false;
  for (const StripeDirectoryPtr& d : *known) {
    if (!Has(IdOf(*out, d->window), *d)) return false;
  }
  for (const StripeDirectoryPtr& d : *known) {
    Stripe& stripe = out->windows.emplace_back();
    stripe.window = d->window;
    stripe.id = IdOf(*out, d->window);
    stripe.listed = d;
    for (const Times& column : d->columns) stripe.columns.push_back(columns_.Intern(column));
  }
  return out->listed = true;
}

void StripeReader::NoteDirectories(const Run& run, const Loaded& loaded) {
  if (has_ == nullptr || view_->directories == nullptr) return;
  StripeDirectories::List windows;
  for (const Stripe& stripe : loaded.windows) {
    StripeDirectoryPtr listed = ListStripe(stripe.window, *stripe.parsed, &columns_);
    if (listed == nullptr) return;
    windows.push_back(std::move(listed));
  }
  const auto [from, to] = WindowsOf(run);
  view_->directories->Put(view_->layout, run.merged, loaded.key, from, to, std::move(windows));
}

void StripeReader::Add(int64_t window, std::shared_ptr<const ParsedStripe> parsed, Loaded* out) {
  Stripe stripe;
  stripe.window = window;
  stripe.id = IdOf(*out, window);
  stripe.columns.reserve(parsed->columns.size());
  for (size_t i = 0; i < parsed->columns.size(); ++i)
    stripe.columns.push_back(columns_.Intern(parsed->columns[i], parsed->column_hashes[i]));
  out->bytes += parsed->bytes.size();
  stripe.parsed = std::move(parsed);
  out->windows.push_back(std::move(stripe));
}

void StripeReader::LoadHour(const Run& run, uint32_t group, uint32_t stripe, Loaded* out) {
  if (view_->stripes != nullptr) {
    if (auto known = view_->stripes->Find(view_->layout, out->key))
      return Add(run.start, std::move(known), out);
  }
  Cursor* const cursor = view_->hours.get();
  cursor->Seek(out->key);
  if (cursor->Valid() && cursor->key() == out->key) {
    auto parsed = Parse(run.start, group, stripe, cursor->value());
    if (parsed == nullptr) return;
    if (view_->stripes != nullptr) view_->stripes->Put(view_->layout, out->key, parsed);
    Add(run.start, std::move(parsed), out);
  } else if (!run.cached || !cursor->status().ok()) {
    corrupt_(run.start, group, stripe);
  }
}

void StripeReader::LoadDay(const Run& run, uint32_t group, uint32_t stripe, Loaded* out) {
  Cursor* const cursor = view_->days.get();
  std::string first = out->key;
  // The windows in range follow each other.
  const int64_t oldest = view_->mint > run.start ? view_->mint - view_->window_ms + 1 : INT64_MIN;
  first += StripeWindowPrefix(oldest);
  DayKey key;
  for (cursor->Seek(first);
       HasPrefix(*cursor, out->key) && DecodeDayKey(cursor->key(), &key) && key.window <= view_->maxt;
       cursor->Next()) {
    auto parsed = Parse(key.window, group, stripe, cursor->value());
    if (parsed != nullptr) Add(key.window, std::move(parsed), out);
  }
  if (!cursor->status().ok()) corrupt_(run.start, group, stripe);
}

const StripeReader::Loaded& StripeReader::Load(const Run& run, uint32_t group, uint32_t stripe) {
  std::string key = WithStripe(run.prefix, stripe);
  const auto have = by_key_.find(key);
  if (have != by_key_.end()) {
    loaded_.splice(loaded_.begin(), loaded_, have->second);
    Loaded& front = loaded_.front();
    const auto there = [&](const Stripe& s) { return Has(s.id, *s.listed); };
    if (!front.listed ||
        (has_ != nullptr && std::all_of(front.windows.begin(), front.windows.end(), there))) {
      LetStay(&front);
      return front;
    }
    loaded_.pop_front();  // the bytes are wanted after all
    by_key_.erase(have);
  }
  Loaded& made = loaded_.emplace_front();
  made.key = key;
  if (!LoadListed(run, &made)) {
    if (run.merged)
      LoadDay(run, group, stripe, &made);
    else
      LoadHour(run, group, stripe, &made);
    NoteDirectories(run, made);
  }
  by_key_[std::move(key)] = loaded_.begin();
  bytes_ += made.bytes;
  LetStay(&made);
  Evict();
  return made;
}

void StripeReader::LetStay(Loaded* loaded) {
  loaded->used_for = block_;
  if (loaded->stays_for == block_ || staying_ + loaded->bytes > max_kept_bytes_) return;
  loaded->stays_for = block_;
  staying_ += loaded->bytes;
}

void StripeReader::NextBlock() {
  ++block_;
  staying_ = 0;
  if (loaded_.size() <= kMaxListed) return;
  for (auto it = loaded_.begin(); it != loaded_.end();) {
    if (it->listed) by_key_.erase(it->key);
    it = it->listed ? loaded_.erase(it) : std::next(it);
  }
}

void StripeReader::NextBlockOnward() {
  for (auto it = loaded_.begin(); it != loaded_.end();) {
    const auto at = it++;
    if (at->used_for == block_) continue;
    bytes_ -= at->bytes;
    by_key_.erase(at->key);
    loaded_.erase(at);
  }
  NextBlock();
}

void StripeReader::Evict() {
  for (auto it = loaded_.end(); bytes_ > max_kept_bytes_ && it != loaded_.begin();) {
    --it;
    if (it == loaded_.begin() || it->stays_for == block_) continue;
    bytes_ -= it->bytes;
    by_key_.erase(it->key);
    it = loaded_.erase(it);
  }
}

}  // namespace narthex::tsdb
