// Sealing: what is complete in memory becomes stripes in the store. Order: ingest, note, forget, free the
// journal. A crash between the steps makes the next process seal the same rounds again, under the same keys
// or as equal samples.
#include <algorithm>
#include <map>

#include "base/lean_work.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/loose_seal.h"
#include "tsdb/manifest.h"
#include "tsdb/stripe_writer.h"

namespace narthex::tsdb {
namespace {

// A seal is done in parts of about so much, each a file: what a part is made of leaves memory behind it.
constexpr size_t kSealBytes = 8 << 20;

void AppendRows(const SeriesRows& from, size_t n, size_t base, SeriesRows* to) {
  for (size_t i = 0; i < n; ++i) {
    if (from.stale.Get(i)) to->stale.Set(base + i);
    if (!from.present.Get(i)) continue;
    to->present.Set(base + i);
    to->values[base + i] = from.values[i];
  }
}

// Adjacent tiles of one window with ascending times, as one segment.
void SealTiles(const std::vector<TilePtr>& tiles, const std::vector<SeriesId>& slots,
               const std::vector<Slot>& by_labels, StripeKey key, Roaring* members,
               std::map<std::string, std::string>* out) {
  std::vector<std::vector<int64_t>> columns(1);
  for (const TilePtr& tile : tiles)
    columns[0].insert(columns[0].end(), tile->times.begin(), tile->times.end());
  const size_t n = columns[0].size();
  RunWriter writer(key, &columns, out);
  for (Slot slot : by_labels) {
    if (slots[slot] == 0) continue;  // free
    SeriesRows rows, part;
    rows.present = Bits(n);
    rows.stale = Bits(n);
    rows.values.assign(n, 0);
    size_t base = 0;
    bool any = false;
    for (const TilePtr& tile : tiles) {
      const std::string_view bytes = tile->Entry(slot);
      if (!bytes.empty() && DecodeEntry(bytes, tile->times.size(), &part)) {
        AppendRows(part, tile->times.size(), base, &rows);
        any = true;
      }
      base += tile->times.size();
    }
    if (!any) continue;
    writer.Add(slots[slot], 0, EncodeEntry(rows, n));
    members->add(slots[slot]);
  }
}

}  // namespace

struct DbImpl::SealPlan {
  struct GroupSeal {
    std::shared_ptr<Group> group;
    size_t tiles = 0;
    Manifest manifest;
  };
  std::map<std::string, std::string> stripes;  // but for those in `file`
  std::map<int64_t, Roaring> members;          // by window
  std::vector<GroupSeal> groups;
  bool loose = false;
  uint64_t loose_sequence = 0;

  // The stripes of a window, group by group: memory never holds more than one group's.
  std::unique_ptr<StripeFile> file;
  int64_t file_window = 0;
  std::string last_key;
  size_t file_bytes = 0;

  size_t StripeBytes() const {
    size_t bytes = file_bytes;
    for (const auto& [key, stripe] : stripes) bytes += stripe.size();
    return bytes;
  }

  // The same of loose samples, which come series by series: files by window.
  std::map<int64_t, std::unique_ptr<StripeFile>> loose_files;

  // Moves the stripes to the file, if they are of its window and come behind what it has.
  absl::Status WriteOut(RocksStore* store) {
    if (stripes.empty()) return absl::OkStatus();
    StripeKey first, last;
    DecodeStripeKey(stripes.begin()->first, &first);
    DecodeStripeKey(stripes.rbegin()->first, &last);
    if (first.window != last.window) return absl::OkStatus();
    if (file == nullptr) {
      ASSIGN_OR_RETURN(file, store->NewFile(Family::kHours));
      file_window = first.window;
    }
    if (first.window != file_window || stripes.begin()->first <= last_key) return absl::OkStatus();
    for (const auto& [key, stripe] : stripes) {
      RETURN_IF_ERROR(file->Add(key, stripe));
      file_bytes += stripe.size();
    }
    last_key = stripes.rbegin()->first;
    stripes.clear();
    return absl::OkStatus();
  }

  // Stripes of a window come in the order of their keys.
  absl::Status WriteOutLoose(RocksStore* store) {
    for (auto it = stripes.begin(); it != stripes.end();) {
      StripeKey key;
      DecodeStripeKey(it->first, &key);
      if (key.group != kLooseGroup) {
        ++it;
        continue;
      }
      std::unique_ptr<StripeFile>& to = loose_files[key.window];
      if (to == nullptr) {
        ASSIGN_OR_RETURN(to, store->NewFile(Family::kHours));
      }
      RETURN_IF_ERROR(to->Add(it->first, it->second));
      it = stripes.erase(it);
    }
    return absl::OkStatus();
  }

