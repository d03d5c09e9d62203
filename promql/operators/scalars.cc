#include "promql/operators/scalars.h"

#include <cmath>

#include "base/status_macros.h"
#include "base/strings.h"
#include "model/sample.h"
#include "promql/functions/math_functions.h"

namespace narthex::promql {
namespace {

const std::vector<SeriesMeta>& OneSeries() {
  static const auto* kOne = new std::vector<SeriesMeta>(1);
  return *kOne;
}

// Computes one row in Fill, once.
class ScalarOperator : public Operator {
 public:
  explicit ScalarOperator(Steps steps) : steps_(steps) {}
  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override { return &OneSeries(); }
  absl::StatusOr<bool> Next(Batch* batch) override {
    if (done_) return false;
    done_ = true;
    batch->Reset(1, static_cast<size_t>(steps_.count));
    std::vector<double> row(static_cast<size_t>(steps_.count));
    RETURN_IF_ERROR(Fill(&row));
    for (size_t i = 0; i < row.size(); ++i) batch->SetFloat(0, i, row[i]);
    return true;
  }
  void Close() override {}

 protected:
  virtual absl::Status Fill(std::vector<double>* row) = 0;
  const Steps steps_;

 private:
  bool done_ = false;
};

class FunctionScalar : public ScalarOperator {
 public:
  FunctionScalar(Steps steps, std::string text, std::function<double(int64_t)> value)
      : ScalarOperator(steps), text_(std::move(text)), value_(std::move(value)) {}
  absl::Status Fill(std::vector<double>* row) override {
    for (int i = 0; i < steps_.count; ++i) (*row)[static_cast<size_t>(i)] = value_(steps_.Time(i));
    return absl::OkStatus();
  }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "Scalar ", text_, "\n");
  }

 private:
  const std::string text_;
  const std::function<double(int64_t)> value_;
};

class ScalarOfVector : public ScalarOperator {
 public:
  ScalarOfVector(OperatorPtr child, QueryState* state, Steps steps)
      : ScalarOperator(steps), child_(std::move(child)), state_(state) {}
  absl::Status Fill(std::vector<double>* row) override {
    std::vector<int> seen(row->size(), 0);
    row->assign(row->size(), NormalNan());
    RETURN_IF_ERROR(child_->Series().status());
    Batch batch;
    while (true) {
      RETURN_IF_ERROR(state_->Check());
      ASSIGN_OR_RETURN(bool more, child_->Next(&batch));
      if (!more) break;
      for (size_t r = 0; r < batch.series(); ++r) {
        for (size_t i = 0; i < row->size(); ++i) {
          if (batch.cells(r)[i] != Batch::kFloat) continue;  // histograms do not count
          (*row)[i] = ++seen[i] == 1 ? batch.values(r)[i] : NormalNan();
        }
      }
    }
    child_->Close();
    return absl::OkStatus();
  }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "ScalarOfVector\n");
    child_->Explain(depth + 1, out);
  }

 private:
  OperatorPtr child_;
  QueryState* const state_;
};

class ScalarBinary : public ScalarOperator {
 public:
  ScalarBinary(Op op, OperatorPtr left, OperatorPtr right, Steps steps)
      : ScalarOperator(steps), op_(op), left_(std::move(left)), right_(std::move(right)) {}
  absl::Status Fill(std::vector<double>* row) override {
    ASSIGN_OR_RETURN(std::vector<double> left, ReadScalar(left_.get(), steps_.count));
    ASSIGN_OR_RETURN(std::vector<double> right, ReadScalar(right_.get(), steps_.count));
    for (size_t i = 0; i < row->size(); ++i) (*row)[i] = FloatOp(op_, left[i], right[i]);
    return absl::OkStatus();
  }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "ScalarBinary ", OpName(op_), "\n");
    left_->Explain(depth + 1, out);
    right_->Explain(depth + 1, out);
  }

 private:
  const Op op_;
  OperatorPtr left_, right_;
};

class NegatedScalar : public ScalarOperator {
 public:
  NegatedScalar(OperatorPtr child, Steps steps) : ScalarOperator(steps), child_(std::move(child)) {}
  absl::Status Fill(std::vector<double>* row) override {
    ASSIGN_OR_RETURN(*row, ReadScalar(child_.get(), steps_.count));
    for (double& v : *row) v = -v;
    return absl::OkStatus();
  }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "Negate\n");
    child_->Explain(depth + 1, out);
  }

 private:
  OperatorPtr child_;
};

}  // namespace

OperatorPtr NewScalar(Steps steps, std::string text, std::function<double(int64_t)> value) {
  return std::make_unique<FunctionScalar>(steps, std::move(text), std::move(value));
}
OperatorPtr NewScalarOfVector(OperatorPtr child, QueryState* state, Steps steps) {
  return std::make_unique<ScalarOfVector>(std::move(child), state, steps);
}
OperatorPtr NewScalarBinary(Op op, OperatorPtr left, OperatorPtr right, Steps steps) {
  return std::make_unique<ScalarBinary>(op, std::move(left), std::move(right), steps);
}
OperatorPtr NewNegatedScalar(OperatorPtr child, Steps steps) {
  return std::make_unique<NegatedScalar>(std::move(child), steps);
}

double FloatOp(Op op, double left, double right) {
  switch (op) {
    case Op::kAdd:
      return left + right;
    case Op::kSub:
      return left - right;
    case Op::kMul:
      return left * right;
    case Op::kDiv:
      return left / right;
    case Op::kMod:
      return std::fmod(left, right);
    case Op::kPow:
      return PowOf(left, right);
    case Op::kAtan2:
      return std::atan2(left, right);
    case Op::kEql:
      return left == right ? 1 : 0;
    case Op::kNeq:
      return left != right ? 1 : 0;
    case Op::kLss:
      return left < right ? 1 : 0;
    case Op::kLte:
      return left <= right ? 1 : 0;
    case Op::kGtr:
      return left > right ? 1 : 0;
    case Op::kGte:
      return left >= right ? 1 : 0;
    case Op::kMinOf:
      return MinOf(left, right);
    case Op::kMaxOf:
      return MaxOf(left, right);
    default:
      return NormalNan();
  }
}

}  // namespace narthex::promql
