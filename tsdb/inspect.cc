// Db::Inspect: a walk over everything that is stored, with every check there is.
#include <algorithm>
#include <map>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
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

// One pass over the stripes, which come window by window.
class StripeWalk {
 public:
  StripeWalk(const SeriesIndex& index, int64_t window_ms, const InspectHooks& hooks)
      : index_(index), window_ms_(window_ms), hooks_(hooks) {}

  void Add(std::string_view key_bytes, std::string_view bytes) {
    StripeKey key;
    if (!DecodeStripeKey(key_bytes, &key)) return Problem("a stripe has a malformed key");
    if (blocks.empty() || blocks.back().mint != key.window) {
      BlockInfo block;
      block.mint = key.window;
      block.maxt = key.window + window_ms_;
      blocks.push_back(block);
      series.emplace_back();
    }
    blocks.back().bytes += key_bytes.size() + bytes.size();
    StripeView view;
    if (!view.Parse(bytes)) return Problem(StrCat(Name(key), " does not check"));
    for (const StripeView::Entry& e : view.entries) AddEntry(key, view, e);
  }

  std::vector<BlockInfo> blocks;
  std::vector<Roaring> series;  // of each block

 private:
  static std::string Name(const StripeKey& key) {
    return StrCat("stripe ", key.stripe, " of window ", key.window, ", group ", key.group, ", generation ",
                  key.generation);
  }
  void Problem(const std::string& text) {
    if (hooks_.problem) hooks_.problem(text);
  }
  void AddEntry(const StripeKey& key, const StripeView& view, const StripeView::Entry& e) {
    SeriesRows rows;
    if (e.column >= view.columns.size() || !DecodeEntry(e.bytes, view.columns[e.column].size(), &rows)) {
      return Problem(StrCat(Name(key), ": series ", e.series, " does not decode"));
    }
    if (!index_.Has(e.series)) Problem(StrCat(Name(key), ": series ", e.series, " has no labels"));
    ChunkInfo chunk;
    chunk.histogram = !rows.histograms.empty();
    chunk.samples = static_cast<uint32_t>(rows.present.CountOnes() + rows.stale.CountOnes());
    chunk.bytes = static_cast<uint32_t>(e.bytes.size());
    chunk.buckets = CountBuckets(rows);
    BlockInfo& block = blocks.back();
    ++block.chunks;
    block.samples += chunk.samples;
    series.back().add(e.series);
    if (hooks_.chunk) hooks_.chunk(block, chunk);
  }

  const SeriesIndex& index_;
  const int64_t window_ms_;
  const InspectHooks& hooks_;
};

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
  for (const auto& [id, column] : store.columns()) {
    if (column.count == 0) continue;
    ++head->chunks;
    head->samples += column.count;
    series->add(id);
  }
}

}  // namespace

absl::StatusOr<std::vector<BlockInfo>> DbImpl::Inspect(const InspectHooks& hooks) const {
  StripeWalk walk(index_, options_.window_ms, hooks);
  RETURN_IF_ERROR(store_->ScanStripes(StripeWindowPrefix(INT64_MIN), "",
                                      [&](std::string_view key, std::string_view bytes) {
                                        walk.Add(key, bytes);
                                        return true;
                                      }));
  std::vector<BlockInfo> out = std::move(walk.blocks);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i].series = walk.series[i].cardinality();
    ReaderMutexLock lock(&windows_mutex_);
    const auto listed = windows_.find(out[i].mint);
    if (hooks.problem && (listed == windows_.end() || !walk.series[i].isSubset(*listed->second))) {
      hooks.problem(StrCat("window ", out[i].mint, ": the list of its series lacks some that have samples"));
    }
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
