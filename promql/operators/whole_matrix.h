// Base of the operators that must see all their input before they can answer.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/operators/aggregates.h"

namespace narthex::promql {

class WholeMatrixOperator : public Operator {
 public:
  WholeMatrixOperator(std::string text, QueryState* state, Steps steps)
      : state_(state), steps_(steps), held_(state), text_(std::move(text)) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    ASSIGN_OR_RETURN(Matrix matrix, Compute());
    return output_.Start(std::move(matrix));
  }
  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    ASSIGN_OR_RETURN(Matrix matrix, Compute());
    return output_.TakeSeries(std::move(matrix));
  }
  absl::StatusOr<bool> Next(Batch* batch) override { return output_.Next(batch); }
  void Close() override {
    held_.Release();
    for (OperatorPtr& child : children_) child->Close();
  }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), text_, "\n");
    for (const OperatorPtr& child : children_) child->Explain(depth + 1, out);
  }

 protected:
  virtual absl::StatusOr<Matrix> Compute() = 0;
  absl::StatusOr<Matrix> Input(size_t child) {
    return Materialize(children_[child].get(), state_, steps_.count, &held_);
  }
  size_t columns() const { return static_cast<size_t>(steps_.count); }

  QueryState* const state_;
  const Steps steps_;
  HeldSamples held_;
  std::vector<OperatorPtr> children_;

 private:
  const std::string text_;
  MatrixOutput output_;
};

}  // namespace narthex::promql
