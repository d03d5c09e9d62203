#include "promql/collect.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::promql {
namespace {

void SortByLabels(std::vector<ResultSeries>* series) {
  std::sort(series->begin(), series->end(),
            [](const ResultSeries& a, const ResultSeries& b) { return a.labels < b.labels; });
}

ResultSeries RowResult(const Labels& labels, const Batch& batch, size_t row, const Steps& steps) {
  ResultSeries out;
  out.labels = labels;
  const Batch::Cell* cells = batch.cells(row);
  out.floats.reserve(static_cast<size_t>(std::count(cells, cells + steps.count, Batch::kFloat)));
  for (int i = 0; i < steps.count; ++i) {
    size_t step = static_cast<size_t>(i);
    if (cells[i] == Batch::kFloat) out.floats.push_back({steps.Time(i), batch.values(row)[step]});
    if (cells[i] == Batch::kHistogram) out.histograms.push_back({steps.Time(i), batch.histogram(row, step)});
  }
  return out;
}

int64_t SampleCount(const ResultSeries& series) {
  return static_cast<int64_t>(series.floats.size() + series.histograms.size());
}

}  // namespace

absl::Status CollectSeries(Operator* root, bool range_query, QueryState* state, Result* result) {
  ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* series, root->Series());
  Batch batch;
  size_t at = 0;
  while (true) {
    RETURN_IF_ERROR(state->Check());
    ASSIGN_OR_RETURN(bool more, root->Next(&batch));
    if (!more) break;
    for (size_t r = 0; r < batch.series(); ++r, ++at) {
      ResultSeries row = RowResult((*series)[at].labels, batch, r, state->steps);
      int64_t samples = SampleCount(row);
      if (samples == 0) continue;
      RETURN_IF_ERROR(state->Hold(samples));
      result->series.push_back(std::move(row));
    }
  }
  if (range_query) {
    SortByLabels(&result->series);
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
      if (SampleCount(row) == 0) continue;
      RETURN_IF_ERROR(state->Hold(SampleCount(row)));
      result->series.push_back(std::move(row));
    }
  }
  SortByLabels(&result->series);
  return absl::OkStatus();
}

void CollectAnnotations(const Annotations& annotations, std::string_view query, Result* result) {
  for (const Annotations::Entry& entry : annotations.entries()) {
    std::string text = StrCat(entry.text, " (", PositionText(query, entry.pos.start), ")");
    bool info = entry.text.starts_with("PromQL info: ");
    (info ? result->infos : result->warnings).push_back(std::move(text));
  }
}

}  // namespace narthex::promql
