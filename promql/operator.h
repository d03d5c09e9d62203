// CONTRACT of the operators: how the parts of a running query talk to each other.
//
// Call order: Series() or TakeSeries() once, then Next() until it answers false, then Close(). Close() may be
// called at any time and more than once; nothing else may follow it. An operator owns its children and closes
// them.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/histogram.h"
#include "model/labels.h"

namespace narthex::promql {

// The evaluation times of a query or subquery: start, start+step ... (count of them). step_ms is 0 for one
// step.
struct Steps {
  int64_t start_ms = 0, end_ms = 0, step_ms = 0;
  int count = 1;
  int64_t Time(int i) const { return start_ms + step_ms * i; }
};

struct SeriesMeta {
  Labels labels;
  bool drop_name = false;  // the name goes at the end of the query (delayed name removal)
};

// Which output group each of some series belongs to.
struct Groups {
  std::vector<SeriesMeta> series;  // one a group, in order of first appearance
  std::vector<size_t> of;          // group of each input series
};

// How many series a batch holds at most.
inline constexpr size_t kBatchSeries = 64;

// Rows of consecutive series, dense over all steps. A cell is empty, a float or a histogram.
class Batch {
 public:
  enum Cell : uint8_t { kEmpty = 0, kFloat = 1, kHistogram = 2 };

  void Reset(size_t series, size_t steps) {
    series_ = series;
    steps_ = steps;
    cells_.assign(series * steps, kEmpty);
    values_.resize(series * steps);
    histograms_.clear();
  }
  // Adds empty rows; what is there stays.
  void Grow(size_t series) {
    series_ = series;
    cells_.resize(series * steps_, kEmpty);
    values_.resize(series * steps_);
    if (!histograms_.empty()) histograms_.resize(series * steps_);
  }
  size_t series() const { return series_; }
  size_t steps() const { return steps_; }
  Cell* cells(size_t row) { return reinterpret_cast<Cell*>(cells_.data() + row * steps_); }
  const Cell* cells(size_t row) const { return reinterpret_cast<const Cell*>(cells_.data() + row * steps_); }
  double* values(size_t row) { return values_.data() + row * steps_; }
  const double* values(size_t row) const { return values_.data() + row * steps_; }

  bool has_histograms() const { return !histograms_.empty(); }
  const HistogramPtr& histogram(size_t row, size_t step) const { return histograms_[row * steps_ + step]; }
  void SetFloat(size_t row, size_t step, double v) {
    cells(row)[step] = kFloat;
    values(row)[step] = v;
  }
  void SetHistogram(size_t row, size_t step, HistogramPtr h) {
    if (histograms_.empty()) histograms_.resize(series_ * steps_);
    cells(row)[step] = kHistogram;
    histograms_[row * steps_ + step] = std::move(h);
  }
  void Clear(size_t row, size_t step) { cells(row)[step] = kEmpty; }
  // Copies a row of another batch that has as many steps.
  void CopyRow(size_t row, const Batch& from, size_t from_row) {
    if (steps_ == 0) return;  // a subquery may have no step at all
    std::memcpy(cells(row), from.cells(from_row), steps_);
    std::memcpy(values(row), from.values(from_row), steps_ * sizeof(double));
    if (!from.has_histograms()) return;
    for (size_t i = 0; i < steps_; ++i) {
      if (cells(row)[i] == kHistogram) SetHistogram(row, i, from.histogram(from_row, i));
    }
  }
  // Copies one cell of another batch.
  void CopyCell(size_t row, size_t step, const Batch& from, size_t from_row, size_t from_step) {
    Cell cell = from.cells(from_row)[from_step];
    if (cell == kFloat) SetFloat(row, step, from.values(from_row)[from_step]);
    if (cell == kHistogram) SetHistogram(row, step, from.histogram(from_row, from_step));
    if (cell == kEmpty) Clear(row, step);
  }

 private:
  size_t series_ = 0, steps_ = 0;
  std::vector<uint8_t> cells_;
  std::vector<double> values_;
  std::vector<HistogramPtr> histograms_;
};

// One node of the plan. Scalars are operators too: one series without labels. Used by one thread at a time.
class Operator {
 public:
  virtual ~Operator() = default;
  // The series that will come, in the order in which Next() delivers them. Valid until Close().
  virtual absl::StatusOr<const std::vector<SeriesMeta>*> Series() = 0;
  // The same in the place of Series(), for who keeps the list or changes it.
  virtual absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() {
    absl::StatusOr<const std::vector<SeriesMeta>*> series = Series();
    if (!series.ok()) return series.status();
    return **series;
  }
  // In the place of Series(), for who looks at groups of series with equal labels only. False: there are no
  // groups at hand, and Series() is still to be called.
  virtual absl::StatusOr<bool> TakeGroups(Groups* groups) { return false; }
  // The next at most kBatchSeries series; false after the last.
  virtual absl::StatusOr<bool> Next(Batch* batch) = 0;
  virtual void Close() = 0;
  // Whether it is known before that all series will have different labels.
  virtual bool SeriesDiffer() const { return false; }
  // Says, before Series(), that nobody looks at the metric names: those that are to be dropped here may stay
  // where they are, unless series would be merged without them.
  virtual void LetNamesStay() {}
  // What it does, in one line, then its children.
  virtual void Explain(int depth, std::string* out) const = 0;
};

using OperatorPtr = std::unique_ptr<Operator>;

}  // namespace narthex::promql
