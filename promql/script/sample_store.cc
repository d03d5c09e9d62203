#include "promql/script/sample_store.h"

#include <algorithm>

#include "base/status_macros.h"

namespace narthex::promql::script {
namespace {

class StoreSeriesSet : public tsdb::SeriesSet {
 public:
  using Entry = std::pair<const Labels, StoredSeries>;
  StoreSeriesSet(std::vector<const Entry*> entries, int64_t mint, int64_t maxt)
      : entries_(std::move(entries)), mint_(mint), maxt_(maxt) {}
  size_t size() const override { return entries_.size(); }
  const Labels& labels(size_t i) const override { return entries_[i]->first; }
  absl::Status ReadBlock(size_t first, size_t count, std::vector<tsdb::Row>* rows) override {
    rows->assign(count, tsdb::Row());
    for (size_t i = 0; i < count; ++i) (*rows)[i] = Cut(entries_[first + i]->second);
    return absl::OkStatus();
  }

 private:
  tsdb::Row Cut(const StoredSeries& series) const {
    tsdb::Row row;
    auto lo = std::lower_bound(series.times.begin(), series.times.end(), mint_);
    auto hi = std::upper_bound(lo, series.times.end(), maxt_);
    size_t at = static_cast<size_t>(lo - series.times.begin()), n = static_cast<size_t>(hi - lo);
    row.t = std::span(series.times).subspan(at, n);
    row.v = std::span(series.values).subspan(at, n);
    if (!series.starts.empty()) row.start_t = std::span(series.starts).subspan(at, n);
    auto before = [](const HistogramPoint& p, int64_t t) { return p.t < t; };
    auto h_lo = std::lower_bound(series.histograms.begin(), series.histograms.end(), mint_, before);
    auto h_hi = std::lower_bound(h_lo, series.histograms.end(), maxt_ + 1, before);
    row.h = {h_lo, h_hi};
    return row;
  }
  const std::vector<const Entry*> entries_;
  const int64_t mint_, maxt_;
};

class StoreQuerier : public tsdb::Querier {
 public:
  explicit StoreQuerier(const SampleStore* store) : store_(store) {}
  absl::StatusOr<std::unique_ptr<tsdb::SeriesSet>> Select(const Matchers& matchers, int64_t mint,
                                                          int64_t maxt, const tsdb::SelectHints&) override {
    std::vector<const StoreSeriesSet::Entry*> found;
    for (const auto& entry : store_->series()) {
      if (MatchesAll(matchers, entry.first)) found.push_back(&entry);
    }
    return std::make_unique<StoreSeriesSet>(std::move(found), mint, maxt);
  }
  absl::StatusOr<std::vector<std::string>> LabelNames(const tsdb::LabelQuery&) override { return Unused(); }
  absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view, const tsdb::LabelQuery&) override {
    return Unused();
  }
  absl::StatusOr<std::vector<Labels>> Series(const tsdb::LabelQuery&) override { return Unused(); }

 private:
  static absl::Status Unused() { return absl::UnimplementedError("scripts only run queries"); }
  const SampleStore* const store_;
};

template <typename T>
void SortByTime(std::vector<T>* points) {
  std::stable_sort(points->begin(), points->end(), [](const T& a, const T& b) { return a.t < b.t; });
}

// A second load of a series may lie before the first.
void SortFloats(StoredSeries* s) {
  if (std::is_sorted(s->times.begin(), s->times.end())) return;
  struct Point {
    int64_t t, start;
    double v;
  };
  std::vector<Point> points;
  for (size_t i = 0; i < s->times.size(); ++i) points.push_back({s->times[i], s->starts[i], s->values[i]});
  SortByTime(&points);
  for (size_t i = 0; i < points.size(); ++i) {
    s->times[i] = points[i].t;
    s->starts[i] = points[i].start;
    s->values[i] = points[i].v;
  }
}

// Storage knows of each histogram but the first whether the counter was reset before it.
void SetHints(std::vector<HistogramPoint>* points) {
  for (size_t i = 1; i < points->size(); ++i) {
    const FloatHistogram &before = *(*points)[i - 1].h, &h = *(*points)[i].h;
    if (h.hint != CounterResetHint::kUnknown || h.IsStaleMarker() || before.IsStaleMarker()) continue;
    auto hinted = std::make_shared<FloatHistogram>(h);
    hinted->hint = h.DetectReset(before) ? CounterResetHint::kReset : CounterResetHint::kNotReset;
    (*points)[i].h = std::move(hinted);
  }
}

}  // namespace

absl::Status SampleStore::Load(const LoadCommand& load) {
  for (const LoadSeries& loaded : load.series) {
    StoredSeries& series = series_[loaded.series.labels];
    for (size_t i = 0; i < loaded.series.points.size(); ++i) {
      const SequencePoint& point = loaded.series.points[i];
      if (point.missing) continue;
      int64_t t = static_cast<int64_t>(i) * load.step_ms;
      if (point.h) {
        series.histograms.push_back({t, point.h});
        continue;
      }
      bool has_start = !loaded.start_offsets_ms.empty() && loaded.start_offsets_ms[i];
      series.times.push_back(t);
      series.values.push_back(point.v);
      series.starts.push_back(has_start ? t + *loaded.start_offsets_ms[i] : 0);
    }
    SortFloats(&series);
    SortByTime(&series.histograms);
    SetHints(&series.histograms);
  }
  if (!load.with_nhcb) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto converted, CustomBucketHistograms(load));
  for (auto& [labels, points] : converted) {
    std::vector<HistogramPoint>& to = series_[labels].histograms;
    to.insert(to.end(), points.begin(), points.end());
    SortByTime(&to);
    SetHints(&to);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<tsdb::Querier>> SampleStore::NewQuerier(int64_t, int64_t) const {
  return std::make_unique<StoreQuerier>(this);
}

}  // namespace narthex::promql::script
