#include "promql/script/sample_store.h"

#include <algorithm>
#include <numeric>

#include "base/status_macros.h"

namespace narthex::promql::script {
namespace {

class StoreSeriesSet : public tsdb::SeriesSet {
 public:
  using Entry = std::pair<const Labels, StoredSeries>;
  StoreSeriesSet(std::vector<const Entry*> entries, int64_t mint, int64_t maxt,
                 const tsdb::SelectHints& hints)
      : entries_(std::move(entries)), mint_(mint), maxt_(maxt) {
    for (const Entry* entry : entries_)
      labels_.push_back(hints.labels ? Only(entry->first, *hints.labels) : entry->first);
  }
  size_t size() const override { return entries_.size(); }
  const Labels& labels(size_t i) const override { return labels_[i]; }
  absl::Status ReadBlock(size_t first, size_t count, std::vector<tsdb::Row>* rows) override {
    rows->assign(count, tsdb::Row());
    for (size_t i = 0; i < count; ++i) (*rows)[i] = Cut(entries_[first + i]->second);
    return absl::OkStatus();
  }

 private:
  // What is not asked for is not there, so that scripts fail where it is looked at all the same.
  static Labels Only(const Labels& labels, const std::vector<std::string>& names) {
    LabelsBuilder out;
    for (const std::string& name : names) out.Set(name, labels.Get(name));
    return out.Build();
  }

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
    row.h_start_t = std::span(series.histogram_starts)
                        .subspan(static_cast<size_t>(h_lo - series.histograms.begin()), row.h.size());
    return row;
  }
  const std::vector<const Entry*> entries_;
  std::vector<Labels> labels_;
  const int64_t mint_, maxt_;
};

class StoreQuerier : public tsdb::Querier {
 public:
  explicit StoreQuerier(const SampleStore* store) : store_(store) {}
  absl::StatusOr<std::unique_ptr<tsdb::SeriesSet>> Select(const Matchers& matchers, int64_t mint,
                                                          int64_t maxt,
                                                          const tsdb::SelectHints& hints) override {
    std::vector<const StoreSeriesSet::Entry*> found;
    for (const auto& entry : store_->series()) {
      if (MatchesAll(matchers, entry.first)) found.push_back(&entry);
    }
    return std::make_unique<StoreSeriesSet>(std::move(found), mint, maxt, hints);
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

// The order of the points by time; empty if they have it already. A second load of a series may lie before
// the first.
template <typename TimeOf>
std::vector<size_t> OrderByTime(size_t count, TimeOf time_of) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  auto before = [&](size_t a, size_t b) { return time_of(a) < time_of(b); };
  if (std::is_sorted(order.begin(), order.end(), before)) return {};
  std::stable_sort(order.begin(), order.end(), before);
  return order;
}

template <typename T>
void Reorder(const std::vector<size_t>& order, std::vector<T>* values) {
  if (order.empty()) return;
  std::vector<T> out;
  out.reserve(values->size());
  for (size_t i : order) out.push_back((*values)[i]);
  *values = std::move(out);
}

void SortByTime(StoredSeries* s) {
  std::vector<size_t> order = OrderByTime(s->times.size(), [s](size_t i) { return s->times[i]; });
  Reorder(order, &s->times);
  Reorder(order, &s->starts);
  Reorder(order, &s->values);
  order = OrderByTime(s->histograms.size(), [s](size_t i) { return s->histograms[i].t; });
  Reorder(order, &s->histograms);
  Reorder(order, &s->histogram_starts);
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
      bool has_start = !loaded.start_offsets_ms.empty() && loaded.start_offsets_ms[i];
      int64_t start = has_start ? t + *loaded.start_offsets_ms[i] : 0;
      if (point.h) {
        series.histograms.push_back({t, point.h});
        series.histogram_starts.push_back(start);
        continue;
      }
      series.times.push_back(t);
      series.values.push_back(point.v);
      series.starts.push_back(start);
    }
    SortByTime(&series);
    SetHints(&series.histograms);
  }
  if (!load.with_nhcb) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto converted, CustomBucketHistograms(load));
  for (auto& [labels, points] : converted) {
    StoredSeries& series = series_[labels];
    series.histograms.insert(series.histograms.end(), points.begin(), points.end());
    series.histogram_starts.resize(series.histograms.size());
    SortByTime(&series);
    SetHints(&series.histograms);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<tsdb::Querier>> SampleStore::NewQuerier(int64_t, int64_t) const {
  return std::make_unique<StoreQuerier>(this);
}

}  // namespace narthex::promql::script
