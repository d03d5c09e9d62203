#include "promql/collect.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"

namespace narthex::promql {
namespace {

void SortByLabels(const Clock& clock, Result* result) {
  const int64_t began_ns = clock.MonotonicNs();
  const auto less = [](const ResultSeries& a, const ResultSeries& b) { return a.labels < b.labels; };
  if (!std::is_sorted(result->series.begin(), result->series.end(), less))
    std::sort(result->series.begin(), result->series.end(), less);
  result->stats.sort_ns = clock.MonotonicNs() - began_ns;
}

// The points of a row in the place of those that are there.
void SetPoints(const Batch& batch, size_t row, const Steps& steps, ResultSeries* out) {
  const Batch::Cell* cells = batch.cells(row);
  out->floats.clear();
  out->histograms.clear();
  out->floats.resize(static_cast<size_t>(std::count(cells, cells + steps.count, Batch::kFloat)));
  const double* values = batch.values(row);
  FloatPoint* point = out->floats.data();
  for (int i = 0; i < steps.count; ++i) {
    if (cells[i] == Batch::kFloat) *point++ = {steps.Time(i), values[i]};
  }
  if (!batch.has_histograms()) return;
  for (int i = 0; i < steps.count; ++i) {
    if (cells[i] != Batch::kHistogram) continue;
    out->histograms.push_back({steps.Time(i), batch.histogram(row, static_cast<size_t>(i))});
  }
}

int64_t PointCount(const ResultSeries& series) {
  return static_cast<int64_t>(series.floats.size() + series.histograms.size());
}

void CountPoints(const ResultSeries& series, SampleCounts* counts) {
  counts->Add(0, static_cast<int64_t>(series.floats.size()));
  for (const HistogramPoint& point : series.histograms) counts->Add(0, SampleCount(*point.h));
}

// Whether the series come as a sorted result has them.
bool InOrder(const std::vector<SeriesMeta>& series) {
  return std::is_sorted(series.begin(), series.end(),
                        [](const SeriesMeta& a, const SeriesMeta& b) { return a.labels < b.labels; });
}

absl::Status KeepSeries(Operator* root, std::vector<SeriesMeta> series, QueryState* state, Result* result) {
  Batch batch;
  size_t at = 0;
  while (true) {
    RETURN_IF_ERROR(state->Check());
    ASSIGN_OR_RETURN(bool more, root->Next(&batch));
    if (!more) break;
    for (size_t r = 0; r < batch.series(); ++r, ++at) {
      ResultSeries row;
      SetPoints(batch, r, state->steps, &row);
      int64_t samples = PointCount(row);
      if (samples == 0) continue;
      row.labels = std::move(series[at].labels);
      RETURN_IF_ERROR(state->Hold(samples));
      result->series.push_back(std::move(row));
    }
  }
  return absl::OkStatus();
}

absl::Status PassOn(Operator* root, std::vector<SeriesMeta> series, ResultSink* sink, QueryState* state,
                    Result* result) {
  Batch batch;
  ResultSeries row;
  size_t at = 0;
  while (true) {
    RETURN_IF_ERROR(state->Check());
    ASSIGN_OR_RETURN(bool more, root->Next(&batch));
    if (!more) return absl::OkStatus();
    const int64_t began_ns = state->clock->MonotonicNs();
    for (size_t r = 0; r < batch.series(); ++r, ++at) {
      SetPoints(batch, r, state->steps, &row);
      const int64_t samples = PointCount(row);
      if (samples == 0) continue;
      row.labels = std::move(series[at].labels);
      RETURN_IF_ERROR(state->HoldNumberOnly(samples));
      RETURN_IF_ERROR(sink->Take(row));
    }
    const int64_t ns = state->clock->MonotonicNs() - began_ns;
    state->deadline.PutOff(ns);
    result->stats.sink_ns += ns;
  }
}

}  // namespace

absl::Status CollectRange(Operator* root, ResultSink* sink, QueryState* state, Result* result) {
  ASSIGN_OR_RETURN(std::vector<SeriesMeta> series, root->TakeSeries());
  if (InOrder(series)) return PassOn(root, std::move(series), sink, state, result);
  RETURN_IF_ERROR(KeepSeries(root, std::move(series), state, result));
  SortByLabels(*state->clock, result);
  return absl::OkStatus();
}

absl::Status CollectSeries(Operator* root, bool range_query, QueryState* state, Result* result) {
  ASSIGN_OR_RETURN(std::vector<SeriesMeta> series, root->TakeSeries());
  RETURN_IF_ERROR(KeepSeries(root, std::move(series), state, result));
  if (range_query) {
    SortByLabels(*state->clock, result);
  } else if (result->type == ValueType::kScalar && !result->series.empty()) {
    result->scalar = result->series[0].floats.at(0);
    result->series.clear();
  }
  return absl::OkStatus();
}

absl::Status CollectMatrix(RangeSource* source, QueryState* state, Result* result) {
  ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* series, source->Series());
  std::vector<RangeSource::Points> points;
  int64_t end = source->shift.Reference(state->steps.start_ms), start = end - source->range_ms;
  for (size_t at = 0; at < series->size(); at += points.size()) {
    RETURN_IF_ERROR(state->Check());
    RETURN_IF_ERROR(source->Read(at, std::min(kBatchSeries, series->size() - at), &points));
    for (size_t r = 0; r < points.size(); ++r) {
      ResultSeries row;
      row.labels = (*series)[at + r].labels;
      if ((*series)[at + r].drop_name) row.labels = WithoutMetadata(row.labels);
      std::span<const FloatPoint> floats = FloatWindow(points[r].floats, start, end);
      std::span<const HistogramPoint> histograms = HistogramWindow(points[r].histograms, start, end);
      row.floats.assign(floats.begin(), floats.end());
      row.histograms.assign(histograms.begin(), histograms.end());
      if (PointCount(row) == 0) continue;
      RETURN_IF_ERROR(state->Hold(PointCount(row)));
      if (source->inner_counts == nullptr) CountPoints(row, state->counts);
      result->series.push_back(std::move(row));
    }
  }
  if (source->inner_counts != nullptr) state->counts->Add(0, source->inner_counts->total);
  SortByLabels(*state->clock, result);
  return absl::OkStatus();
}

void CollectAnnotations(const Annotations& annotations, std::string_view query, Result* result) {
  for (const Annotations::Entry& entry : annotations.entries()) {
    const std::string more = entry.falling.has_value() ? FallingBucketsText(*entry.falling) : "";
    std::string text = StrCat(entry.text, more, " (", PositionText(query, entry.pos.start), ")");
    bool info = entry.text.starts_with("PromQL info: ");
    (info ? result->infos : result->warnings).push_back(std::move(text));
  }
}

}  // namespace narthex::promql
