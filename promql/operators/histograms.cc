#include "promql/operators/histograms.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "base/go_format.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/quantile.h"
#include "promql/operators/grouping.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

// The classic buckets and the native series that belong to one output series.
struct HistogramGroup {
  SeriesMeta meta;
  std::string metric;
  std::vector<std::pair<double, size_t>> buckets;  // upper bound, input row
  std::vector<size_t> natives;                     // input rows that may hold native histograms
};

// Collects the groups and hands each step's histograms to the subclass.
class HistogramOperator : public WholeMatrixOperator {
 public:
  HistogramOperator(const Expr& call, std::string text, OperatorPtr vector, const Expr& vector_expr,
                    QueryState* state, Steps steps)
      : WholeMatrixOperator(std::move(text), state, steps), call_(call), vector_expr_(vector_expr) {
    children_.push_back(std::move(vector));
  }

 protected:
  absl::StatusOr<Matrix> Compute() override {
    RETURN_IF_ERROR(Prepare());
    ASSIGN_OR_RETURN(input_, Input(0));
    CollectGroups();
    // In order once, not at every step.
    for (HistogramGroup& group : groups_) {
      std::stable_sort(group.buckets.begin(), group.buckets.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    Matrix out;
    size_t outputs = Outputs();
    out.rows.Reset(groups_.size() * outputs, columns());
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (size_t k = 0; k < outputs; ++k) {
        out.series.push_back(OutputSeries(groups_[g].meta, k));
        for (size_t i = 0; i < columns(); ++i) Step(groups_[g], i, k, g * outputs + k, &out.rows);
      }
    }
    return out;
  }

  virtual absl::Status Prepare() = 0;
  virtual size_t Outputs() const { return 1; }
  virtual SeriesMeta OutputSeries(const SeriesMeta& meta, size_t k) const { return meta; }
  // May change the buckets.
  virtual double Classic(std::vector<ClassicBucket>* buckets, size_t step, size_t k,
                         const HistogramGroup& group) = 0;
  virtual double Native(const FloatHistogram& h, size_t step, size_t k, const HistogramGroup& group) = 0;

  void Annotate(std::string text) { state_->annotations.Add(std::move(text), vector_expr_.pos); }
  void AnnotateNan(NanNote note, const std::string& metric) {
    if (note != NanNote::kNone) Annotate(NanNoteText(note, metric));
  }

  const Expr& call_;
  const Expr& vector_expr_;

 private:
  void CollectGroups() {
    absl::flat_hash_map<Labels, size_t> index;
    for (size_t s = 0; s < input_.series.size(); ++s) {
      const SeriesMeta& meta = input_.series[s];
      const Batch::Cell *cells = input_.rows.cells(s), *end = cells + columns();
      const bool any_float = std::find(cells, end, Batch::kFloat) != end;
      const bool any_native = input_.rows.has_histograms() && std::find(cells, end, Batch::kHistogram) != end;
      std::string_view metric = meta.labels.MetricName();
      if (any_native) Member(meta, /*with_bound=*/true, metric, &index)->natives.push_back(s);
      if (!any_float) continue;
      std::string_view le = meta.labels.Get("le");
      std::optional<double> bound = ParseGoFloat(le);
      if (!bound) {
        Annotate(BadBucketLabelText(metric, le));
        continue;
      }
      Member(meta, /*with_bound=*/false, metric, &index)->buckets.emplace_back(*bound, s);
    }
  }

  // The group of a series, whose bound is part of the group's labels or not.
  HistogramGroup* Member(const SeriesMeta& meta, bool with_bound, std::string_view metric,
                         absl::flat_hash_map<Labels, size_t>* index) {
    static const std::vector<std::string> kBound = {"le"}, kNothing;
    // With delayed name removal the name tells histograms apart; else it is no part of the group.
    Labels key = GroupLabels(meta.labels, with_bound ? kNothing : kBound, /*without=*/true);
    if (state_->delayed_name_removal) key = LabelsBuilder(key).Set(kMetricName, metric).Build();
    auto [it, added] = index->try_emplace(key, groups_.size());
    if (added) groups_.push_back({{std::move(key), true}, std::string(metric), {}, {}});
    return &groups_[it->second];
  }

  void Step(const HistogramGroup& group, size_t i, size_t k, size_t row, Batch* out) {
    buckets_.clear();
    for (const auto& [bound, s] : group.buckets) {
      if (input_.rows.cells(s)[i] == Batch::kFloat) buckets_.push_back({bound, input_.rows.values(s)[i]});
    }
    const FloatHistogram* native = nullptr;
    for (size_t s : group.natives) {
      if (input_.rows.cells(s)[i] == Batch::kHistogram) native = input_.rows.histogram(s, i).get();
    }
    if (native != nullptr && !buckets_.empty()) {
      Annotate(MixedClassicNativeText(group.metric));
      return;
    }
    if (native != nullptr) {
      out->SetFloat(row, i, Native(*native, i, k, group));
    } else if (!buckets_.empty()) {
      out->SetFloat(row, i, Classic(&buckets_, i, k, group));
    }
  }

  Matrix input_;
  std::vector<HistogramGroup> groups_;
  std::vector<ClassicBucket> buckets_;  // of one group and step
};

class QuantileOfHistogram : public HistogramOperator {
 public:
  // `label` empty: histogram_quantile; else histogram_quantiles.
  QuantileOfHistogram(const Expr& call, std::string label, std::vector<OperatorPtr> quantiles,
                      size_t first_argument, OperatorPtr vector, const Expr& vector_expr, QueryState* state,
                      Steps steps)
      : HistogramOperator(call, label.empty() ? "HistogramQuantile" : "HistogramQuantiles", std::move(vector),
                          vector_expr, state, steps),
        label_(std::move(label)),
        quantiles_(std::move(quantiles)),
        first_argument_(first_argument) {}

