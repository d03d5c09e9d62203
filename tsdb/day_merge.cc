#include "tsdb/day_merge.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/directory.h"
#include "tsdb/stripe_writer.h"

namespace narthex::tsdb {
namespace {

bool IsDead(const std::vector<Interval>* dead, int64_t t) {
  return dead != nullptr && std::any_of(dead->begin(), dead->end(),
                                        [t](const Interval& i) { return t >= i.first && t <= i.second; });
}

// The columns of one window's stripe, each once.
struct ColumnTable {
  std::vector<std::vector<int64_t>> columns;
  std::map<std::vector<int64_t>, uint32_t> known;
  uint32_t Id(const std::vector<int64_t>& times) {
    const auto [it, fresh] = known.emplace(times, static_cast<uint32_t>(columns.size()));
    if (fresh) columns.push_back(times);
    return it->second;
  }
};

struct Entry {
  SeriesId series = 0;
  uint32_t column = 0;
  std::string bytes;
};

// Rows over a column that take samples one by one; a later sample of the same time counts.
class RowsBuilder {
 public:
  explicit RowsBuilder(std::vector<int64_t> times) : times_(std::move(times)), kind_(times_.size(), kNone) {
    floats_.values.resize(times_.size());
    histograms_.histograms.resize(times_.size());
    starts_.resize(times_.size());
  }

  void Take(const SeriesRows& rows, const std::vector<int64_t>& times) {
    for (size_t i = 0; i < times.size(); ++i) {
      const bool stale = rows.stale.Get(i);
      if (!stale && !rows.present.Get(i)) continue;
      const size_t at =
          static_cast<size_t>(std::lower_bound(times_.begin(), times_.end(), times[i]) - times_.begin());
      kind_[at] = stale ? kStale : rows.histograms.empty() ? kFloat : kHistogram;
      starts_[at] = stale || rows.start_t.empty() ? 0 : rows.start_t[i];
      if (kind_[at] == kFloat) floats_.values[at] = rows.values[i];
      if (kind_[at] == kHistogram) histograms_.histograms[at] = rows.histograms[i];
    }
  }

  // Appends up to two entries: floats with stale markers, and histograms.
  void Finish(SeriesId series, const std::vector<Interval>* dead, ColumnTable* table,
              std::vector<Entry>* out) {
    const size_t n = times_.size();
    floats_.present = floats_.stale = histograms_.present = Bits(n);
    histograms_.stale = Bits(n);
    bool floats = false, histograms = false, float_starts = false, histogram_starts = false;
    for (size_t i = 0; i < n; ++i) {
      if (kind_[i] == kNone || IsDead(dead, times_[i])) continue;
      (kind_[i] == kStale   ? floats_.stale
       : kind_[i] == kFloat ? floats_.present
                            : histograms_.present)
          .Set(i);
      (kind_[i] == kHistogram ? histograms : floats) = true;
      if (starts_[i] != 0) (kind_[i] == kHistogram ? histogram_starts : float_starts) = true;
    }
    const uint32_t column = floats || histograms ? table->Id(times_) : 0;
    if (float_starts) floats_.start_t = starts_;
    if (histogram_starts) histograms_.start_t = starts_;
    if (floats) out->push_back({series, column, EncodeEntry(floats_, n)});
    if (histograms) out->push_back({series, column, EncodeEntry(histograms_, n)});
  }

