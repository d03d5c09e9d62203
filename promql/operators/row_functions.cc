#include "promql/operators/row_functions.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/kahan_sum.h"
#include "model/sample.h"
#include "promql/functions/statistics.h"
#include "promql/kernels.h"

namespace narthex::promql {
namespace {

constexpr double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

// rate, increase, delta. All but the values themselves is worked out once for all rows with the same times.
class RateRows : public RowFunction {
 public:
  RateRows(bool is_counter, bool is_rate) : is_counter_(is_counter), is_rate_(is_rate) {}

  void SetWindows(const RowWindows& windows) override {
    RowFunction::SetWindows(windows);
    const size_t n = windows.steps();
    for (std::vector<double>* row : {&sampled_, &to_start_, &to_end_, &factor_, &first_, &change_})
      row->assign(n, 0);
    cells_.assign(n, Batch::kEmpty);
    const double range = Seconds(windows.range_ms());
    for (size_t i = 0; i < n; ++i) {
      if (windows.hi(i) - windows.lo(i) < 2) continue;
      cells_[i] = Batch::kFloat;
      const int64_t first = windows.times()[windows.lo(i)], last = windows.times()[windows.hi(i) - 1];
      const int64_t end = windows.end_ms(i);
      sampled_[i] = Seconds(last - first);
      const double interval = sampled_[i] / static_cast<double>(windows.hi(i) - windows.lo(i) - 1);
      to_start_[i] = Near(Seconds(first - (end - windows.range_ms())), interval);
      to_end_[i] = Near(Seconds(end - last), interval);
      factor_[i] = (sampled_[i] + to_start_[i] + to_end_[i]) / sampled_[i];
      if (is_rate_) factor_[i] /= range;
    }
    rate_steps_ = {
        n,          sampled_.data(), to_start_.data(), to_end_.data(), factor_.data(), is_rate_ ? range : 0,
        is_counter_};
    drops_.resize(windows.times().size() + 1);
  }

  void Fill(const double* v, Batch::Cell* cells, double* out) override {
    const RowWindows& w = *windows_;
    const size_t n = w.steps();
    std::memcpy(cells, cells_.data(), n);
    for (size_t i = 0; i < n; ++i) {
      if (cells_[i] == Batch::kEmpty) continue;
      first_[i] = v[w.lo(i)];
      change_[i] = v[w.hi(i) - 1] - first_[i];
    }
    if (is_counter_) AddResets(v);
    MachineKernels().rates(rate_steps_, first_.data(), change_.data(), out);
  }

 private:
  // Where no sample is near the range's border, the series is taken to begin or end half an interval beyond
  // its first or last sample.
  static double Near(double distance, double interval) {
    return distance >= interval * 1.1 ? interval / 2 : distance;
  }

  // What a counter had before it fell counts as well.
  void AddResets(const double* v) {
    const RowWindows& w = *windows_;
    const uint32_t begin = w.lo(0), end = w.hi(w.steps() - 1);
    const size_t count = MachineKernels().drops(v + begin, end - begin, drops_.data());
    if (count == 0) return;
    size_t next = 0;  // the first drop that can be in a window of this step or a later one
    for (size_t i = 0; i < w.steps(); ++i) {
      while (next < count && begin + drops_[next] <= w.lo(i)) ++next;
      for (size_t k = next; k < count && begin + drops_[k] < w.hi(i); ++k)
        change_[i] += v[begin + drops_[k] - 1];
    }
  }

  const bool is_counter_, is_rate_;
  std::vector<double> sampled_, to_start_, to_end_, factor_;
  std::vector<Batch::Cell> cells_;
  RateSteps rate_steps_;
  std::vector<double> first_, change_;
  std::vector<uint32_t> drops_;
};

// irate, idelta: of the last two samples.
class InstantRateRows : public RowFunction {
 public:
  explicit InstantRateRows(bool is_rate) : is_rate_(is_rate) {}
  void Fill(const double* v, Batch::Cell* cells, double* out) override {
    const RowWindows& w = *windows_;
    for (size_t i = 0; i < w.steps(); ++i) {
      cells[i] = Batch::kEmpty;
      if (w.hi(i) - w.lo(i) < 2) continue;
      const size_t last = w.hi(i) - 1;
      cells[i] = Batch::kFloat;
      out[i] = is_rate_ && v[last] < v[last - 1] ? v[last] : v[last] - v[last - 1];
      if (is_rate_) out[i] /= Seconds(w.times()[last] - w.times()[last - 1]);
    }
  }