 private:
  absl::Status Prepare() override {
    for (size_t k = 0; k < quantiles_.size(); ++k) {
      ASSIGN_OR_RETURN(std::vector<double> row, ReadScalar(quantiles_[k].get(), steps_.count));
      for (double q : row) {
        bool bad = std::isnan(q) || q < 0 || q > 1;
        if (bad) state_->annotations.Add(InvalidQuantileText(q), call_.children[first_argument_ + k]->pos);
      }
      rows_.push_back(std::move(row));
    }
    return absl::OkStatus();
  }
  size_t Outputs() const override { return rows_.size(); }
  SeriesMeta OutputSeries(const SeriesMeta& meta, size_t k) const override {
    if (label_.empty()) return meta;
    return {LabelsBuilder(meta.labels).Set(label_, OpenMetricsFloat(rows_[k][0])).Build(), meta.drop_name};
  }
  static std::string OpenMetricsFloat(double v) {
    std::string text = FormatFloatG(v);
    bool whole = text.find_first_of(".eNI") == text.npos;
    return whole ? text + ".0" : text;
  }
  double Classic(std::vector<ClassicBucket>* buckets, size_t step, size_t k,
                 const HistogramGroup& group) override {
    BucketQuantileResult result = BucketQuantileInPlace(rows_[k][step], buckets);
    if (result.forced_monotonicity) Annotate(ForcedMonotonicityText(group.metric));
    return result.value;
  }
  double Native(const FloatHistogram& h, size_t step, size_t k, const HistogramGroup& group) override {
    NativeResult result = HistogramQuantile(rows_[k][step], h);
    AnnotateNan(result.note, group.metric);
    return result.value;
  }

  const std::string label_;
  std::vector<OperatorPtr> quantiles_;
  const size_t first_argument_;
  std::vector<std::vector<double>> rows_;
};

class FractionOfHistogram : public HistogramOperator {
 public:
  FractionOfHistogram(const Expr& call, OperatorPtr lower, OperatorPtr upper, OperatorPtr vector,
                      QueryState* state, Steps steps)
      : HistogramOperator(call, "HistogramFraction", std::move(vector), *call.children[2], state, steps),
        lower_(std::move(lower)),
        upper_(std::move(upper)) {}

 private:
  absl::Status Prepare() override {
    ASSIGN_OR_RETURN(lower_row_, ReadScalar(lower_.get(), steps_.count));
    ASSIGN_OR_RETURN(upper_row_, ReadScalar(upper_.get(), steps_.count));
    return absl::OkStatus();
  }
  double Classic(std::vector<ClassicBucket>* buckets, size_t step, size_t, const HistogramGroup&) override {
    return BucketFraction(lower_row_[step], upper_row_[step], *buckets);
  }
  double Native(const FloatHistogram& h, size_t step, size_t, const HistogramGroup& group) override {
    NativeResult result = HistogramFraction(lower_row_[step], upper_row_[step], h);
    AnnotateNan(result.note, group.metric);
    return result.value;
  }

  OperatorPtr lower_, upper_;
  std::vector<double> lower_row_, upper_row_;
};

}  // namespace

OperatorPtr NewHistogramQuantile(const Expr& call, OperatorPtr quantile, OperatorPtr vector,
                                 QueryState* state, Steps steps) {
  std::vector<OperatorPtr> quantiles;
  quantiles.push_back(std::move(quantile));
  return std::make_unique<QuantileOfHistogram>(call, "", std::move(quantiles), 0, std::move(vector),
                                               *call.children[1], state, steps);
}
OperatorPtr NewHistogramQuantiles(const Expr& call, std::string label, std::vector<OperatorPtr> quantiles,
                                  OperatorPtr vector, QueryState* state, Steps steps) {
  return std::make_unique<QuantileOfHistogram>(call, std::move(label), std::move(quantiles), 2,
                                               std::move(vector), *call.children[0], state, steps);
}
OperatorPtr NewHistogramFraction(const Expr& call, OperatorPtr lower, OperatorPtr upper, OperatorPtr vector,
                                 QueryState* state, Steps steps) {
  return std::make_unique<FractionOfHistogram>(call, std::move(lower), std::move(upper), std::move(vector),
                                               state, steps);
}

}  // namespace narthex::promql
