#include "promql/operators/maps.h"

#include "promql/operators/scalars.h"

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

// Common part: one child, the same series (changed by Meta), each batch changed in place.
class MapOperator : public Operator {
 public:
  MapOperator(std::string name, OperatorPtr child) : name_(std::move(name)), child_(std::move(child)) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    RETURN_IF_ERROR(Prepare());
    ASSIGN_OR_RETURN(series_, child_->TakeSeries());
    for (SeriesMeta& meta : series_) EditSeries(&meta);
    return &series_;
  }
  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    RETURN_IF_ERROR(Series().status());
    return KeepsSeries() ? series_ : std::move(series_);
  }
  absl::StatusOr<bool> Next(Batch* batch) override {
    ASSIGN_OR_RETURN(bool more, child_->Next(batch));
    if (!more) return false;
    RETURN_IF_ERROR(Change(batch));
    at_ += batch->series();
    return true;
  }
  void Close() override { child_->Close(); }
  bool SeriesDiffer() const override { return child_->SeriesDiffer(); }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), name_, "\n");
    child_->Explain(depth + 1, out);
  }

 protected:
  virtual absl::Status Prepare() { return absl::OkStatus(); }
  virtual void EditSeries(SeriesMeta* meta) const = 0;
  virtual absl::Status Change(Batch* batch) { return absl::OkStatus(); }
  virtual bool KeepsSeries() const { return false; }  // whether Change looks at series_
  std::vector<SeriesMeta> series_;
  size_t at_ = 0;  // first series of the batch

 private:
  const std::string name_;
  OperatorPtr child_;
};

class InstantFunction : public MapOperator {
 public:
  InstantFunction(const Expr& call, const FunctionImpl& function, OperatorPtr child,
                  std::vector<OperatorPtr> scalars, QueryState* state, Steps steps)
      : MapOperator(StrCat("Function ", call.function->name), std::move(child)),
        call_(call),
        function_(function),
        scalars_(std::move(scalars)),
        state_(state),
        steps_(steps) {}

 private:
  absl::Status Prepare() override {
    for (OperatorPtr& scalar : scalars_) {
      ASSIGN_OR_RETURN(std::vector<double> row, ReadScalar(scalar.get(), steps_.count));
      rows_.push_back(std::move(row));
    }
    return absl::OkStatus();
  }
  void EditSeries(SeriesMeta* meta) const override { meta->drop_name = true; }
  bool KeepsSeries() const override { return true; }
  absl::Status Change(Batch* batch) override {
    std::vector<double> scalars(rows_.size());
    CallContext context;
    if (!call_.children.empty()) context.pos = ArgumentPosition(*call_.children[0]);
    context.node = call_.pos;
    context.annotations = &state_->annotations;
    for (size_t r = 0; r < batch->series(); ++r) {
      context.labels = &series_[at_ + r].labels;
      for (size_t i = 0; i < batch->steps(); ++i) {
        BinaryCell in = CellOf(*batch, r, i);
        if (in.kind == Batch::kEmpty) continue;
        for (size_t k = 0; k < scalars.size(); ++k) scalars[k] = rows_[k][i];
        context.scalars = scalars;
        context.time_ms = steps_.Time(static_cast<int>(i));
        Value out;
        bool some = function_.instant({in.v, in.h}, &context, &out);
        RETURN_IF_ERROR(context.status);
        if (!some) {
          batch->Clear(r, i);
        } else if (out.h) {
          batch->SetHistogram(r, i, std::move(out.h));
        } else {
          batch->SetFloat(r, i, out.v);
        }
      }
    }
    return absl::OkStatus();
  }

  const Expr& call_;
  const FunctionImpl& function_;
  std::vector<OperatorPtr> scalars_;
  std::vector<std::vector<double>> rows_;
  QueryState* const state_;
  const Steps steps_;
};

class Negate : public MapOperator {
 public:
  explicit Negate(OperatorPtr child) : MapOperator("Negate", std::move(child)) {}

 private:
  void EditSeries(SeriesMeta* meta) const override { meta->drop_name = true; }
  absl::Status Change(Batch* batch) override {
    for (size_t r = 0; r < batch->series(); ++r) {
      for (size_t i = 0; i < batch->steps(); ++i) {
        BinaryCell cell = CellOf(*batch, r, i);
        if (cell.kind == Batch::kFloat) batch->SetFloat(r, i, -cell.v);
        if (cell.kind == Batch::kHistogram) {
          auto negated = std::make_shared<FloatHistogram>(*cell.h);
          negated->Scale(-1);
          batch->SetHistogram(r, i, std::move(negated));
        }
      }
    }
    return absl::OkStatus();
  }
};

class VectorScalar : public MapOperator {
 public:
  VectorScalar(const Expr& binary, OperatorPtr vector, OperatorPtr scalar, bool swapped, QueryState* state,
               Steps steps)
      : MapOperator(StrCat("VectorScalar ", OpName(binary.op)), std::move(vector)),
        binary_(binary),
        scalar_(std::move(scalar)),
        swapped_(swapped),
        state_(state),
        steps_(steps) {}