 private:
  enum Kind : uint8_t { kNone, kFloat, kStale, kHistogram };
  const std::vector<int64_t> times_;
  std::vector<Kind> kind_;
  SeriesRows floats_, histograms_;
  std::vector<int64_t> starts_;
};

// False if an entry cannot be decoded.
bool MergePieces(const SeriesPieces& s, const std::vector<Interval>* dead, ColumnTable* table,
                 std::vector<Entry>* out) {
  const bool one_run = std::all_of(s.pieces.begin(), s.pieces.end(), [&](const SeriesPieces::Piece& p) {
    return p.run == s.pieces.front().run;
  });
  if (one_run && dead == nullptr) {
    for (const SeriesPieces::Piece& p : s.pieces) {
      out->push_back({s.series, table->Id(*p.times), p.bytes});
    }
    return true;
  }
  std::vector<int64_t> times;
  for (const SeriesPieces::Piece& p : s.pieces) times.insert(times.end(), p.times->begin(), p.times->end());
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  RowsBuilder builder(std::move(times));
  SeriesRows rows;
  for (const SeriesPieces::Piece& p : s.pieces) {
    if (!DecodeEntry(p.bytes, p.times->size(), &rows)) return false;
    builder.Take(rows, *p.times);
  }
  builder.Finish(s.series, dead, table, out);
  return true;
}

}  // namespace

std::set<uint32_t> DayMerge::FindGroups() const {
  std::set<uint32_t> groups;
  Cursor* const hours = view_->hours.get();
  for (int64_t window : view_->windows) {
    StripeKey key;
    for (hours->Seek(StripeWindowPrefix(window)); hours->Valid() && DecodeStripeKey(hours->key(), &key) &&
                                                  key.window == window && key.group != UINT32_MAX;
         hours->Seek(StripeGroupPrefix(window, key.group + 1))) {
      groups.insert(key.group);
    }
  }
  Cursor* const days = view_->days.get();
  for (const auto& [day, generation] : view_->merged) {
    DayKey key;
    for (days->Seek(DayGenerationPrefix(day, generation));
         days->Valid() && DecodeDayKey(days->key(), &key) && key.day == day && key.generation == generation &&
         key.group != UINT32_MAX;
         days->Seek(EncodeDayKey({day, generation, key.group + 1, 0, INT64_MIN}))) {
      groups.insert(key.group);
    }
  }
  return groups;
}

absl::Status DayMerge::WriteTo(StripeFile* file, LeanWork* lean) {
  const std::set<uint32_t> groups = FindGroups();
  RETURN_IF_ERROR(view_->hours->status());
  RETURN_IF_ERROR(view_->days->status());
  for (uint32_t group : groups) RETURN_IF_ERROR(MergeGroup(group, file, lean));
  return absl::OkStatus();
}

absl::Status DayMerge::MergeGroup(uint32_t group, StripeFile* file, LeanWork* lean) {
  StripeReader reader(view_, index_->RanksByLabels(),
                      [this](int64_t, uint32_t, uint32_t) { corrupt_ = true; });
  const std::vector<SeriesId> all = reader.SeriesOf(group);
  std::vector<std::vector<SeriesId>> directory;
  for (size_t begin = 0; begin < all.size(); begin += kStripeSeries) {
    const size_t n = std::min(kStripeSeries, all.size() - begin);
    const uint32_t number = static_cast<uint32_t>(directory.size());
    RETURN_IF_ERROR(MergeStripe(group, number, std::span(all).subspan(begin, n), &reader, file,
                                &directory.emplace_back()));
    reader.NextBlockOnward();
    lean->Step();
  }
  if (corrupt_) return absl::DataLossError(StrCat("group ", group, " has stripes that do not check"));
  if (directory.empty()) return absl::OkStatus();
  return file->Add(EncodeDayKey({day_, generation_, group, kDirectoryStripe, 0}), EncodeDirectory(directory));
}

absl::Status DayMerge::MergeStripe(uint32_t group, uint32_t number, std::span<const SeriesId> series,
                                   StripeReader* reader, StripeFile* file, std::vector<SeriesId>* left) {
  std::map<int64_t, std::map<size_t, SeriesPieces>> windows;  // by window and place in `series`
  reader->Read(group, series,
               [&](size_t i, const StripeReader::Source& source, const Times& times, std::string_view bytes) {
                 SeriesPieces& s = windows[source.window][i];
                 s.series = series[i];
                 s.pieces.push_back({source.run, times, std::string(bytes)});
               });
  std::vector<bool> has(series.size(), false);
  for (auto& [window, pieces] : windows) {
    ColumnTable table;
    std::vector<Entry> entries;
    for (const auto& [i, s] : pieces) {
      const auto dead = view_->dead->find(s.series);
      const size_t before = entries.size();
      if (!MergePieces(s, dead == view_->dead->end() ? nullptr : &dead->second, &table, &entries))
        corrupt_ = true;
      if (entries.size() == before) continue;
      has[i] = true;
      members_[window].add(s.series);
    }
    if (entries.empty()) continue;
    StripeBuilder builder(&table.columns);
    for (Entry& e : entries) builder.Add(e.series, e.column, std::move(e.bytes));
    std::vector<uint32_t> listed;
    RETURN_IF_ERROR(
        file->Add(EncodeDayKey({day_, generation_, group, number, window}), builder.Finish(&listed)));
  }
  for (size_t i = 0; i < series.size(); ++i)
    if (has[i]) left->push_back(series[i]);
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
