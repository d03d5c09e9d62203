#include "promql/operators/device_operators.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"
#include "promql/operators/device_run.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

// Decides at Series(), where the device also does its whole work: whatever fails then, the CPU starts afresh.
class OnDevice : public Operator {
 public:
  OnDevice(const DeviceExpr& expr, OperatorPtr cpu, QueryState* state, Steps steps)
      : expr_(expr),
        run_(expr, state, steps),
        state_(state),
        columns_(static_cast<size_t>(steps.count)),
        cpu_(std::move(cpu)),
        held_(state) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() final {
    ASSIGN_OR_RETURN(on_device_, run_.Choose());
    if (on_device_) {
      ASSIGN_OR_RETURN(on_device_, Compute());
      run_.End();
    }
    if (on_device_) {
      RETURN_IF_ERROR(held_.Add(static_cast<int64_t>(series_.size() * columns_)));
      return &series_;
    }
    const int64_t begin = Now();
    absl::StatusOr<const std::vector<SeriesMeta>*> series = cpu_->Series();
    cpu_ns_ += Now() - begin;
    return series;
  }

  absl::StatusOr<bool> Next(Batch* batch) final {
    if (!on_device_) return NextOfCpu(batch);
    const size_t count = std::min(kBatchSeries, series_.size() - at_);
    if (count == 0) return false;
    batch->Reset(count, columns_);
    for (size_t r = 0; r < count; ++r) FillRow(at_ + r, batch->cells(r), batch->values(r));
    at_ += count;
    return true;
  }

  void Close() final {
    run_.End();
    cpu_->Close();
    held_.Release();
  }
  bool SeriesDiffer() const final { return cpu_->SeriesDiffer(); }
  void LetNamesStay() final { cpu_->LetNamesStay(); }

  void Explain(int depth, std::string* out) const final {
    const std::string outcome = run_.Outcome();
    StrAppend(out, ExplainIndent(depth), "DeviceChoice ", What(), ": ",
              outcome.empty() ? StrCat("may run on ", state_->devices->Name()) : outcome, "\n");
    cpu_->Explain(depth + 1, out);
  }

 protected:
  virtual std::string What() const {
    return StrCat(AggregationName(expr_.aggregate->aggregation), "(", expr_.call->function->name, ")");
  }
  // Runs the query and fills series_. False: the CPU is to do it.
  virtual absl::StatusOr<bool> Compute() = 0;
  virtual void FillRow(size_t series, Batch::Cell* cells, double* values) const {
    for (size_t i = 0; i < columns_; ++i) {
      cells[i] = run_.present()[series * columns_ + i] != 0 ? Batch::kFloat : Batch::kEmpty;
      values[i] = run_.values()[series * columns_ + i];
    }
  }

  const DeviceExpr expr_;
  DeviceRun run_;
  QueryState* const state_;
  const size_t columns_;
  std::vector<SeriesMeta> series_;

 private:
  int64_t Now() const { return state_->devices->Now(); }

  absl::StatusOr<bool> NextOfCpu(Batch* batch) {
    const int64_t begin = Now();
    absl::StatusOr<bool> more = cpu_->Next(batch);
    cpu_ns_ += Now() - begin;
    if (more.ok() && !*more && run_.was_asked()) {
      state_->devices->Report(run_.choice(), /*on_device=*/false, static_cast<double>(cpu_ns_) / 1e9);
    }
    return more;
  }

  OperatorPtr cpu_;
  HeldSamples held_;
  bool on_device_ = false;
  size_t at_ = 0;
  int64_t cpu_ns_ = 0;
};

// sum avg count min max group stddev stdvar.
class AggregateOnDevice : public OnDevice {
 public:
  using OnDevice::OnDevice;

 private:
  absl::StatusOr<bool> Compute() override {
    ASSIGN_OR_RETURN(bool ran, run_.Execute());
    if (!ran) return false;
    series_ = run_.groups().series;
    return run_.Finish();
  }
};

// topk and bottomk: the series that are among the best at some step.
class RankedOnDevice : public OnDevice {
 public:
  using OnDevice::OnDevice;

 private:
  absl::StatusOr<bool> Compute() override {
    ASSIGN_OR_RETURN(bool ran, run_.Execute());
    if (!ran) return false;
    ASSIGN_OR_RETURN(ran, run_.Best());
    if (!ran) return false;
    // Instant queries show the series by rank, group by group; ranges in their own order.
    std::vector<uint32_t> order;
    for (uint32_t s : run_.best()) {
      if (s != kNoSeries) order.push_back(s);
    }
    if (columns_ > 1) {
      std::sort(order.begin(), order.end());
      order.erase(std::unique(order.begin(), order.end()), order.end());
    }
    row_of_.reserve(order.size());
    for (uint32_t s : order) {
      row_of_.emplace(s, series_.size());
      const SeriesMeta& meta = run_.series()[s];
      series_.push_back(meta.drop_name && !state_->delayed_name_removal
                            ? SeriesMeta{WithoutMetadata(meta.labels), false}
                            : meta);
    }
    places_.resize(series_.size());
    for (size_t i = 0; i < run_.best().size(); ++i) {
      if (run_.best()[i] != kNoSeries) places_[row_of_[run_.best()[i]]].push_back(i);
    }
    per_step_ = run_.best().size() / columns_;
    return true;
  }

