#include "promql/operators/histograms.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "base/go_format.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/quantile.h"
#include "promql/operators/grouping.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

// The rows that belong to one output series, until all of them are there.
struct HistogramGroup {
  SeriesMeta meta;
  std::string metric;  // for annotations
  size_t waiting = 0;  // input series that have not come yet
  struct Bucket {
    double bound = 0;
    size_t at = 0;  // of its steps in `cells` and `counts`
  };
  std::vector<Bucket> buckets;
  std::vector<Batch::Cell> cells;
  std::vector<double> counts;
  std::vector<HistogramPtr> natives;  // by step; empty if there are none
  int64_t held = 0;                   // samples
  bool done = false;
};

// Collects the rows of each output series and, as soon as it has all, hands each step's histograms to the
// subclass. Input comes sorted by labels, where the buckets of a histogram are near each other.
class HistogramOperator : public WholeMatrixOperator {
 public:
  HistogramOperator(const Expr& call, std::string text, OperatorPtr vector, const Expr& vector_expr,
                    QueryState* state, Steps steps)
      : WholeMatrixOperator(std::move(text), state, steps), call_(call), vector_expr_(vector_expr) {
    children_.push_back(std::move(vector));
  }

  // Groups differ in their labels; histogram_quantiles writes over one of them.
  bool SeriesDiffer() const override { return Outputs() == 1; }