  absl::Status IngestFiles(RocksStore* store) {
    if (file != nullptr) RETURN_IF_ERROR(store->Ingest(std::move(file)));
    for (auto& [window, stripes_of] : loose_files) RETURN_IF_ERROR(store->Ingest(std::move(stripes_of)));
    loose_files.clear();
    return absl::OkStatus();
  }
};

void DbImpl::PlanGroup(const std::shared_ptr<Group>& group, bool force, SealPlan* plan) {
  std::vector<TilePtr> tiles;
  std::vector<SeriesId> slots;
  SealPlan::GroupSeal seal;
  {
    MutexLock lock(&group->mutex);
    if (!group->HasHead()) return;
    const int64_t window = WindowOf(group->last_t, options_.window_ms);
    // A group that gets no more rounds is sealed once its window is over.
    const bool over = options_.clock->NowMs() > window + options_.window_ms + options_.window_ms / 8;
    if (force || over) group->CloseTile();
    for (const TilePtr& tile : group->tiles) {
      if (!force && !over && WindowOf(tile->times.front(), options_.window_ms) == window) break;
      tiles.push_back(tile);
    }
    if (tiles.empty()) return;
    slots = group->slots;
    seal.group = group;
    seal.tiles = tiles.size();
    seal.manifest.sealed_sequence = tiles.back()->last_sequence;
    seal.manifest.last_t = group->last_t;
    seal.manifest.tracked = group->tracked;
  }
  std::vector<Labels> labels(slots.size());
  std::vector<Slot> order(slots.size());
  for (Slot i = 0; i < slots.size(); ++i) {
    order[i] = i;
    labels[i] = index_.LabelsOf(slots[i]);
  }
  std::sort(order.begin(), order.end(), [&](Slot a, Slot b) { return labels[a] < labels[b]; });
  for (size_t begin = 0; begin < tiles.size();) {
    const int64_t window = WindowOf(tiles[begin]->times.front(), options_.window_ms);
    size_t end = begin + 1;
    while (end < tiles.size() && WindowOf(tiles[end]->times.front(), options_.window_ms) == window &&
           tiles[end]->times.front() > tiles[end - 1]->times.back()) {
      ++end;
    }
    const StripeKey key{window, group->id, tiles[begin]->first_sequence, 0};
    SealTiles({tiles.begin() + static_cast<ptrdiff_t>(begin), tiles.begin() + static_cast<ptrdiff_t>(end)},
              slots, order, key, &plan->members[window], &plan->stripes);
    begin = end;
  }
  plan->groups.push_back(std::move(seal));
}

absl::Status DbImpl::PlanLoose(bool force, SealPlan* plan, LeanWork* lean) {
  std::vector<std::shared_ptr<const LooseStore>> frozen;
  {
    // Alone for a moment: every record up to the last sequence is in memory.
    MutexLock commit(&commit_mutex_);
    MutexLock lock(&loose_mutex_);
    const int64_t newest = HeadMax();
    const int64_t window = newest == INT64_MIN ? INT64_MIN : WindowOf(newest, options_.window_ms);
    if (loose_window_ == INT64_MIN) {
      loose_window_ = loose_->empty() ? window : WindowOf(loose_->min_t(), options_.window_ms);
    }
    const bool due = force || window != loose_window_ || loose_->bytes() > kMaxLooseBytes;
    if (!loose_->empty() && due) {
      auto next = std::make_shared<LooseStore>();
      next->InheritLast(*loose_, HeadMax() - kOutOfBoundsMs);
      frozen_.push_back(std::move(loose_));
      loose_ = std::move(next);
    }
    if (due) loose_window_ = window;
    frozen = frozen_;
  }
  if (frozen.empty()) return absl::OkStatus();
  plan->loose = true;
  Roaring ids;
  int64_t mint = INT64_MAX, maxt = INT64_MIN;
  for (const auto& store : frozen) {
    plan->loose_sequence = std::max(plan->loose_sequence, store->last_sequence);
    mint = std::min(mint, store->min_t());
    maxt = std::max(maxt, store->max_t());
    store->ForEach([&](const LooseColumn& column) {
      if (column.count > 0) ids.add(column.id);
    });
  }
  const std::shared_ptr<const SeriesIndex::Ranks> ranks = index_.RanksByLabels();
  const auto rank = [&](SeriesId id) { return id < ranks->size() ? (*ranks)[id] : SeriesIndex::kNoRank; };
  std::vector<SeriesId> order(ids.cardinality());
  ids.toUint32Array(order.data());
  std::sort(order.begin(), order.end(),
            [&](SeriesId a, SeriesId b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
  LooseSeal seal(options_.window_ms, frozen.front()->first_sequence, &plan->stripes, &plan->members);
  // History sent late has many windows: a file each would be many small ones.
  const bool few =
      WindowOf(maxt, options_.window_ms) <= WindowOf(mint, options_.window_ms) + options_.window_ms;
  for (size_t i = 0; i < order.size(); ++i) {
    seal.Add(order[i], frozen);
    if (i % kStripeSeries != 0) continue;
    lean->Step();
    if (few) RETURN_IF_ERROR(plan->WriteOutLoose(store_.get()));
  }
  seal.Finish();
  return few ? plan->WriteOutLoose(store_.get()) : absl::OkStatus();
}

absl::Status DbImpl::NoteSeal(const SealPlan& plan) {
  IndexBatch batch;
  for (const SealPlan::GroupSeal& g : plan.groups) {
    batch.puts.emplace_back(ManifestKey(g.group->id), g.manifest.Encode());
  }
  if (plan.loose) {
    Manifest m;
    m.sealed_sequence = plan.loose_sequence;
    m.last_t = max_t_;
    batch.puts.emplace_back(ManifestKey(kLooseGroup), m.Encode());
  }
  MutexLock lock(&windows_mutex_);
  for (const auto& [window, members] : plan.members) {
    Roaring all = members;
    const auto it = windows_.find(window);
    if (it != windows_.end()) all |= *it->second;
    all.runOptimize();
    batch.puts.emplace_back(WindowKey(window), EncodeSeriesSet(all));
    windows_[window] = std::make_shared<const Roaring>(std::move(all));
  }
  return store_->Write(batch, /*sync=*/true);
}

absl::Status DbImpl::Seal(bool force) {
  // Not to be encoded again and again for a disk that takes nothing.
  if (seal_failing_) RETURN_IF_ERROR(store_->CheckRoom());
  std::vector<std::shared_ptr<Group>> groups = AllGroups();
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  LeanWork lean;
  SealPlan plan;
  for (const auto& group : groups) {
    PlanGroup(group, force, &plan);
    if (plan.groups.empty()) continue;
    lean.Step();
    if (absl::Status s = plan.WriteOut(store_.get()); !s.ok()) return FailSeal(std::move(s));
    if (plan.StripeBytes() < kSealBytes) continue;
    RETURN_IF_ERROR(RunSeal(&plan, &lean));
    plan = SealPlan();
  }
  if (absl::Status s = PlanLoose(force, &plan, &lean); !s.ok()) return FailSeal(std::move(s));
  return RunSeal(&plan, &lean);
}

// Over the limit, what is in memory goes to disk before its window is over: a few groups at a time, those
// with the most first, so that the seal itself takes little memory.
absl::Status DbImpl::SealForRoom() {
  if (seal_failing_ && !store_->CheckRoom().ok()) return absl::OkStatus();  // Seal said so
  LeanWork lean;
  Measure(/*may_flush=*/true);
  while (memory_.Tight()) {
    std::vector<std::pair<size_t, std::shared_ptr<Group>>> largest;
    for (const auto& group : AllGroups()) {
      ReaderMutexLock lock(&group->mutex);
      if (const size_t bytes = group->MemoryBytes().head; bytes > 0) largest.emplace_back(bytes, group);
    }
    std::sort(largest.begin(), largest.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    size_t loose = 0;
    {
      ReaderMutexLock lock(&loose_mutex_);
      loose = loose_->bytes();
    }
    const size_t batch = static_cast<size_t>(memory_.limit()) / 32;
    SealPlan plan;
    size_t taken = 0;
    if (loose > batch || (!largest.empty() && loose > largest[0].first)) {
      if (absl::Status s = PlanLoose(/*force=*/true, &plan, &lean); !s.ok()) return FailSeal(std::move(s));
      taken = loose;
    }
    for (size_t i = 0; i < largest.size() && taken < batch; ++i) {
      PlanGroup(largest[i].second, /*force=*/true, &plan);
      taken += largest[i].first;
    }
    // Small change is not worth a file.
    if (taken < batch / 4) break;
    RETURN_IF_ERROR(RunSeal(&plan, &lean));
    metrics_.early_seals->Add();
    Measure(/*may_flush=*/true);
  }
  return absl::OkStatus();
}

// Many loose samples are read from the journal at the next start for longer than it takes to seal them, which
// has to be done anyway. If it fails, that start reads them.
void DbImpl::SealForStop() {
  constexpr size_t kManyLooseBytes = 4 << 20;
  MutexLock maintain(&maintain_mutex_);
  {
    MutexLock lock(&loose_mutex_);
    if (loose_->bytes() < kManyLooseBytes || has_unsaved_) return;
  }
  LeanWork lean;
  SealPlan plan;
  absl::Status s = PlanLoose(/*force=*/true, &plan, &lean);
  if (s.ok()) s = RunSeal(&plan, &lean);
  if (!s.ok()) options_.logger->Error("Seal at the stop failed", {{"err", std::string(s.message())}});
}

// Everything is in memory still; the next round tries again.
absl::Status DbImpl::FailSeal(absl::Status status) {
  seal_failing_ = true;
  metrics_.seal_failures->Add();
  return status;
}

absl::Status DbImpl::RunSeal(SealPlan* plan, LeanWork* lean) {
  if (plan->groups.empty() && !plan->loose) return absl::OkStatus();
  const int64_t start = options_.clock->MonotonicNs();
  // Series that the stripes name must be in the store for good before them.
  absl::Status s = store_->Sync();
  lean->Turn();
  if (s.ok()) s = plan->IngestFiles(store_.get());
  if (s.ok()) s = IngestHours(plan->stripes);
  lean->Turn();
  if (s.ok()) s = NoteSeal(*plan);
  if (!s.ok()) return FailSeal(std::move(s));
  seal_failing_ = false;
  MoveSealed(*plan);
  RETURN_IF_ERROR(SaveExemplars());
  FreeJournal();
  lean->Step();
  metrics_.seals->Add();
  metrics_.seal_seconds->Observe(static_cast<double>(options_.clock->MonotonicNs() - start) / 1e9);
  return absl::OkStatus();
}

// A file for each day: a merge drops whole files.
absl::Status DbImpl::IngestHours(const std::map<std::string, std::string>& stripes) {
  for (auto it = stripes.begin(); it != stripes.end();) {
    StripeKey key;
    DecodeStripeKey(it->first, &key);
    const std::string end = StripeWindowPrefix(WindowOf(key.window, DayMs()) + DayMs());
    ASSIGN_OR_RETURN(std::unique_ptr<StripeFile> file, store_->NewFile(Family::kHours));
    for (; it != stripes.end() && it->first < end; ++it) RETURN_IF_ERROR(file->Add(it->first, it->second));
    RETURN_IF_ERROR(store_->Ingest(std::move(file)));
  }
  return absl::OkStatus();
}

// What is in the store leaves memory.
void DbImpl::MoveSealed(const SealPlan& plan) {
  MutexLock layout(&layout_mutex_);
  ++layout_version_;
  {
    MutexLock lock(&windows_mutex_);
    for (const auto& [window, members] : plan.members) hourly_.insert(window);
  }
  for (const SealPlan::GroupSeal& g : plan.groups) {
    MutexLock lock(&g.group->mutex);
    g.group->tiles.erase(g.group->tiles.begin(), g.group->tiles.begin() + static_cast<ptrdiff_t>(g.tiles));
    g.group->sealed_sequence = std::max(g.group->sealed_sequence, g.manifest.sealed_sequence);
  }
  if (plan.loose) {
    MutexLock lock(&loose_mutex_);
    frozen_.clear();
    loose_sealed_ = std::max(loose_sealed_, plan.loose_sequence);
  }
}

uint64_t DbImpl::FirstNeeded() const {
  uint64_t needed = journal_->last_sequence() + 1;
  for (const auto& group : AllGroups()) {
    MutexLock lock(&group->mutex);
    needed = std::min(needed, group->FirstSequence());
  }
  MutexLock lock(&loose_mutex_);
  if (!loose_->empty()) needed = std::min(needed, loose_->first_sequence);
  for (const auto& store : frozen_) needed = std::min(needed, store->first_sequence);
  return std::min(needed, exemplars_.FirstUnsaved());
}

void DbImpl::FreeJournal() {
  MutexLock commit(&commit_mutex_);
  journal_->Free(FirstNeeded());
}

}  // namespace narthex::tsdb
