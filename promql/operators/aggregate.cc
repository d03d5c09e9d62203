#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "model/kahan_sum.h"
#include "promql/functions/annotation_texts.h"
#include "promql/kernels.h"
#include "promql/operators/aggregates.h"
#include "promql/operators/grouping.h"

namespace narthex::promql {
namespace {

// What an aggregation has of native histograms in one group at one step.
struct HistogramTotal {
  FloatHistogram h, low;  // low: what rounding lost
  double count = 0;
  bool any = false;
  bool dropped = false;                   // they do not go together: what comes later is not looked at
  bool reset = false, not_reset = false;  // hints that were seen
};

// One accumulator a group and step, each part of it an array, so that a row of input is added in one go.
class Aggregate : public Operator {
 public:
  Aggregate(const Expr& aggregate, OperatorPtr child, QueryState* state, Steps steps)
      : aggregate_(aggregate),
        kind_(aggregate.aggregation),
        child_(std::move(child)),
        state_(state),
        columns_(static_cast<size_t>(steps.count)),
        held_(state) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    ASSIGN_OR_RETURN(bool grouped, child_->TakeGroups(&groups_));
    if (!grouped) {
      ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* input, child_->Series());
      groups_ = GroupSeries(*input, aggregate_.grouping, aggregate_.without);
      input_ = input;
    }
    group_count_ = groups_.series.size();
    return &groups_.series;
  }

  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    RETURN_IF_ERROR(Series().status());
    return std::move(groups_.series);
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    if (!consumed_) RETURN_IF_ERROR(Consume());
    const size_t count = std::min(kBatchSeries, group_count_ - at_);
    if (count == 0) return false;
    batch->Reset(count, columns_);
    for (size_t r = 0; r < count; ++r) StoreRow((at_ + r) * columns_, r, batch);
    at_ += count;
    return true;
  }

  void Close() override {
    for (std::vector<double>* part : {&value_, &low_, &count_}) *part = {};
    has_float_ = {};
    histograms_ = {};
    held_.Release();
    child_->Close();
  }

  bool SeriesDiffer() const override { return true; }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "Aggregate ", AggregationName(kind_), "\n");
    child_->Explain(depth + 1, out);
  }

 private:
  absl::Status Consume() {
    consumed_ = true;
    const size_t cells = group_count_ * columns_;
    RETURN_IF_ERROR(held_.Add(static_cast<int64_t>(cells)));
    const bool extreme = kind_ == Aggregation::kMin || kind_ == Aggregation::kMax;
    value_.assign(cells, extreme ? NormalNan() : 0);  // NaN is beaten by everything
    const bool compensated = kind_ == Aggregation::kSum || kind_ == Aggregation::kAvg;
    if (compensated || IsSpread()) low_.assign(cells, 0);
    if (kind_ != Aggregation::kSum && !extreme) count_.assign(cells, 0);
    has_float_.assign(cells, 0);
    const std::vector<Batch::Cell> all_floats(columns_, Batch::kFloat);
    Batch batch;
    size_t series = 0;
    while (true) {
      RETURN_IF_ERROR(state_->Check());
      ASSIGN_OR_RETURN(bool more, child_->Next(&batch));
      if (!more) return absl::OkStatus();
      for (size_t r = 0; r < batch.series(); ++r, ++series) {
        const size_t base = groups_.of[series] * columns_;
        if (columns_ == 0) continue;  // a subquery may have no step at all
        if (any_dropped_) LeaveOutDropped(r, base, &batch);
        if (std::memcmp(batch.cells(r), all_floats.data(), columns_) == 0) {
          AddFloats(batch.values(r), columns_, base);
        } else {
          AddRow(batch, r, series, base);
        }
      }
    }
  }

  bool IsSpread() const { return kind_ == Aggregation::kStddev || kind_ == Aggregation::kStdvar; }

  // A row with empty cells or histograms: the floats run by run.
  void AddRow(const Batch& batch, size_t r, size_t series, size_t base) {
    const Batch::Cell* cells = batch.cells(r);
    for (size_t i = 0; i < columns_;) {
      size_t end = i;
      while (end < columns_ && cells[end] == Batch::kFloat) ++end;
      if (end > i) AddFloats(batch.values(r) + i, end - i, base + i);
      i = end;
      if (i < columns_ && cells[i] == Batch::kHistogram)
        AddHistogram(*batch.histogram(r, i), series, base + i);
      ++i;
    }
  }

  // The values of n steps to the accumulators from `at` on.
  void AddFloats(const double* v, size_t n, size_t at) {
    std::memset(&has_float_[at], 1, n);
    switch (kind_) {
      case Aggregation::kSum:
        return MachineKernels().add(v, n, &value_[at], &low_[at]);
      case Aggregation::kAvg:
        return AddToMeans(v, n, at);
      case Aggregation::kCount:
      case Aggregation::kGroup:
        for (size_t i = 0; i < n; ++i) ++count_[at + i];
        return;
      case Aggregation::kMin:
        return MachineKernels().min(v, n, &value_[at]);
      case Aggregation::kMax:
        return MachineKernels().max(v, n, &value_[at]);
      default:
        for (size_t i = 0; i < n; ++i) AddToSpread(v[i], at + i);
    }
  }

  void AddToMeans(const double* v, size_t n, size_t at) {
    if (running_means_.empty() && MachineKernels().add_finite(v, n, &value_[at], &low_[at])) {
      for (size_t i = 0; i < n; ++i) ++count_[at + i];
      return;
    }
    for (size_t i = 0; i < n; ++i) AddToMean(v[i], at + i);
  }

  // The sum as long as it stays finite, then the running mean, as upstream's avg does.
  void AddToMean(double v, size_t at) {
    double& count = count_[at];
    if (++count == 1) {
      value_[at] = v;
      return;
    }
    if (!running_means_.contains(at)) {
      double sum = value_[at], low = low_[at];
      KahanAdd(v, &sum, &low);
      if (!std::isinf(sum)) {
        value_[at] = sum;
        low_[at] = low;
        return;
      }
      running_means_.insert(at);
      value_[at] /= count - 1;
      low_[at] /= count - 1;
    }
    const double keep = (count - 1) / count;
    low_[at] *= keep;
    double mean = keep * value_[at];
    KahanAdd(v / count, &mean, &low_[at]);
    value_[at] = mean;
  }

  // Here low_ is the mean.
  void AddToSpread(double v, size_t at) {
    const double delta = v - low_[at];
    low_[at] += delta / ++count_[at];
    value_[at] += delta * (v - low_[at]);
  }

  void LeaveOutDropped(size_t r, size_t base, Batch* batch) const {
    for (size_t i = 0; i < columns_; ++i) {
      const auto total = histograms_.find(base + i);
      if (total != histograms_.end() && total->second.dropped) batch->Clear(r, i);
    }
  }

  void AddHistogram(const FloatHistogram& h, size_t series, size_t at) {
    if (kind_ == Aggregation::kCount || kind_ == Aggregation::kGroup) {
      has_float_[at] = 1;
      ++count_[at];
      return;
    }
    if (kind_ != Aggregation::kSum && kind_ != Aggregation::kAvg) {
      Annotate(HistogramIgnoredInAggregationText(AggregationName(kind_)));
      return;
    }
    HistogramTotal& total = histograms_[at];
    if (!total.any && has_float_[at] != 0) return;  // there will be no result
    ++total.count;
    total.reset |= h.hint == CounterResetHint::kReset;
    total.not_reset |= h.hint == CounterResetHint::kNotReset;
    if (!total.any) {
      total.any = true;
      total.h = h;
      return;
    }
    bool collision = false, reconciled = false;
    if (!total.h.KahanAdd(h, &total.low, &collision, &reconciled).ok()) {
      total.dropped = any_dropped_ = true;
      Annotate(MixedBucketSchemasText(NameOf(series)));
      return;
    }
    if (reconciled) Annotate(CustomBucketsReconciledText("aggregation"));
  }

  // Where only the labels of the groups were asked for, all series have the name that the selector says.
  std::string_view NameOf(size_t series) const {
    if (input_ != nullptr) return (*input_)[series].labels.MetricName();
    const Expr* selector = aggregate_.children.back().get();
    while (selector->kind == ExprKind::kParen || selector->kind == ExprKind::kStepInvariant)
      selector = selector->children[0].get();
    return OnlyName(*selector);
  }

  void Annotate(std::string text) {
    state_->annotations.Add(std::move(text), ArgumentPosition(*aggregate_.children.back()), aggregate_.pos);
  }

  void StoreRow(size_t base, size_t r, Batch* batch) {
    Batch::Cell* cells = batch->cells(r);
    double* values = batch->values(r);
    for (size_t i = 0; i < columns_; ++i) {
      cells[i] = has_float_[base + i] != 0 ? Batch::kFloat : Batch::kEmpty;
      values[i] = Final(base + i);
    }
    if (histograms_.empty()) return;
    for (size_t i = 0; i < columns_; ++i) {
      const auto total = histograms_.find(base + i);
      if (total == histograms_.end()) continue;
      if (cells[i] == Batch::kFloat) {
        Annotate(MixedFloatsHistogramsAggText());
        cells[i] = Batch::kEmpty;
      } else if (!total->second.dropped) {
        StoreHistogram(total->second, r, i, batch);
      }
    }
  }

  void StoreHistogram(const HistogramTotal& total, size_t r, size_t i, Batch* batch) {
    if (total.reset && total.not_reset) Annotate(ResetCollisionText("aggregation"));
    bool ignored = false;
    FloatHistogram sum = total.h;
    const FloatHistogram& low = total.low;
    if (!low.positive_buckets.empty() || !low.negative_buckets.empty() || low.count != 0 || low.sum != 0) {
      const CounterResetHint hint = sum.hint;
      (void)sum.Add(low, &ignored, &ignored);
      sum.hint = hint;
    }
    if (kind_ == Aggregation::kAvg) sum.Divide(total.count);
    sum.Compact();
    batch->SetHistogram(r, i, std::make_shared<const FloatHistogram>(std::move(sum)));
  }

  double Final(size_t at) const {
    switch (kind_) {
      case Aggregation::kSum:
        return value_[at] + low_[at];
      case Aggregation::kAvg:
        if (running_means_.contains(at)) return value_[at] + low_[at];
        return value_[at] / count_[at] + low_[at] / count_[at];
      case Aggregation::kCount:
        return count_[at];
      case Aggregation::kGroup:
        return 1;
      case Aggregation::kStddev:
        return std::sqrt(value_[at] / count_[at]);
      case Aggregation::kStdvar:
        return value_[at] / count_[at];
      default:
        return value_[at];
    }
  }

  const Expr& aggregate_;
  const Aggregation kind_;
  OperatorPtr child_;
  QueryState* const state_;
  const size_t columns_;
  HeldSamples held_;
  const std::vector<SeriesMeta>* input_ = nullptr;  // null: the child told groups only
  Groups groups_;
  size_t group_count_ = 0;
  // Group by group, all steps; what each is depends on the aggregation.
  std::vector<double> value_, low_, count_;
  std::vector<uint8_t> has_float_;
  absl::flat_hash_set<size_t> running_means_;  // of avg: where the sum would have overflowed
  absl::flat_hash_map<size_t, HistogramTotal> histograms_;
  bool any_dropped_ = false;
  bool consumed_ = false;
  size_t at_ = 0;
};

}  // namespace

OperatorPtr NewAggregate(const Expr& aggregate, OperatorPtr child, QueryState* state, Steps steps) {
  return std::make_unique<Aggregate>(aggregate, std::move(child), state, steps);
}

bool MatrixOutput::Next(Batch* batch) {
  size_t count = std::min(kBatchSeries, count_ - at_);
  if (count == 0) return false;
  batch->Reset(count, matrix_.rows.steps());
  for (size_t r = 0; r < count; ++r) batch->CopyRow(r, matrix_.rows, at_ + r);
  at_ += count;
  return true;
}

}  // namespace narthex::promql