 private:
  const bool is_rate_;
};

// One value of the window, or its size.
class PickRows : public RowFunction {
 public:
  enum Kind { kFirst, kLast, kCount, kPresent };
  explicit PickRows(Kind kind) : kind_(kind) {}
  void Fill(const double* v, Batch::Cell* cells, double* out) override {
    const RowWindows& w = *windows_;
    for (size_t i = 0; i < w.steps(); ++i) {
      const uint32_t lo = w.lo(i), hi = w.hi(i);
      cells[i] = lo < hi ? Batch::kFloat : Batch::kEmpty;
      if (lo < hi) out[i] = Pick(v, lo, hi);
    }
  }

 private:
  double Pick(const double* v, uint32_t lo, uint32_t hi) const {
    switch (kind_) {
      case kFirst:
        return v[lo];
      case kLast:
        return v[hi - 1];
      case kCount:
        return static_cast<double>(hi - lo);
      default:
        return 1;
    }
  }
  const Kind kind_;
};

// Base of the functions that look at every value of a window. Windows mostly move by the same number of
// samples from step to step: such runs go through one kernel.
class WindowRows : public RowFunction {
 public:
  void SetWindows(const RowWindows& windows) override {
    RowFunction::SetWindows(windows);
    FindDistinct();
    FindRuns();
    results_.assign(lo_.size(), 0);
  }

  void Fill(const double* v, Batch::Cell* cells, double* out) override {
    for (const Run& run : runs_) Reduce(v, run);
    for (size_t i = 0; i < of_step_.size(); ++i) {
      cells[i] = of_step_[i] == kNone ? Batch::kEmpty : Batch::kFloat;
      if (of_step_[i] != kNone) out[i] = results_[of_step_[i]];
    }
  }

 protected:
  // Windows first.. of the distinct ones: `count` of `width` values, the first at `lo`. stride 0: all begin
  // at `lo`, and each is longer than the one before.
  struct Run {
    size_t first = 0, count = 1, lo = 0, stride = 1, width = 0;
  };
  virtual void Reduce(const double* v, const Run& run) = 0;
  uint32_t end(size_t window) const { return hi_[window]; }

  std::vector<double> results_;  // of each distinct window
  std::vector<double> scratch_;

 private:
  static constexpr uint32_t kNone = 0xffffffff;

  void FindDistinct() {
    lo_.clear();
    hi_.clear();
    of_step_.assign(windows_->steps(), kNone);
    for (size_t i = 0; i < of_step_.size(); ++i) {
      const uint32_t lo = windows_->lo(i), hi = windows_->hi(i);
      if (lo == hi) continue;
      if (lo_.empty() || lo_.back() != lo || hi_.back() != hi) {
        lo_.push_back(lo);
        hi_.push_back(hi);
      }
      of_step_[i] = static_cast<uint32_t>(lo_.size() - 1);
    }
  }

  void FindRuns() {
    runs_.clear();
    size_t scratch = 0;
    for (size_t i = 0; i < lo_.size();) {
      Run run{i, 1, lo_[i], 1, hi_[i] - lo_[i]};
      if (i + 1 < lo_.size()) run.stride = lo_[i + 1] - lo_[i];
      while (i + run.count < lo_.size() && lo_[i + run.count] == run.lo + run.count * run.stride &&
             (run.stride == 0 || hi_[i + run.count] == lo_[i + run.count] + run.width)) {
        ++run.count;
      }
      if (run.count == 1) run.stride = 1;
      if (run.stride > 0) scratch = std::max(scratch, WindowScratch(run.count, run.stride, run.width));
      i += run.count;
      runs_.push_back(run);
    }
    scratch_.resize(scratch);
  }

