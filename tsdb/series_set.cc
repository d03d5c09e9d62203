// Rows of the selected series. Head first, then stripes: what a seal moves meanwhile is seen twice, never
// missed.
#include <algorithm>
#include <limits>
#include <map>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/querier.h"

namespace narthex::tsdb {
namespace {

// A run of rounds of one group: a tile or the stripes of one seal, cut to the range.
struct Segment {
  std::vector<int64_t> times;  // all rows
  size_t lo = 0, hi = 0;       // the rows in range
  TilePtr tile;                // or else:
  absl::flat_hash_map<SeriesId, std::string> entries;
};

struct GroupColumns {
  std::shared_ptr<Group> group;
  std::vector<Segment> segments;
  std::vector<int64_t> shared_t;
  bool overlapping = false;
  absl::flat_hash_map<SeriesId, Slot> slots;  // of the block's series
};

class SeriesSetImpl : public SeriesSet {
 public:
  SeriesSetImpl(const DbImpl* db, std::vector<SelectedSeries> selected, int64_t mint, int64_t maxt)
      : db_(db), selected_(std::move(selected)), mint_(mint), maxt_(maxt), dead_(db->tombstones()) {}

  size_t size() const override { return selected_.size(); }
  const Labels& labels(size_t i) const override { return selected_[i].labels; }

  absl::Status ReadBlock(size_t first, size_t count, std::vector<Row>* rows) override {
    rows->assign(count, Row{});
    groups_.clear();
    loose_.clear();
    times_.clear();
    values_.clear();
    histograms_.clear();
    if (first + count > selected_.size())
      return absl::OutOfRangeError("block past the end of the series set");
    if (mint_ > maxt_) return absl::OkStatus();
    absl::flat_hash_set<SeriesId> wanted;
    for (size_t i = 0; i < count; ++i) wanted.insert(selected_[first + i].id);
    for (size_t i = 0; i < count; ++i) ReadHead(selected_[first + i].id);
    // The epoch is read after the head: rows that left the head before that are in stripes of this epoch.
    const uint64_t epoch = db_->seal_epoch_.load();
    if (epoch != cached_epoch_) {
      cache_.clear();
      cached_epoch_ = epoch;
    }
    for (auto& [id, columns] : groups_) {
      RETURN_IF_ERROR(ReadStripes(id, wanted, [&](const StripeKey& key, const StripeView& view) {
        AddSealedSegment(key, view, wanted, &columns);
      }));
    }
    RETURN_IF_ERROR(ReadStripes(kLooseGroup, wanted, [&](const StripeKey& key, const StripeView& view) {
      AddSealedLoose(view, wanted);
    }));
    for (auto& [id, columns] : groups_) Arrange(&columns);
    for (size_t i = 0; i < count; ++i) FillRow(selected_[first + i].id, &(*rows)[i]);
    return absl::OkStatus();
  }

 private:
  struct CachedStripe {
    StripeKey key;
    std::vector<SeriesId> series;  // ascending
  };

  void ReadHead(SeriesId id) {
    std::vector<Sample> loose;
    db_->ReadLooseHead(id, &loose);
    if (!loose.empty()) head_loose(id) = std::move(loose);
    for (const std::shared_ptr<Group>& group : db_->GroupsOf(id)) {
      auto [it, fresh] = groups_.try_emplace(group->id);
      if (fresh) {
        it->second.group = group;
        LoadHead(&it->second);
      }
      ReaderMutexLock lock(&group->mutex);
      const auto slot = group->slot_of.find(id);
      if (slot != group->slot_of.end()) it->second.slots[id] = slot->second;
    }
  }

  std::vector<Sample>& head_loose(SeriesId id) { return loose_[id].second; }

  void LoadHead(GroupColumns* columns) {
    std::vector<TilePtr> tiles;
    std::vector<std::string> open;
    uint64_t first = 0, last = 0;
    {
      ReaderMutexLock lock(&columns->group->mutex);
      tiles.assign(columns->group->tiles.begin(), columns->group->tiles.end());
      const OpenTile& tile = columns->group->open;
      if (!tile.times.empty() && tile.times.front() <= maxt_ && tile.times.back() >= mint_) {
        open = tile.rounds;
        first = tile.first_sequence;
        last = tile.last_sequence;
      }
    }
    if (TilePtr tile = BuildTile(open, first, last)) tiles.push_back(std::move(tile));
    for (TilePtr& tile : tiles) {
      if (tile->times.back() < mint_ || tile->times.front() > maxt_) continue;
      Segment s;
      s.times = tile->times;
      s.tile = std::move(tile);
      columns->segments.push_back(std::move(s));
    }
  }

