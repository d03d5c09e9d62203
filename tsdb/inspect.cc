// Db::Inspect: a walk over everything that is stored, with every check there is.
#include <algorithm>
#include <map>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/format/directory.h"
#include "tsdb/format/stripe.h"

namespace narthex::tsdb {
namespace {

uint32_t CountBuckets(const SeriesRows& rows) {
  size_t n = 0;
  for (const HistogramPtr& h : rows.histograms) {
    if (h) n += h->positive_buckets.size() + h->negative_buckets.size();
  }
  return static_cast<uint32_t>(n);
}

// One pass over all stripes. A block is a window, or a merged day.
class StripeWalk {
 public:
  StripeWalk(const SeriesIndex& index, const InspectHooks& hooks) : index_(index), hooks_(hooks) {}

  struct Place {
    int64_t mint = 0, maxt = 0;
    std::string name;
  };
  void Add(const Place& place, std::string_view bytes) {
    Block& block = blocks[{place.mint, place.maxt}];
    block.info.mint = place.mint;
    block.info.maxt = place.maxt;
    block.info.bytes += bytes.size();
    StripeView view;
    if (!view.Parse(bytes)) return Problem(StrCat(place.name, " does not check"));
    for (const StripeView::Entry& e : view.entries) AddEntry(place, view, e, &block);
  }
  void AddDirectory(const Place& place, std::string_view bytes) {
    std::vector<std::vector<uint32_t>> directory;
    if (!DecodeDirectory(bytes, &directory))
      Problem(StrCat("the directory of ", place.name, " does not check"));
  }
  void Problem(const std::string& text) const {
    if (hooks_.problem) hooks_.problem(text);
  }

  struct Block {
    BlockInfo info;
    Roaring series;
  };
  std::map<std::pair<int64_t, int64_t>, Block> blocks;

 private:
  void AddEntry(const Place& place, const StripeView& view, const StripeView::Entry& e, Block* block) {
    SeriesRows rows;
    if (!DecodeEntry(e.bytes, view.columns[e.column].size(), &rows)) {
      return Problem(StrCat(place.name, ": series ", e.series, " does not decode"));
    }
    if (!index_.Has(e.series)) Problem(StrCat(place.name, ": series ", e.series, " has no labels"));
    ChunkInfo chunk;
    chunk.histogram = !rows.histograms.empty();
    chunk.samples = static_cast<uint32_t>(rows.present.CountOnes() + rows.stale.CountOnes());
    chunk.bytes = static_cast<uint32_t>(e.bytes.size());
    chunk.buckets = CountBuckets(rows);
    ++block->info.chunks;
    block->info.samples += chunk.samples;
    block->series.add(e.series);
    if (hooks_.chunk) hooks_.chunk(block->info, chunk);
  }

  const SeriesIndex& index_;
  const InspectHooks& hooks_;
};

absl::Status WalkHours(Cursor* cursor, int64_t window_ms, StripeWalk* walk) {
  StripeKey key;
  for (cursor->Seek(""); cursor->Valid(); cursor->Next()) {
    if (!DecodeStripeKey(cursor->key(), &key)) {
      walk->Problem("a stripe has a malformed key");
      continue;
    }
    const bool directory = key.stripe == kDirectoryStripe;
    const std::string run =
        StrCat("window ", key.window, ", group ", key.group, ", generation ", key.generation);
    if (directory)
      walk->AddDirectory({key.window, key.window + window_ms, run}, cursor->value());
    else
      walk->Add({key.window, key.window + window_ms, StrCat("stripe ", key.stripe, " of ", run)},
                cursor->value());
  }
  return cursor->status();
}

absl::Status WalkDays(Cursor* cursor, int64_t day_ms, StripeWalk* walk) {
  DayKey key;
  for (cursor->Seek(""); cursor->Valid(); cursor->Next()) {
    if (!DecodeDayKey(cursor->key(), &key)) {
      walk->Problem("a stripe of a merged day has a malformed key");
      continue;
    }
    const std::string run = StrCat("day ", key.day, ", group ", key.group);
    if (key.stripe == kDirectoryStripe)
      walk->AddDirectory({key.day, key.day + day_ms, run}, cursor->value());
    else
      walk->Add(
          {key.day, key.day + day_ms, StrCat("stripe ", key.stripe, ", window ", key.window, " of ", run)},
          cursor->value());
  }
  return cursor->status();
}

void CountTile(const Tile& tile, const std::vector<SeriesId>& slots, BlockInfo* head, Roaring* series) {
  head->mint = std::min(head->mint, tile.times.front());
  head->maxt = std::max(head->maxt, tile.times.back() + 1);
  head->bytes += tile.bytes.size();
  for (uint32_t slot = 0; slot < slots.size(); ++slot) {
    SeriesRows rows;
    const std::string_view bytes = tile.Entry(slot);
    if (bytes.empty() || !DecodeEntry(bytes, tile.times.size(), &rows)) continue;
    ++head->chunks;
    head->samples += rows.present.CountOnes() + rows.stale.CountOnes();
    series->add(slots[slot]);
  }
}

void CountLoose(const LooseStore& store, BlockInfo* head, Roaring* series) {
  if (store.empty()) return;
  head->mint = std::min(head->mint, store.min_t());
  head->maxt = std::max(head->maxt, store.max_t() + 1);
  head->bytes += store.bytes();
  store.ForEach([&](const LooseColumn& column) {
    if (column.count == 0) return;
    ++head->chunks;
    head->samples += column.count;
    series->add(column.id);
  });
}

}  // namespace

absl::StatusOr<std::vector<BlockInfo>> DbImpl::Inspect(const InspectHooks& hooks) const {
  StripeWalk walk(index_, hooks);
  std::unique_ptr<ReadView> view = Pin({}, INT64_MIN, INT64_MAX);
  RETURN_IF_ERROR(WalkDays(view->days.get(), DayMs(), &walk));
  RETURN_IF_ERROR(WalkHours(view->hours.get(), options_.window_ms, &walk));
  std::vector<BlockInfo> out;
  for (auto& [range, block] : walk.blocks) {
    Roaring listed;
    {
      ReaderMutexLock lock(&windows_mutex_);
      const auto end = windows_.lower_bound(range.second);
      for (auto it = windows_.lower_bound(range.first); it != end; ++it) listed |= *it->second;
    }
    if (!block.series.isSubset(listed)) {
      walk.Problem(StrCat("window ", range.first, ": the list of its series lacks some that have samples"));
    }
    block.info.series = block.series.cardinality();
    out.push_back(block.info);
  }
  BlockInfo head;
  head.head = true;
  head.mint = INT64_MAX;
  head.maxt = INT64_MIN;
  Roaring series;
  for (const auto& group : AllGroups()) {
    ReaderMutexLock lock(&group->mutex);
    for (const TilePtr& tile : group->tiles) CountTile(*tile, group->slots, &head, &series);
    const TilePtr open = BuildTile(group->open.rounds, group->open.first_sequence, group->open.last_sequence);
    if (open != nullptr) CountTile(*open, group->slots, &head, &series);
  }
  {
    ReaderMutexLock lock(&loose_mutex_);
    for (const auto& store : frozen_) CountLoose(*store, &head, &series);
    CountLoose(*loose_, &head, &series);
  }
  head.series = series.cardinality();
  if (head.chunks > 0) out.push_back(head);
  return out;
}

}  // namespace narthex::tsdb