  std::vector<uint32_t> lo_, hi_;  // the distinct windows that hold values
  std::vector<uint32_t> of_step_;
  std::vector<Run> runs_;
};

class SumRows : public WindowRows {
 public:
  explicit SumRows(bool mean) : mean_(mean) {}

 private:
  void Reduce(const double* v, const Run& run) override {
    low_.resize(results_.size());
    double *sum = &results_[run.first], *low = &low_[run.first];
    if (run.stride == 0) {
      Grow(v, run, sum, low);
    } else {
      MachineKernels().window_sums(v + run.lo, run.count, run.stride, run.width, scratch_.data(), sum, low);
    }
    for (size_t k = 0; k < run.count; ++k) {
      const size_t begin = run.lo + k * run.stride, width = end(run.first + k) - begin;
      const double n = static_cast<double>(width);
      if (!std::isfinite(sum[k] + low[k])) {
        sum[k] = Unusual(v + begin, width);
      } else {
        sum[k] = mean_ ? sum[k] / n + low[k] / n : sum[k] + low[k];
      }
    }
  }

  // Each window goes on where the one before ended.
  void Grow(const double* v, const Run& run, double* sum, double* low) const {
    double s = v[run.lo], l = 0;
    size_t at = run.lo + 1;
    for (size_t k = 0; k < run.count; ++k) {
      for (; at < end(run.first + k); ++at) KahanAdd(v[at], &s, &l);
      sum[k] = s;
      low[k] = l;
    }
  }

  // With infinities, NaN or overflow on the way.
  double Unusual(const double* v, size_t n) const {
    std::vector<FloatPoint> points(n);
    for (size_t i = 0; i < n; ++i) points[i].v = v[i];
    return mean_ ? MeanOf(points) : SumOf(points);
  }

  const bool mean_;
  std::vector<double> low_;
};

class BestRows : public WindowRows {
 public:
  explicit BestRows(bool max) : max_(max) {}

 private:
  void Reduce(const double* v, const Run& run) override {
    if (run.stride == 0) return Grow(v, run, &results_[run.first]);
    const auto kernel = max_ ? MachineKernels().window_max : MachineKernels().window_min;
    kernel(v + run.lo, run.count, run.stride, run.width, scratch_.data(), &results_[run.first]);
  }

  // Each window goes on where the one before ended.
  void Grow(const double* v, const Run& run, double* best) const {
    double b = v[run.lo];
    size_t at = run.lo + 1;
    for (size_t k = 0; k < run.count; ++k) {
      for (; at < end(run.first + k); ++at) {
        if ((max_ ? v[at] > b : v[at] < b) || std::isnan(b)) b = v[at];
      }
      best[k] = b;
    }
  }

  const bool max_;
};

}  // namespace

std::unique_ptr<RowFunction> NewRowFunction(std::string_view name) {
  if (name == "rate") return std::make_unique<RateRows>(/*is_counter=*/true, /*is_rate=*/true);
  if (name == "increase") return std::make_unique<RateRows>(/*is_counter=*/true, /*is_rate=*/false);
  if (name == "delta") return std::make_unique<RateRows>(/*is_counter=*/false, /*is_rate=*/false);
  if (name == "irate") return std::make_unique<InstantRateRows>(/*is_rate=*/true);
  if (name == "idelta") return std::make_unique<InstantRateRows>(/*is_rate=*/false);
  if (name == "sum_over_time") return std::make_unique<SumRows>(/*mean=*/false);
  if (name == "avg_over_time") return std::make_unique<SumRows>(/*mean=*/true);
  if (name == "max_over_time") return std::make_unique<BestRows>(/*max=*/true);
  if (name == "min_over_time") return std::make_unique<BestRows>(/*max=*/false);
  if (name == "first_over_time") return std::make_unique<PickRows>(PickRows::kFirst);
  if (name == "last_over_time") return std::make_unique<PickRows>(PickRows::kLast);
  if (name == "count_over_time") return std::make_unique<PickRows>(PickRows::kCount);
  if (name == "present_over_time") return std::make_unique<PickRows>(PickRows::kPresent);
  return nullptr;
}

}  // namespace narthex::promql
