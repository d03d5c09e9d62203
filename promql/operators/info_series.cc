#include "promql/operators/info_series.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "model/sample.h"

namespace narthex::promql {
namespace {

// The lengths keep values apart, whatever they hold.
std::string TargetOf(const Labels& labels) {
  std::string key;
  for (std::string_view name : kTargetLabels) {
    std::string_view value = labels.Get(name);
    StrAppend(&key, value.size(), ":", value);
  }
  return key;
}

}  // namespace

absl::Status InfoSeries::Read(const Matchers& matchers, const std::vector<int64_t>& references,
                              const std::vector<char>& needed, QueryState* state) {
  if (references.empty()) return absl::OkStatus();
  tsdb::SelectHints hints;
  hints.start = references.front() - state->lookback_ms + 1;
  hints.end = references.back();
  hints.function = "info";
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set, state->Select(matchers, &hints));
  std::vector<tsdb::Row> rows;
  for (size_t at = 0; at < set->size(); at += rows.size()) {
    RETURN_IF_ERROR(state->Check());
    RETURN_IF_ERROR(set->ReadBlock(at, std::min(kBatchSeries, set->size() - at), &rows));
    for (size_t r = 0; r < rows.size(); ++r) {
      RETURN_IF_ERROR(Add(set->labels(at + r), rows[r], references, needed, state->lookback_ms));
      state->all_counts.front().total += static_cast<int64_t>(rows[r].t.size());
    }
  }
  return absl::OkStatus();
}

absl::Status InfoSeries::Add(const Labels& labels, const tsdb::Row& row,
                             const std::vector<int64_t>& references, const std::vector<char>& needed,
                             int64_t lookback_ms) {
  const int32_t series = static_cast<int32_t>(labels_.size());
  labels_.push_back(labels);
  std::vector<int64_t>& times = times_.emplace_back(references.size(), kNoTimestamp);
  std::vector<int32_t>& in_force = by_target_[TargetOf(labels)][std::string(labels.MetricName())];
  in_force.resize(references.size(), kNone);
  size_t f = 0, h = 0;  // one past the newest sample at or before the reference
  for (size_t i = 0; i < references.size(); ++i) {
    while (f < row.t.size() && row.t[f] <= references[i]) ++f;
    while (h < row.h.size() && row.h[h].t <= references[i]) ++h;
    const int64_t float_t = f > 0 ? row.t[f - 1] : kNoTimestamp;
    const int64_t histogram_t = h > 0 ? row.h[h - 1].t : kNoTimestamp;
    const int64_t newest = std::max(float_t, histogram_t);
    if (!needed[i] || newest == kNoTimestamp || newest <= references[i] - lookback_ms) continue;
    if (histogram_t > float_t) {
      if (row.h[h - 1].h->IsStaleMarker()) continue;
      return absl::FailedPreconditionError("info sample should be float");
    }
    if (IsStale(row.v[f - 1])) continue;
    times[i] = newest;
    RETURN_IF_ERROR(Choose(series, i, &in_force));
  }
  return absl::OkStatus();
}

// The newer sample wins: its series replaced the other.
absl::Status InfoSeries::Choose(int32_t series, size_t step, std::vector<int32_t>* in_force) {
  int32_t& chosen = (*in_force)[step];
  const int64_t t = times_[static_cast<size_t>(series)][step];
  if (chosen != kNone) {
    const int64_t other = times_[static_cast<size_t>(chosen)][step];
    if (other == t) {
      return absl::FailedPreconditionError(StrCat("found duplicate series for info metric: existing ",
                                                  labels(chosen).ToString(), " @ ", other, ", new ",
                                                  labels(series).ToString(), " @ ", t));
    }
    if (other > t) return absl::OkStatus();
  }
  chosen = series;
  return absl::OkStatus();
}

const InfoSeries::ByMetric* InfoSeries::Of(const Labels& base) const {
  auto found = by_target_.find(TargetOf(base));
  return found == by_target_.end() ? nullptr : &found->second;
}

}  // namespace narthex::promql