 private:
  absl::Status Prepare() override {
    ASSIGN_OR_RETURN(row_, ReadScalar(scalar_.get(), steps_.count));
    return absl::OkStatus();
  }
  void EditSeries(SeriesMeta* meta) const override {
    if (DropsName(binary_)) meta->drop_name = true;
  }
  absl::Status Change(Batch* batch) override {
    bool filter = IsComparison(binary_.op) && !binary_.return_bool;
    const bool trim = binary_.op == Op::kTrimUpper || binary_.op == Op::kTrimLower;  // of histograms
    if (!batch->has_histograms() && !trim) {
      for (size_t r = 0; r < batch->series(); ++r) ChangeFloats(filter, batch->cells(r), batch->values(r));
      return absl::OkStatus();
    }
    for (size_t r = 0; r < batch->series(); ++r) {
      for (size_t i = 0; i < batch->steps(); ++i) {
        BinaryCell vector = CellOf(*batch, r, i);
        if (vector.kind == Batch::kEmpty) continue;
        BinaryCell scalar{Batch::kFloat, row_[i], nullptr}, out;
        const Applied applied = ApplyBinary(binary_, swapped_ ? scalar : vector, swapped_ ? vector : scalar,
                                            &state_->annotations, &out);
        if (applied != Applied::kValue) {
          batch->Clear(r, i);
        } else if (!filter) {
          StoreCell(out, r, i, batch);  // a filter keeps the vector's value, whichever side it stands on
        }
      }
    }
    return absl::OkStatus();
  }

  void ChangeFloats(bool filter, Batch::Cell* cells, double* values) const {
    for (size_t i = 0; i < row_.size(); ++i) {
      if (cells[i] == Batch::kEmpty) continue;
      const double v =
          swapped_ ? FloatOp(binary_.op, row_[i], values[i]) : FloatOp(binary_.op, values[i], row_[i]);
      if (!filter) {
        values[i] = v;
      } else if (v == 0) {
        cells[i] = Batch::kEmpty;
      }
    }
  }

  const Expr& binary_;
  OperatorPtr scalar_;
  const bool swapped_;
  QueryState* const state_;
  const Steps steps_;
  std::vector<double> row_;
};

class LabelEdit : public MapOperator {
 public:
  LabelEdit(std::string text, OperatorPtr child, std::function<SeriesMeta(const SeriesMeta&)> edit)
      : MapOperator(std::move(text), std::move(child)), edit_(std::move(edit)) {}

  bool SeriesDiffer() const override { return false; }  // not once they are edited

 private:
  void EditSeries(SeriesMeta* meta) const override { *meta = edit_(*meta); }
  const std::function<SeriesMeta(const SeriesMeta&)> edit_;
};

class StepInvariant : public Operator {
 public:
  StepInvariant(OperatorPtr child, Steps steps, const SampleCounts* inner, SampleCounts* outer)
      : child_(std::move(child)), steps_(steps), inner_(inner), outer_(outer) {}
  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override { return child_->Series(); }
  absl::StatusOr<bool> Next(Batch* batch) override {
    ASSIGN_OR_RETURN(bool more, child_->Next(&one_));
    if (!more) return false;
    batch->Reset(one_.series(), static_cast<size_t>(steps_.count));
    for (size_t r = 0; r < one_.series(); ++r) {
      for (size_t i = 0; i < batch->steps(); ++i) batch->CopyCell(r, i, one_, r, 0);
    }
    return true;
  }
  void Close() override {
    child_->Close();
    for (int i = 0; i < steps_.count && !counted_; ++i) outer_->Add(static_cast<size_t>(i), inner_->total);
    counted_ = true;
  }
  bool SeriesDiffer() const override { return child_->SeriesDiffer(); }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "StepInvariant\n");
    child_->Explain(depth + 1, out);
  }

 private:
  OperatorPtr child_;
  const Steps steps_;
  const SampleCounts* const inner_;
  SampleCounts* const outer_;
  bool counted_ = false;
  Batch one_;
};

}  // namespace

OperatorPtr NewInstantFunction(const Expr& call, const FunctionImpl& function, OperatorPtr child,
                               std::vector<OperatorPtr> scalars, QueryState* state, Steps steps) {
  return std::make_unique<InstantFunction>(call, function, std::move(child), std::move(scalars), state,
                                           steps);
}
OperatorPtr NewNegate(OperatorPtr child, Steps steps) { return std::make_unique<Negate>(std::move(child)); }
OperatorPtr NewVectorScalar(const Expr& binary, OperatorPtr vector, OperatorPtr scalar, bool swapped,
                            QueryState* state, Steps steps) {
  return std::make_unique<VectorScalar>(binary, std::move(vector), std::move(scalar), swapped, state, steps);
}
OperatorPtr NewLabelEdit(std::string text, OperatorPtr child,
                         std::function<SeriesMeta(const SeriesMeta&)> edit) {
  return std::make_unique<LabelEdit>(std::move(text), std::move(child), std::move(edit));
}
OperatorPtr NewStepInvariant(OperatorPtr child, Steps steps, const SampleCounts* inner, SampleCounts* outer) {
  return std::make_unique<StepInvariant>(std::move(child), steps, inner, outer);
}

}  // namespace narthex::promql