  // Visits the stripes of a group in range that hold a wanted series.
  template <typename F>
  absl::Status ReadStripes(uint32_t group, const absl::flat_hash_set<SeriesId>& wanted, F visit) {
    const auto use = [&](const StripeKey& key, std::string_view bytes) {
      StripeView view;
      if (!view.Parse(bytes)) return Corrupt(key);
      visit(key, view);
    };
    const auto cached = cache_.find(group);
    if (cached != cache_.end()) {
      std::string value;
      for (const CachedStripe& c : cached->second) {
        if (std::none_of(wanted.begin(), wanted.end(), [&](SeriesId id) {
              return std::binary_search(c.series.begin(), c.series.end(), id);
            }))
          continue;
        const absl::Status s = db_->store_->GetStripe(EncodeStripeKey(c.key), &value);
        if (s.ok())
          use(c.key, value);
        else if (!absl::IsNotFound(s))
          Corrupt(c.key);
      }
      return absl::OkStatus();
    }
    std::vector<CachedStripe>& list = cache_[group];
    for (int64_t window : db_->WindowsIn(mint_, maxt_)) {
      const std::string begin = StripeGroupPrefix(window, group);
      const std::string end =
          group == UINT32_MAX ? StripeWindowPrefix(window + 1) : StripeGroupPrefix(window, group + 1);
      const absl::Status s =
          db_->store_->ScanStripes(begin, end, [&](std::string_view k, std::string_view bytes) {
            CachedStripe c;
            if (!DecodeStripeKey(k, &c.key)) return true;
            StripeView view;
            if (!view.Parse(bytes)) {
              Corrupt(c.key);
              return true;
            }
            bool any = false;
            for (const StripeView::Entry& e : view.entries) {
              c.series.push_back(e.series);
              any = any || wanted.contains(e.series);
            }
            std::sort(c.series.begin(), c.series.end());
            if (any) visit(c.key, view);
            list.push_back(std::move(c));
            return true;
          });
      if (!s.ok()) Corrupt(StripeKey{window, group, 0, 0});
    }
    return absl::OkStatus();
  }

  void Corrupt(const StripeKey& key) {
    db_->metrics_.stripe_corruptions->Add();
    db_->options_.logger->Error("Stripe corrupt, left out of the answer",
                                {{"window", std::to_string(key.window)},
                                 {"group", std::to_string(key.group)},
                                 {"stripe", std::to_string(key.stripe)}});
  }

  void AddSealedSegment(const StripeKey& key, const StripeView& view,
                        const absl::flat_hash_set<SeriesId>& wanted, GroupColumns* columns) {
    if (view.columns.empty() || view.columns[0].empty()) return;
    // Stripes of one seal follow each other and have the same times.
    Segment* s = nullptr;
    for (Segment& have : columns->segments) {
      if (have.tile == nullptr && have.times == view.columns[0]) s = &have;
    }
    if (s == nullptr) {
      if (view.columns[0].back() < mint_ || view.columns[0].front() > maxt_) return;
      s = &columns->segments.emplace_back();
      s->times = view.columns[0];
    }
    for (const StripeView::Entry& e : view.entries) {
      if (e.column == 0 && wanted.contains(e.series)) s->entries[e.series] = std::string(e.bytes);
    }
  }

  void AddSealedLoose(const StripeView& view, const absl::flat_hash_set<SeriesId>& wanted) {
    for (const StripeView::Entry& e : view.entries) {
      if (!wanted.contains(e.series)) continue;
      AppendEntry(e.bytes, view.columns[e.column], &loose_[e.series].first);
    }
  }

  void AppendEntry(std::string_view bytes, const std::vector<int64_t>& times, std::vector<Sample>* out) {
    SeriesRows rows;
    if (!DecodeEntry(bytes, times.size(), &rows)) return;
    for (size_t i = 0; i < times.size(); ++i) {
      const bool stale = rows.stale.Get(i);
      if (times[i] < mint_ || times[i] > maxt_ || (!stale && !rows.present.Get(i))) continue;
      Sample s;
      s.t = times[i];
      if (stale)
        s.v = StaleNan();
      else if (!rows.histograms.empty())
        s.h = rows.histograms[i];
      else
        s.v = rows.values[i];
      if (!stale && !rows.start_t.empty()) s.start_t = rows.start_t[i];
      out->push_back(std::move(s));
    }
  }

  // Orders the segments and builds the shared time column.
  void Arrange(GroupColumns* columns) {
    std::stable_sort(columns->segments.begin(), columns->segments.end(),
                     [](const Segment& a, const Segment& b) { return a.times.front() < b.times.front(); });
    int64_t last = std::numeric_limits<int64_t>::min();
    for (Segment& s : columns->segments) {
      if (s.times.front() <= last) columns->overlapping = true;
      last = std::max(last, s.times.back());
      s.lo = static_cast<size_t>(std::lower_bound(s.times.begin(), s.times.end(), mint_) - s.times.begin());
      s.hi = static_cast<size_t>(std::upper_bound(s.times.begin(), s.times.end(), maxt_) - s.times.begin());
      columns->shared_t.insert(columns->shared_t.end(), s.times.begin() + static_cast<ptrdiff_t>(s.lo),
                               s.times.begin() + static_cast<ptrdiff_t>(s.hi));
    }
  }

  static std::string_view EntryOf(const Segment& s, const GroupColumns& g, SeriesId id) {
    if (s.tile == nullptr) {
      const auto it = s.entries.find(id);
      return it == s.entries.end() ? std::string_view() : std::string_view(it->second);
    }
    const auto slot = g.slots.find(id);
    return slot == g.slots.end() ? std::string_view() : s.tile->Entry(slot->second);
  }

