#include "promql/query_state.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status_macros.h"

namespace narthex::promql {

namespace {

constexpr double kManySamples = 100'000;  // about half a millisecond

}  // namespace

int64_t SampleCount(const FloatHistogram& h) {
  constexpr size_t kFixed = 168;  // upstream's struct
  const size_t lists = h.positive_spans.size() + h.negative_spans.size() + h.positive_buckets.size() +
                       h.negative_buckets.size() + h.custom_values.size();
  return static_cast<int64_t>((kFixed + 8 * lists + 8) / 16);
}

absl::StatusOr<std::unique_ptr<tsdb::SeriesSet>> QueryState::Select(const Matchers& matchers,
                                                                    tsdb::SelectHints* hints) const {
  if (on_long) hints->on_long = [this] { ExpectLong(); };
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set,
                   querier->Select(matchers, hints->start, hints->end, *hints));
  const double samples = static_cast<double>(set->size()) * static_cast<double>(hints->end - hints->start) /
                         static_cast<double>(kTypicalIntervalMs);
  if (set->size() > tsdb::kManySelected || samples > kManySamples) ExpectLong();
  return set;
}

absl::Status QueryState::Check() const {
  if (cancelled && cancelled->load(std::memory_order_relaxed)) {
    return absl::CancelledError("query was canceled in expression evaluation");
  }
  const int64_t now = clock->MonotonicNs();
  if (on_long && now > long_at_ns) ExpectLong();
  if (deadline.PassedAt(now)) {
    return absl::DeadlineExceededError("query timed out in expression evaluation");
  }
  return absl::OkStatus();
}

absl::Status QueryState::HoldNumberOnly(int64_t samples) {
  peak_samples = std::max(peak_samples, current_samples + samples);
  if (max_samples > 0 && current_samples + samples > max_samples) {
    return absl::ResourceExhaustedError(
        "query processing would load too many samples into memory in query execution");
  }
  current_samples += samples;
  return absl::OkStatus();
}

absl::Status QueryState::Hold(int64_t samples) {
  RETURN_IF_ERROR(HoldNumberOnly(samples));
  if (budget == nullptr) return absl::OkStatus();
  absl::Status status = budget->Charge(samples * kSampleBytes);
  if (!status.ok()) current_samples -= samples;
  return status;
}

absl::StatusOr<Matrix> Materialize(Operator* child, QueryState* state, int steps, HeldSamples* held) {
  Matrix out;
  ASSIGN_OR_RETURN(out.series, child->TakeSeries());
  size_t columns = static_cast<size_t>(steps);
  out.rows.Reset(out.series.size(), columns);
  size_t row = 0;
  Batch batch;
  while (true) {
    RETURN_IF_ERROR(state->Check());
    ASSIGN_OR_RETURN(bool more, child->Next(&batch));
    if (!more) break;
    int64_t samples = 0;
    for (size_t r = 0; r < batch.series(); ++r, ++row) {
      out.rows.CopyRow(row, batch, r);
      const Batch::Cell* cells = batch.cells(r);
      samples += static_cast<int64_t>(columns) - std::count(cells, cells + columns, Batch::kEmpty);
    }
    RETURN_IF_ERROR(held->Add(samples));
  }
  child->Close();
  return out;
}

absl::StatusOr<std::vector<double>> ReadScalar(Operator* child, int steps) {
  RETURN_IF_ERROR(child->Series().status());
  Batch batch;
  ASSIGN_OR_RETURN(bool more, child->Next(&batch));
  std::vector<double> out;
  if (more) out.assign(batch.values(0), batch.values(0) + steps);
  child->Close();
  return out;
}

ParameterRange RangeOf(const std::vector<double>& parameter) {
  ParameterRange out{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const double v : parameter) {
    if (std::isnan(v)) return {v, v};
    out.min = std::min(out.min, v);
    out.max = std::max(out.max, v);
  }
  return out;
}

std::string ExplainIndent(int depth) { return std::string(static_cast<size_t>(depth) * 2, ' '); }

}  // namespace narthex::promql
