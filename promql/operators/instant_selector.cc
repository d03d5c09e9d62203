#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/operators/selectors.h"

namespace narthex::promql {
namespace {

class InstantSelector : public Operator {
 public:
  InstantSelector(const Expr& selector, QueryState* state, Steps steps, SelectorReading reading)
      : selector_(selector),
        state_(state),
        steps_(steps),
        shift_(ShiftOf(selector, state->steps)),
        reading_(reading) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    int64_t first = shift_.Reference(steps_.Time(0)), last = shift_.Reference(steps_.Time(steps_.count - 1));
    tsdb::SelectHints hints;
    hints.start = first - state_->lookback_ms + 1;
    hints.end = selector_.smoothed ? last + state_->lookback_ms : last;
    hints.step = steps_.step_ms;
    ASSIGN_OR_RETURN(set_, state_->querier->Select(selector_.matchers, hints.start, hints.end, hints));
    series_.resize(set_->size());
    for (size_t i = 0; i < series_.size(); ++i) series_[i].labels = set_->labels(i);
    return &series_;
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    if (held_ > 0) state_->Release(held_);
    held_ = 0;
    size_t count = std::min(kBatchSeries, series_.size() - at_);
    if (count == 0) return false;
    RETURN_IF_ERROR(state_->Check());
    RETURN_IF_ERROR(set_->ReadBlock(at_, count, &rows_));
    batch->Reset(count, static_cast<size_t>(steps_.count));
    for (size_t r = 0; r < count; ++r) {
      if (selector_.smoothed) {
        RETURN_IF_ERROR(FillSmoothed(rows_[r], r, batch));
      } else {
        Fill(rows_[r], r, batch);
      }
    }
    at_ += count;
    state_->samples_read += held_;
    RETURN_IF_ERROR(state_->Hold(held_));
    return true;
  }

  void Close() override {
    if (held_ > 0) state_->Release(held_);
    held_ = 0;
    set_.reset();
  }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "InstantSelector ", ToString(selector_), "\n");
  }

 private:
  void Fill(const tsdb::Row& row, size_t r, Batch* batch) {
    size_t f = 0, h = 0;  // one past the newest point at or before the reference time
    for (int i = 0; i < steps_.count; ++i) {
      int64_t reference = shift_.Reference(steps_.Time(i));
      while (f < row.t.size() && row.t[f] <= reference) ++f;
      while (h < row.h.size() && row.h[h].t <= reference) ++h;
      int64_t float_t = f > 0 ? row.t[f - 1] : INT64_MIN, histogram_t = h > 0 ? row.h[h - 1].t : INT64_MIN;
      int64_t newest = std::max(float_t, histogram_t);
      if (newest == INT64_MIN || newest <= reference - state_->lookback_ms) continue;
      bool is_histogram = histogram_t > float_t;
      if (is_histogram ? row.h[h - 1].h->IsStaleMarker() : IsStale(row.v[f - 1])) continue;
      ++held_;
      if (reading_ == SelectorReading::kTimestamp) {
        batch->SetFloat(r, static_cast<size_t>(i), static_cast<double>(newest) / 1000);
      } else if (reading_ == SelectorReading::kStartTimestamp) {
        int64_t start = is_histogram || row.start_t.empty() ? 0 : row.start_t[f - 1];
        if (start != 0) batch->SetFloat(r, static_cast<size_t>(i), static_cast<double>(start) / 1000);
      } else if (is_histogram) {
        batch->SetHistogram(r, static_cast<size_t>(i), row.h[h - 1].h);
      } else {
        batch->SetFloat(r, static_cast<size_t>(i), row.v[f - 1]);
      }
    }
  }

  // Interpolated between the newest sample at or before the time and the oldest after it.
  absl::Status FillSmoothed(const tsdb::Row& row, size_t r, Batch* batch) {
    if (!row.h.empty()) {
      return absl::FailedPreconditionError(
          "smoothed and anchored modifiers do not work with native histograms");
    }
    size_t next = 0;
    for (int i = 0; i < steps_.count; ++i) {
      int64_t reference = shift_.Reference(steps_.Time(i));
      while (next < row.t.size() && row.t[next] <= reference) ++next;
      size_t before = next, after = next;
      bool has_before =
          before > 0 && row.t[before - 1] > reference - state_->lookback_ms && !IsStale(row.v[before - 1]);
      bool has_after =
          after < row.t.size() && row.t[after] <= reference + state_->lookback_ms && !IsStale(row.v[after]);
      if (!has_before) continue;
      ++held_;
      double v = row.v[before - 1];
      if (has_after && row.t[before - 1] != reference) {
        double share = static_cast<double>(reference - row.t[before - 1]) /
                       static_cast<double>(row.t[after] - row.t[before - 1]);
        v += (row.v[after] - v) * share;
      }
      batch->SetFloat(r, static_cast<size_t>(i), v);
    }
    return absl::OkStatus();
  }

  const Expr& selector_;
  QueryState* const state_;
  const Steps steps_;
  const TimeShift shift_;
  const SelectorReading reading_;
  std::unique_ptr<tsdb::SeriesSet> set_;
  std::vector<SeriesMeta> series_;
  std::vector<tsdb::Row> rows_;
  size_t at_ = 0;
  int64_t held_ = 0;
};

}  // namespace

TimeShift ShiftOf(const Expr& e, const Steps& query_steps) {
  TimeShift shift;
  shift.offset_ms = e.offset_ms;
  shift.fixed = e.at != AtModifier::kNone;
  shift.at_ms = e.at == AtModifier::kStart ? query_steps.start_ms
                : e.at == AtModifier::kEnd ? query_steps.end_ms
                                           : e.at_ms;
  return shift;
}

OperatorPtr NewInstantSelector(const Expr& selector, QueryState* state, Steps steps,
                               SelectorReading reading) {
  return std::make_unique<InstantSelector>(selector, state, steps, reading);
}

}  // namespace narthex::promql
