#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "base/strings.h"
#include "model/kahan_sum.h"
#include "promql/functions/annotation_texts.h"
#include "promql/operators/aggregates.h"
#include "promql/operators/grouping.h"

namespace narthex::promql {
namespace {

// One group at one step. Which fields are used depends on the aggregation.
struct Accumulator {
  double value = 0, low = 0, mean = 0;  // low: what rounding lost
  double count = 0;
  bool has_float = false, has_histogram = false, incremental_mean = false, dropped = false;
  std::unique_ptr<FloatHistogram> h, h_low;
};

class Aggregate : public Operator {
 public:
  Aggregate(const Expr& aggregate, OperatorPtr child, QueryState* state, Steps steps)
      : aggregate_(aggregate), child_(std::move(child)), state_(state), steps_(steps), held_(state) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* input, child_->Series());
    input_ = input;
    groups_ = GroupSeries(*input, aggregate_.grouping, aggregate_.without);
    return &groups_.series;
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    if (!consumed_) RETURN_IF_ERROR(Consume());
    size_t count = std::min(kBatchSeries, groups_.series.size() - at_);
    if (count == 0) return false;
    size_t columns = static_cast<size_t>(steps_.count);
    batch->Reset(count, columns);
    for (size_t r = 0; r < count; ++r) {
      for (size_t i = 0; i < columns; ++i) Store(accumulators_[(at_ + r) * columns + i], r, i, batch);
    }
    at_ += count;
    return true;
  }