 protected:
  absl::StatusOr<Matrix> Compute() override {
    RETURN_IF_ERROR(Prepare());
    ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* series, children_[0]->Series());
    FindMembers(*series);
    rows_.Reset(groups_.size() * Outputs(), columns());
    Batch batch;
    size_t next = 0;
    while (true) {
      RETURN_IF_ERROR(state_->Check());
      ASSIGN_OR_RETURN(bool more, children_[0]->Next(&batch));
      if (!more) break;
      for (size_t r = 0; r < batch.series(); ++r, ++next) {
        RETURN_IF_ERROR(TakeRow((*series)[next], members_[next], batch, r));
      }
    }
    Matrix out;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (!groups_[g].done) Finish(g);
      for (size_t k = 0; k < Outputs(); ++k) out.series.push_back(OutputSeries(groups_[g].meta, k));
    }
    children_[0]->Close();
    out.rows = std::move(rows_);
    return out;
  }

  // As upstream: who drops names early has none left to tell.
  std::string NameToTell(std::string_view metric) const {
    return std::string(state_->delayed_name_removal ? metric : std::string_view());
  }

  virtual absl::Status Prepare() = 0;
  virtual size_t Outputs() const { return 1; }
  virtual SeriesMeta OutputSeries(const SeriesMeta& meta, size_t k) const { return meta; }
  // May change the buckets.
  virtual double Classic(std::vector<ClassicBucket>* buckets, size_t step, size_t k,
                         const HistogramGroup& group) = 0;
  virtual double Native(const FloatHistogram& h, size_t step, size_t k, const HistogramGroup& group) = 0;

  void Annotate(std::string text) {
    state_->annotations.Add(std::move(text), ArgumentPosition(vector_expr_), call_.pos);
  }
  void AnnotateNan(NanNote note, const std::string& metric) {
    if (note != NanNote::kNone) Annotate(NanNoteText(note, metric));
  }

  const Expr& call_;
  const Expr& vector_expr_;

 private:
  // Where a series' floats belong, and its native histograms if it has no bound.
  struct Member {
    size_t group = 0;
    std::optional<double> bound;
  };

  void FindMembers(const std::vector<SeriesMeta>& series) {
    members_.reserve(series.size());
    std::string text;  // the last bound: neighbours often have the same
    std::optional<double> bound = ParseGoFloat(text);
    for (const SeriesMeta& meta : series) {
      const Split split = SplitLabels(meta.labels);
      if (split.bound != text) {
        text = split.bound;
        bound = ParseGoFloat(text);
      }
      const bool with_bound = !bound.has_value() && !split.bound.empty();
      const size_t group = with_bound ? GroupWithBound(meta) : GroupOfKey(split.metric);
      ++groups_[group].waiting;
      members_.push_back({group, bound});
    }
  }

  struct Split {
    std::string_view bound, metric;
  };
  // All but the bound goes into key_: the name tells histograms apart, too. Labels are sorted: behind the
  // bound nothing has to be looked at.
  Split SplitLabels(const Labels& labels) {
    constexpr std::string_view kBound = "le";
    static_assert(kMetricName < kBound);
    Split split;
    key_.clear();
    const char *begin = labels.encoded().data(), *end = begin + labels.encoded().size();
    for (auto it = labels.begin(); !(it == labels.end()) && it->name <= kBound; ++it) {
      if (it->name == kMetricName) split.metric = it->value;
      if (it->name != kBound) continue;
      split.bound = it->value;
      key_.append(begin, it.encoded().data());
      begin = it.encoded().data() + it.encoded().size();
    }
    key_.append(begin, end);
    return split;
  }

  // The group of a series whose bound is a label like others.
  size_t GroupWithBound(const SeriesMeta& meta) {
    key_ = meta.labels.encoded();
    return GroupOfKey(meta.labels.MetricName());
  }

  // key_: the labels of the group.
  size_t GroupOfKey(std::string_view metric) {
    const auto [it, added] = index_.try_emplace(key_, groups_.size());
    if (added) {
      HistogramGroup& group = groups_.emplace_back();
      group.meta = {Labels::FromEncoded(key_), true};
      group.metric = NameToTell(metric);
    }
    return it->second;
  }

  absl::Status TakeRow(const SeriesMeta& meta, const Member& member, const Batch& batch, size_t r) {
    const Batch::Cell *cells = batch.cells(r), *end = cells + columns();
    const bool any_float = std::find(cells, end, Batch::kFloat) != end;
    const bool any_native = batch.has_histograms() && std::find(cells, end, Batch::kHistogram) != end;
    if (any_float && !member.bound.has_value()) {
      Annotate(BadBucketLabelText(NameToTell(meta.labels.MetricName()), meta.labels.Get("le")));
    } else if (any_float) {
      RETURN_IF_ERROR(Hold(std::count(cells, end, Batch::kFloat), &groups_[member.group]));
      HistogramGroup& group = groups_[member.group];
      if (group.buckets.empty()) {
        group.buckets.reserve(group.waiting);
        group.cells.reserve(group.waiting * columns());
        group.counts.reserve(group.waiting * columns());
      }
      group.buckets.push_back({*member.bound, group.counts.size()});
      group.cells.insert(group.cells.end(), cells, end);
      group.counts.insert(group.counts.end(), batch.values(r), batch.values(r) + columns());
    }
    // Native histograms of a series with a bound are a group of their own.
    if (any_native) {
      RETURN_IF_ERROR(TakeNatives(batch, r, member.bound ? GroupWithBound(meta) : member.group));
    }
    if (--groups_[member.group].waiting == 0) Finish(member.group);
    return absl::OkStatus();
  }

  absl::Status TakeNatives(const Batch& batch, size_t r, size_t g) {
    HistogramGroup& group = groups_[g];
    group.natives.resize(columns());
    for (size_t i = 0; i < columns(); ++i) {
      if (batch.cells(r)[i] != Batch::kHistogram) continue;
      RETURN_IF_ERROR(Hold(1, &group));
      group.natives[i] = batch.histogram(r, i);
    }
    return absl::OkStatus();
  }

  absl::Status Hold(int64_t samples, HistogramGroup* group) {
    RETURN_IF_ERROR(held_.Add(samples));
    group->held += samples;
    return absl::OkStatus();
  }

  void Finish(size_t g) {
    HistogramGroup& group = groups_[g];
    group.done = true;
    if (rows_.series() < groups_.size() * Outputs()) rows_.Grow(groups_.size() * Outputs());
    std::stable_sort(group.buckets.begin(), group.buckets.end(),
                     [](const auto& a, const auto& b) { return a.bound < b.bound; });
    for (size_t k = 0; k < Outputs(); ++k) {
      for (size_t i = 0; i < columns(); ++i) Step(group, i, k, g * Outputs() + k);
    }
    group.buckets = {};
    group.cells = {};
    group.counts = {};
    group.natives = {};
    held_.Release(group.held);
    group.held = 0;
  }

  void Step(const HistogramGroup& group, size_t i, size_t k, size_t row) {
    step_buckets_.clear();
    for (const HistogramGroup::Bucket& bucket : group.buckets) {
      const size_t at = bucket.at + i;
      if (group.cells[at] == Batch::kFloat) step_buckets_.push_back({bucket.bound, group.counts[at]});
    }
    const FloatHistogram* native = group.natives.empty() ? nullptr : group.natives[i].get();
    if (native != nullptr && !step_buckets_.empty()) {
      Annotate(MixedClassicNativeText(group.metric));
      return;
    }
    if (native != nullptr) {
      rows_.SetFloat(row, i, Native(*native, i, k, group));
    } else if (!step_buckets_.empty()) {
      rows_.SetFloat(row, i, Classic(&step_buckets_, i, k, group));
    }
  }

  std::vector<HistogramGroup> groups_;
  absl::flat_hash_map<std::string, size_t> index_;  // by encoded labels
  std::string key_;
  std::vector<Member> members_;  // of each input series
  Batch rows_;
  std::vector<ClassicBucket> step_buckets_;
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
        if (!bad) continue;
        const Expr& argument = *call_.children[first_argument_ + k];
        state_->annotations.Add(InvalidQuantileText(q), ArgumentPosition(argument), call_.pos);
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
    if (result.forced_monotonicity) {
      const int64_t t = steps_.Time(static_cast<int>(step));
      state_->annotations.Add(
          {ForcedMonotonicityText(group.metric), ArgumentPosition(vector_expr_), call_.pos,
           FallingBuckets{result.min_bucket, result.max_bucket, result.max_diff, t, t, 1}});
    }
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