  void FillRow(SeriesId id, Row* row) {
    std::vector<GroupColumns*> mine;
    for (auto& [group, columns] : groups_) {
      const bool has = std::any_of(columns.segments.begin(), columns.segments.end(),
                                   [&](const Segment& s) { return !EntryOf(s, columns, id).empty(); });
      if (has) mine.push_back(&columns);
    }
    const auto loose = loose_.find(id);
    const bool plain =
        loose == loose_.end() && mine.size() == 1 && !mine[0]->overlapping && !dead_->contains(id);
    if (plain) return FillPlain(id, *mine[0], row);
    std::vector<Sample> samples;
    for (GroupColumns* g : mine) {
      for (const Segment& s : g->segments) {
        const std::string_view bytes = EntryOf(s, *g, id);
        if (!bytes.empty()) AppendEntry(bytes, s.times, &samples);
      }
    }
    if (loose != loose_.end()) {
      for (auto* list : {&loose->second.first, &loose->second.second}) {
        for (Sample& s : *list)
          if (s.t >= mint_ && s.t <= maxt_) samples.push_back(std::move(s));
      }
    }
    FillMerged(id, std::move(samples), row);
  }

  void FillPlain(SeriesId id, const GroupColumns& g, Row* row) {
    std::vector<double>& v = values_.emplace_back();
    std::vector<int64_t>* own = nullptr;
    SeriesRows rows;
    for (const Segment& s : g.segments) {
      const std::string_view bytes = EntryOf(s, g, id);
      if (bytes.empty() || !DecodeEntry(bytes, s.times.size(), &rows)) rows = SeriesRows{};
      for (size_t i = s.lo; i < s.hi; ++i) {
        const bool stale = rows.stale.Get(i);
        if (stale || rows.present.Get(i)) {
          v.push_back(stale ? StaleNan() : rows.values[i]);
          if (own != nullptr) own->push_back(s.times[i]);
        } else if (own == nullptr) {
          // The first gap: from here on the row has times of its own.
          own =
              &times_.emplace_back(g.shared_t.begin(), g.shared_t.begin() + static_cast<ptrdiff_t>(v.size()));
        }
      }
    }
    row->v = v;
    row->t = own != nullptr ? std::span<const int64_t>(*own) : std::span<const int64_t>(g.shared_t);
  }

  // Sorts, keeps the last of equal times, drops what is deleted.
  void FillMerged(SeriesId id, std::vector<Sample> samples, Row* row) {
    std::stable_sort(samples.begin(), samples.end(),
                     [](const Sample& a, const Sample& b) { return a.t < b.t; });
    const auto dead = dead_->find(id);
    std::vector<int64_t>& t = times_.emplace_back();
    std::vector<int64_t>& start = times_.emplace_back();
    std::vector<double>& v = values_.emplace_back();
    std::vector<HistogramPoint>& h = histograms_.emplace_back();
    std::vector<int64_t>& h_start = times_.emplace_back();
    bool has_start = false, h_has_start = false;
    for (size_t i = 0; i < samples.size(); ++i) {
      const Sample& s = samples[i];
      if (i + 1 < samples.size() && samples[i + 1].t == s.t) continue;
      if (dead != dead_->end() &&
          std::any_of(dead->second.begin(), dead->second.end(),
                      [&](const Interval& d) { return s.t >= d.first && s.t <= d.second; })) {
        continue;
      }
      if (s.h) {
        h.push_back({s.t, s.h});
        h_start.push_back(s.start_t);
        h_has_start = h_has_start || s.start_t != 0;
        continue;
      }
      t.push_back(s.t);
      v.push_back(s.v);
      start.push_back(s.start_t);
      has_start = has_start || s.start_t != 0;
    }
    row->t = t;
    row->v = v;
    row->h = h;
    if (has_start) row->start_t = start;
    if (h_has_start) row->h_start_t = h_start;
  }

  const DbImpl* const db_;
  const std::vector<SelectedSeries> selected_;
  const int64_t mint_, maxt_;
  const std::shared_ptr<const Tombstones> dead_;
  std::map<uint32_t, std::vector<CachedStripe>>
      cache_;  // by group: which stripes there are and what is in them
  uint64_t cached_epoch_ = UINT64_MAX;
  // The current block.
  std::map<uint32_t, GroupColumns> groups_;
  absl::flat_hash_map<SeriesId, std::pair<std::vector<Sample>, std::vector<Sample>>> loose_;  // sealed, head
  std::deque<std::vector<int64_t>> times_;
  std::deque<std::vector<double>> values_;
  std::deque<std::vector<HistogramPoint>> histograms_;
};

}  // namespace

std::unique_ptr<SeriesSet> MakeSeriesSet(const DbImpl* db, std::vector<SelectedSeries> selected, int64_t mint,
                                         int64_t maxt) {
  return std::make_unique<SeriesSetImpl>(db, std::move(selected), mint, maxt);
}

}  // namespace narthex::tsdb