  void Close() override {
    accumulators_.clear();
    held_.Release();
    child_->Close();
  }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "Aggregate ", AggregationName(aggregate_.aggregation), "\n");
    child_->Explain(depth + 1, out);
  }

 private:
  absl::Status Consume() {
    consumed_ = true;
    size_t columns = static_cast<size_t>(steps_.count);
    RETURN_IF_ERROR(held_.Add(static_cast<int64_t>(groups_.series.size() * columns)));
    accumulators_.resize(groups_.series.size() * columns);
    Batch batch;
    size_t series = 0;
    while (true) {
      RETURN_IF_ERROR(state_->Check());
      ASSIGN_OR_RETURN(bool more, child_->Next(&batch));
      if (!more) return absl::OkStatus();
      for (size_t r = 0; r < batch.series(); ++r, ++series) {
        Accumulator* row = &accumulators_[groups_.of[series] * columns];
        for (size_t i = 0; i < columns; ++i) {
          Batch::Cell cell = batch.cells(r)[i];
          if (cell == Batch::kFloat) AddFloat(batch.values(r)[i], &row[i]);
          if (cell == Batch::kHistogram) AddHistogram(*batch.histogram(r, i), &row[i]);
        }
      }
    }
  }

  void AddFloat(double v, Accumulator* a) {
    bool first = !a->has_float;
    a->has_float = true;
    switch (aggregate_.aggregation) {
      case Aggregation::kSum:
        KahanAdd(v, &a->value, &a->low);
        break;
      case Aggregation::kAvg:
        AddToMean(v, first, a);
        break;
      case Aggregation::kCount:
      case Aggregation::kGroup:
        ++a->count;
        break;
      case Aggregation::kMin:
        if (first || v < a->value || std::isnan(a->value)) a->value = v;
        break;
      case Aggregation::kMax:
        if (first || v > a->value || std::isnan(a->value)) a->value = v;
        break;
      case Aggregation::kStddev:
      case Aggregation::kStdvar: {
        ++a->count;
        double delta = v - a->mean;
        a->mean += delta / a->count;
        a->value += delta * (v - a->mean);
        break;
      }
      default:
        break;
    }
  }

  // The sum as long as it stays finite, then the running mean, as upstream's avg does.
  void AddToMean(double v, bool first, Accumulator* a) {
    ++a->count;
    if (first) {
      a->value = v;
      return;
    }
    if (!a->incremental_mean) {
      double sum = a->value, low = a->low;
      KahanAdd(v, &sum, &low);
      if (!std::isinf(sum)) {
        a->value = sum;
        a->low = low;
        return;
      }
      a->incremental_mean = true;
      a->mean = a->value / (a->count - 1);
      a->low /= a->count - 1;
    }
    double q = (a->count - 1) / a->count;
    a->low *= q;
    double mean = q * a->mean;
    KahanAdd(v / a->count, &mean, &a->low);
    a->mean = mean;
  }

  void AddHistogram(const FloatHistogram& h, Accumulator* a) {
    Aggregation kind = aggregate_.aggregation;
    if (kind == Aggregation::kCount || kind == Aggregation::kGroup) {
      a->has_float = true;
      ++a->count;
      return;
    }
    if (kind != Aggregation::kSum && kind != Aggregation::kAvg) {
      Annotate(HistogramIgnoredInAggregationText(AggregationName(kind)));
      return;
    }
    a->has_histogram = true;
    if (kind == Aggregation::kAvg) ++a->count;
    if (a->dropped) return;
    if (!a->h) {
      a->h = std::make_unique<FloatHistogram>(h);
      a->h_low = std::make_unique<FloatHistogram>();
      return;
    }
    bool collision = false, reconciled = false;
    if (!a->h->KahanAdd(h, a->h_low.get(), &collision, &reconciled).ok()) {
      a->dropped = true;
      Annotate(MixedBucketSchemasText(""));
      return;
    }
    if (collision) Annotate(ResetCollisionText("aggregation"));
    if (reconciled) Annotate(CustomBucketsReconciledText("aggregation"));
  }

  void Annotate(std::string text) {
    state_->annotations.Add(std::move(text), aggregate_.children.back()->pos);
  }

  void Store(Accumulator& a, size_t r, size_t i, Batch* batch) {
    if (a.has_float && a.has_histogram) {
      Annotate(MixedFloatsHistogramsAggText());
      return;
    }
    if (a.has_histogram) {
      if (a.dropped || !a.h) return;
      bool ignored = false;
      FloatHistogram sum = *a.h;
      if (!a.h_low->positive_buckets.empty() || !a.h_low->negative_buckets.empty() || a.h_low->count != 0 ||
          a.h_low->sum != 0) {
        CounterResetHint hint = sum.hint;
        (void)sum.Add(*a.h_low, &ignored, &ignored);
        sum.hint = hint;
      }
      if (aggregate_.aggregation == Aggregation::kAvg) sum.Divide(a.count);
      sum.Compact();
      batch->SetHistogram(r, i, std::make_shared<const FloatHistogram>(std::move(sum)));
      return;
    }
    if (a.has_float) batch->SetFloat(r, i, Final(a));
  }

  double Final(const Accumulator& a) const {
    switch (aggregate_.aggregation) {
      case Aggregation::kSum:
        return a.value + a.low;
      case Aggregation::kAvg:
        return a.incremental_mean ? a.mean + a.low : a.value / a.count + a.low / a.count;
      case Aggregation::kCount:
        return a.count;
      case Aggregation::kGroup:
        return 1;
      case Aggregation::kStddev:
        return std::sqrt(a.value / a.count);
      case Aggregation::kStdvar:
        return a.value / a.count;
      default:
        return a.value;
    }
  }

  const Expr& aggregate_;
  OperatorPtr child_;
  QueryState* const state_;
  const Steps steps_;
  HeldSamples held_;
  const std::vector<SeriesMeta>* input_ = nullptr;
  Groups groups_;
  std::vector<Accumulator> accumulators_;
  bool consumed_ = false;
  size_t at_ = 0;
};

}  // namespace

OperatorPtr NewAggregate(const Expr& aggregate, OperatorPtr child, QueryState* state, Steps steps) {
  return std::make_unique<Aggregate>(aggregate, std::move(child), state, steps);
}

bool MatrixOutput::Next(Batch* batch) {
  size_t count = std::min(kBatchSeries, matrix.series.size() - at_);
  if (count == 0) return false;
  batch->Reset(count, matrix.rows.steps());
  for (size_t r = 0; r < count; ++r) {
    for (size_t i = 0; i < batch->steps(); ++i) batch->CopyCell(r, i, matrix.rows, at_ + r, i);
  }
  at_ += count;
  return true;
}

}  // namespace narthex::promql