  void FillRow(size_t series, Batch::Cell* cells, double* values) const override {
    for (size_t place : places_[series]) {
      cells[place / per_step_] = Batch::kFloat;
      values[place / per_step_] = run_.values()[place];
    }
  }

  absl::flat_hash_map<uint32_t, size_t> row_of_;
  std::vector<std::vector<size_t>> places_;  // of each row among the best
  size_t per_step_ = 1;
};

// histogram_quantile and histogram_fraction of classic buckets.
class HistogramOnDevice : public OnDevice {
 public:
  HistogramOnDevice(const Expr& call, const DeviceExpr& expr, OperatorPtr cpu, double low, const double* high,
                    QueryState* state, Steps steps)
      : OnDevice(expr, std::move(cpu), state, steps), call_(call), low_(columns_, low) {
    if (high != nullptr) high_.assign(columns_, *high);
  }

 private:
  struct Bucket {
    double bound;
    uint32_t group;
  };

  std::string What() const override { return StrCat(call_.function->name, "(", OnDevice::What(), ")"); }

  absl::StatusOr<bool> Compute() override {
    ASSIGN_OR_RETURN(bool ran, run_.Execute());
    if (!ran || !FindBuckets()) return false;
    DeviceHistograms h;
    std::vector<uint32_t> begin = {0}, groups;
    std::vector<double> bounds;
    for (std::vector<Bucket>& buckets : buckets_) {
      std::stable_sort(buckets.begin(), buckets.end(),
                       [](const Bucket& a, const Bucket& b) { return a.bound < b.bound; });
      for (const Bucket& b : buckets) {
        groups.push_back(b.group);
        bounds.push_back(b.bound);
      }
      begin.push_back(static_cast<uint32_t>(groups.size()));
    }
    h.bucket_begin = begin.data();
    h.bucket_group = groups.data();
    h.bucket_bound = bounds.data();
    h.histograms = static_cast<uint32_t>(buckets_.size());
    h.low = low_.data();
    h.high = high_.empty() ? nullptr : high_.data();
    return run_.Quantile(h);
  }

  // False if a group has no bound: that is for the CPU to speak about.
  bool FindBuckets() {
    static const std::vector<std::string> kBound = {"le"};
    absl::flat_hash_map<Labels, size_t> index;
    for (uint32_t g = 0; g < run_.groups().series.size(); ++g) {
      const Labels& labels = run_.groups().series[g].labels;
      const std::optional<double> bound = ParseGoFloat(labels.Get("le"));
      if (!bound || std::isnan(*bound)) return false;
      const auto [it, fresh] =
          index.try_emplace(GroupLabels(labels, kBound, /*without=*/true), series_.size());
      if (fresh) {
        series_.push_back({it->first, true});
        buckets_.emplace_back();
      }
      buckets_[it->second].push_back({*bound, g});
    }
    return true;
  }

  const Expr& call_;
  std::vector<double> low_, high_;
  std::vector<std::vector<Bucket>> buckets_;  // of each output series
};

std::optional<double> Number(const Expr& e) {
  const Expr& number = WithoutParens(e);
  if (number.kind != ExprKind::kNumber) return std::nullopt;
  return number.number;
}

}  // namespace

OperatorPtr MaybeAggregateOnDevice(const Expr& aggregate, OperatorPtr cpu, QueryState* state, Steps steps) {
  if (state->devices == nullptr || !state->devices->available()) return cpu;
  const std::optional<DeviceExpr> expr = ForDevice(aggregate);
  if (!expr) return cpu;
  if (expr->k > 0) return std::make_unique<RankedOnDevice>(*expr, std::move(cpu), state, steps);
  return std::make_unique<AggregateOnDevice>(*expr, std::move(cpu), state, steps);
}

OperatorPtr MaybeHistogramOnDevice(const Expr& call, OperatorPtr cpu, QueryState* state, Steps steps) {
  if (state->devices == nullptr || !state->devices->available()) return cpu;
  const Expr& aggregate = WithoutParens(*call.children.back());
  if (aggregate.kind != ExprKind::kAggregate) return cpu;
  const std::optional<DeviceExpr> expr = ForDevice(aggregate);
  if (!expr || expr->k > 0) return cpu;
  const std::optional<double> low = Number(*call.children[0]);
  if (call.function->name == "histogram_quantile") {
    // Others are spoken about.
    if (!low || !(*low >= 0 && *low <= 1)) return cpu;
    return std::make_unique<HistogramOnDevice>(call, *expr, std::move(cpu), *low, nullptr, state, steps);
  }
  const std::optional<double> high = Number(*call.children[1]);
  if (!low || !high) return cpu;
  return std::make_unique<HistogramOnDevice>(call, *expr, std::move(cpu), *low, &*high, state, steps);
}

}  // namespace narthex::promql
