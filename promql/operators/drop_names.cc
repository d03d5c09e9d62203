#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/operators/maps.h"

namespace narthex::promql {
namespace {

class DropNames : public Operator {
 public:
  DropNames(OperatorPtr child, bool drop, bool keep_types, QueryState* state, Steps steps)
      : child_(std::move(child)),
        drop_(drop),
        keep_types_(keep_types),
        state_(state),
        steps_(steps),
        held_(state) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    ASSIGN_OR_RETURN(std::vector<SeriesMeta> inner, child_->TakeSeries());
    if (drop_ && child_->SeriesDiffer() && StayDifferent(inner)) {
      Strip(&inner);
      series_ = std::move(inner);
      return &series_;
    }
    absl::flat_hash_map<Labels, size_t> seen;
    rows_.reserve(inner.size());
    for (const SeriesMeta& meta : inner) {
      bool drop = drop_ && meta.drop_name;
      Labels labels = !drop         ? meta.labels
                      : keep_types_ ? LabelsBuilder(meta.labels).Del(kMetricName).Build()
                                    : WithoutMetadata(meta.labels);
      auto [it, added] = seen.try_emplace(labels, series_.size());
      if (added) series_.push_back({std::move(labels), !drop_ && meta.drop_name});
      rows_.push_back(it->second);
    }
    merge_ = series_.size() < inner.size();
    if (merge_) RETURN_IF_ERROR(Merge());
    return &series_;
  }
  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    RETURN_IF_ERROR(Series().status());
    return std::move(series_);
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    if (!merge_) return child_->Next(batch);
    size_t count = std::min(kBatchSeries, merged_.series() - at_);
    if (count == 0) return false;
    batch->Reset(count, static_cast<size_t>(steps_.count));
    for (size_t r = 0; r < count; ++r) {
      for (size_t i = 0; i < batch->steps(); ++i) batch->CopyCell(r, i, merged_, at_ + r, i);
    }
    at_ += count;
    return true;
  }

  void Close() override {
    held_.Release();
    child_->Close();
  }
  void Explain(int depth, std::string* out) const override { child_->Explain(depth, out); }
  bool SeriesDiffer() const override { return !may_stay_ || child_->SeriesDiffer(); }
  void LetNamesStay() override { may_stay_ = true; }

 private:
  // Whether series that are different stay so: none loses a name, or all lose the same one.
  static bool StayDifferent(const std::vector<SeriesMeta>& series) {
    if (series.empty()) return true;
    const bool drop = series[0].drop_name;
    const std::optional<std::string_view> name = NamePiece(series[0].labels);
    const Labels* last = nullptr;
    for (const SeriesMeta& meta : series) {
      if (meta.drop_name != drop) return false;
      if (last != nullptr && meta.labels == *last) continue;
      last = &meta.labels;
      if (drop && (!name || NamePiece(meta.labels) != name)) return false;
    }
    return true;
  }

  // The metric name as it stands in front of the encoded labels, empty if there is none. Nothing if it stands
  // elsewhere, or if there are other labels that go with it.
  static std::optional<std::string_view> NamePiece(const Labels& labels) {
    std::string_view piece;
    bool first = true;
    for (auto it = labels.begin(); !(it == labels.end()) && it->name <= kUnitLabel; ++it, first = false) {
      if (it->name == kTypeLabel || it->name == kUnitLabel) return std::nullopt;
      if (it->name != kMetricName) continue;
      if (!first) return std::nullopt;
      piece = it.encoded();
    }
    return piece;
  }

  void Strip(std::vector<SeriesMeta>* series) const {
    if (may_stay_ || series->empty() || !series->front().drop_name) return;
    const size_t name = NamePiece(series->front().labels)->size();
    for (SeriesMeta& meta : *series) {
      if (name > 0) meta.labels.RemoveFront(name);
      meta.drop_name = false;
    }
  }

  // Series that became equal share a row, as long as no step has two values.
  absl::Status Merge() {
    merged_.Reset(series_.size(), static_cast<size_t>(steps_.count));
    size_t next = 0;
    Batch batch;
    while (true) {
      RETURN_IF_ERROR(state_->Check());
      ASSIGN_OR_RETURN(bool more, child_->Next(&batch));
      if (!more) return absl::OkStatus();
      int64_t samples = 0;
      for (size_t r = 0; r < batch.series(); ++r) {
        size_t row = rows_[next++];
        for (size_t i = 0; i < batch.steps(); ++i) {
          if (batch.cells(r)[i] == Batch::kEmpty) continue;
          if (merged_.cells(row)[i] != Batch::kEmpty) {
            return absl::FailedPreconditionError("vector cannot contain metrics with the same labelset");
          }
          merged_.CopyCell(row, i, batch, r, i);
          ++samples;
        }
      }
      RETURN_IF_ERROR(held_.Add(samples));
    }
  }

  OperatorPtr child_;
  const bool drop_;  // else only merge
  const bool keep_types_;
  bool may_stay_ = false;
  QueryState* const state_;
  const Steps steps_;
  std::vector<SeriesMeta> series_;
  std::vector<size_t> rows_;  // of each inner series
  bool merge_ = false;
  Batch merged_;
  HeldSamples held_;
  size_t at_ = 0;
};

}  // namespace

OperatorPtr NewDropNames(OperatorPtr child, QueryState* state, Steps steps, bool keep_types) {
  return std::make_unique<DropNames>(std::move(child), /*drop=*/true, keep_types, state, steps);
}
OperatorPtr NewMergeSeries(OperatorPtr child, QueryState* state, Steps steps) {
  return std::make_unique<DropNames>(std::move(child), /*drop=*/false, /*keep_types=*/false, state, steps);
}

}  // namespace narthex::promql
