// Arithmetic of two cells: floats, histograms, and both.
#include <cmath>

#include "promql/functions/annotation_texts.h"
#include "promql/operators/maps.h"
#include "promql/operators/scalars.h"

namespace narthex::promql {
namespace {

const char* KindName(const BinaryCell& cell) {
  return cell.kind == Batch::kHistogram ? "histogram" : "float";
}

Applied Incompatible(const Expr& binary, const BinaryCell& left, const BinaryCell& right,
                     Annotations* annotations) {
  annotations->Add(IncompatibleTypesText(KindName(left), OpName(binary.op), KindName(right)), binary.pos);
  return Applied::kImpossible;
}

Applied KeepHistogram(FloatHistogram h, BinaryCell* out) {
  h.Compact();
  *out = {Batch::kHistogram, 0, std::make_shared<const FloatHistogram>(std::move(h))};
  return Applied::kValue;
}

// Histogram with a float on the right.
Applied HistogramFloat(const Expr& binary, const BinaryCell& left, const BinaryCell& right,
                       Annotations* annotations, BinaryCell* out) {
  FloatHistogram h = *left.h;
  switch (binary.op) {
    case Op::kMul:
      h.Scale(right.v);
      break;
    case Op::kDiv:
      h.Divide(right.v);
      break;
    case Op::kTrimUpper:
      return KeepHistogram(h.TrimUpper(right.v), out);
    case Op::kTrimLower:
      return KeepHistogram(h.TrimLower(right.v), out);
    default:
      return Incompatible(binary, left, right, annotations);
  }
  *out = {Batch::kHistogram, 0, std::make_shared<const FloatHistogram>(std::move(h))};
  return Applied::kValue;
}

Applied HistogramHistogram(const Expr& binary, const BinaryCell& left, const BinaryCell& right,
                           Annotations* annotations, BinaryCell* out) {
  if (binary.op == Op::kEql || binary.op == Op::kNeq) {
    FloatHistogram a = *left.h, b = *right.h;
    a.Compact();
    b.Compact();
    bool keep = a.Equals(b) == (binary.op == Op::kEql);
    *out = binary.return_bool ? BinaryCell{Batch::kFloat, keep ? 1.0 : 0.0, nullptr} : left;
    return keep || binary.return_bool ? Applied::kValue : Applied::kFiltered;
  }
  if (binary.op != Op::kAdd && binary.op != Op::kSub) return Incompatible(binary, left, right, annotations);
  FloatHistogram sum = *left.h;
  bool collision = false, reconciled = false, subtract = binary.op == Op::kSub;
  if (!sum.Add(*right.h, &collision, &reconciled, subtract).ok()) {
    annotations->Add(IncompatibleBucketLayoutText(OpName(binary.op)), binary.pos);
    return Applied::kImpossible;
  }
  const char* word = subtract ? "subtraction" : "addition";
  if (collision) {  // as upstream: there is a warning in place of a result
    annotations->Add(ResetCollisionText(word), binary.pos);
    return Applied::kImpossible;
  }
  if (reconciled) annotations->Add(CustomBucketsReconciledText(word), binary.pos);
  if (subtract) sum.hint = CounterResetHint::kGauge;  // a difference may go either way
  return KeepHistogram(std::move(sum), out);
}

}  // namespace

bool IsArithmetic(Op op) {
  return op == Op::kAdd || op == Op::kSub || op == Op::kMul || op == Op::kDiv || op == Op::kMod ||
         op == Op::kPow || op == Op::kAtan2;
}

bool DropsName(const Expr& binary) { return IsArithmetic(binary.op) || binary.return_bool; }

BinaryCell CellOf(const Batch& batch, size_t row, size_t step) {
  BinaryCell out;
  out.kind = batch.cells(row)[step];
  if (out.kind == Batch::kFloat) out.v = batch.values(row)[step];
  if (out.kind == Batch::kHistogram) out.h = batch.histogram(row, step);
  return out;
}

void StoreCell(const BinaryCell& cell, size_t row, size_t step, Batch* batch) {
  if (cell.kind == Batch::kHistogram) {
    batch->SetHistogram(row, step, cell.h);
  } else {
    batch->SetFloat(row, step, cell.v);
  }
}

Applied ApplyBinary(const Expr& binary, const BinaryCell& left, const BinaryCell& right,
                    Annotations* annotations, BinaryCell* out) {
  bool left_histogram = left.kind == Batch::kHistogram, right_histogram = right.kind == Batch::kHistogram;
  if (left_histogram && right_histogram) return HistogramHistogram(binary, left, right, annotations, out);
  if (left_histogram) return HistogramFloat(binary, left, right, annotations, out);
  if (right_histogram) {
    if (binary.op != Op::kMul) return Incompatible(binary, left, right, annotations);
    FloatHistogram h = *right.h;
    h.Scale(left.v);
    *out = {Batch::kHistogram, 0, std::make_shared<const FloatHistogram>(std::move(h))};
    return Applied::kValue;
  }
  if (binary.op == Op::kTrimUpper || binary.op == Op::kTrimLower)
    return Incompatible(binary, left, right, annotations);
  double v = FloatOp(binary.op, left.v, right.v);
  if (!IsComparison(binary.op) || binary.return_bool) {
    *out = {Batch::kFloat, v, nullptr};
    return Applied::kValue;
  }
  *out = left;
  return v != 0 ? Applied::kValue : Applied::kFiltered;
}

}  // namespace narthex::promql
