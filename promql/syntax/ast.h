// The syntax tree of PromQL. Plain data; made by the parser, checked by type_check, read by plan.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/matcher.h"

namespace narthex::promql {

enum class ValueType { kNone, kScalar, kVector, kMatrix, kString };
const char* ValueTypeName(ValueType type);     // "scalar", "instant vector", "range vector", "string"
const char* ValueTypeDocName(ValueType type);  // "scalar", "vector", "matrix", "string" (JSON)

struct PositionRange {
  int start = 0, end = 0;
};  // byte offsets in the query, end exclusive

enum class ExprKind {
  kNumber,
  kString,
  kVectorSelector,
  kMatrixSelector,
  kSubquery,
  kCall,
  kAggregate,
  kBinary,
  kUnary,
  kParen,
  kStepInvariant,  // wrapper put in by the planner
  kDurationExpr,   // arithmetic on durations inside [...] and offset
};

enum class Op {
  kNone,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEql,
  kNeq,
  kLss,
  kLte,
  kGtr,
  kGte,
  kTrimUpper,  // </
  kTrimLower,  // >/
  kAnd,
  kOr,
  kUnless,
  kStep,
  kRange,
  kMinOf,
  kMaxOf  // only in duration expressions
};
const char* OpName(Op op);
inline bool IsComparison(Op op) { return op >= Op::kEql && op <= Op::kGte; }
inline bool IsSetOp(Op op) { return op == Op::kAnd || op == Op::kOr || op == Op::kUnless; }

enum class Aggregation {
  kSum,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kQuantile,
  kCountValues,
  kLimitk,
  kLimitRatio
};
const char* AggregationName(Aggregation op);

enum class Cardinality { kOneToOne, kManyToOne, kOneToMany, kManyToMany };
struct VectorMatching {
  Cardinality card = Cardinality::kOneToOne;
  std::vector<std::string> labels;
  bool on = false;                   // on(...) rather than ignoring(...)
  std::vector<std::string> include;  // group_left(...)/group_right(...)
  std::optional<double> fill_left, fill_right;
};

enum class AtModifier { kNone, kTimestamp, kStart, kEnd };
struct FunctionSignature;  // promql/syntax/signatures.h

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

// One struct for all kinds: only the fields of its kind are meaningful. (A visitor over a dozen classes would
// be longer than the tree.)
struct Expr {
  ExprKind kind = ExprKind::kNumber;
  PositionRange pos;

  double number = 0;         // kNumber
  bool is_duration = false;  // kNumber written as a duration ("1h")
  std::string text;          // kString: value. kVectorSelector: metric name (may be empty)

  Matchers matchers;  // kVectorSelector, the name's included
  // kVectorSelector, kSubquery (a kMatrixSelector's are in its vector selector = children[0])
  int64_t original_offset_ms = 0;  // as written
  int64_t offset_ms = 0;           // as used by the engine (set by plan; includes @)
  AtModifier at = AtModifier::kNone;
  int64_t at_ms = 0;    // kTimestamp
  ExprPtr offset_expr;  // duration expression of offset, resolved by plan
  bool anchored = false, smoothed = false;
  std::optional<std::vector<std::string>> needed_labels;  // kVectorSelector, if not all (set by plan)
  // kVectorSelector, kCall: equal ones that are worked out together have the same; 0: none (set by plan)
  int shared_read = 0;

  int64_t range_ms = 0;  // kMatrixSelector, kSubquery
  ExprPtr range_expr;    // duration expression, else null
  int64_t step_ms = 0;   // kSubquery; 0 = default
  ExprPtr step_expr;

  Op op = Op::kNone;                       // kBinary, kUnary, kDurationExpr
  bool return_bool = false;                // kBinary
  std::optional<VectorMatching> matching;  // kBinary between vectors
  bool wrapped = false;                    // kDurationExpr in parentheses

  const FunctionSignature* function = nullptr;  // kCall
  Aggregation aggregation = Aggregation::kSum;  // kAggregate
  std::vector<std::string> grouping;
  bool without = false;
  PositionRange operator_pos;  // of a binary operator

  // kMatrixSelector: the selector. kSubquery, kParen, kUnary, kStepInvariant: the inner one. kBinary: left,
  // right. kCall: the arguments. kAggregate: the parameter if any (kTopk, kQuantile, ...) first, then the
  // vector.
  std::vector<ExprPtr> children;

  ExprPtr Clone() const;
};

ValueType TypeOf(const Expr& e);
// The metric name of all series of a vector selector; empty if they may have several.
std::string_view OnlyName(const Expr& selector);
// Where annotations say that an argument is: inside its parentheses; a subquery, as upstream, is nowhere
// (1:1).
PositionRange ArgumentPosition(const Expr& argument);
// Canonical one-line text, as upstream's String().
std::string ToString(const Expr& e);
// upstream's Pretty(); nodes longer than max_chars are split over lines.
std::string Pretty(const Expr& e, int max_chars = 100);
// The JSON of /api/v1/parse_query.
std::string ToJson(const Expr& e);

}  // namespace narthex::promql
