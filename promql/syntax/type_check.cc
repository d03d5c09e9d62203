#include "promql/syntax/type_check.h"

#include <algorithm>

#include "base/go_format.h"
#include "base/strings.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

class Checker {
 public:
  Checker(const ParserOptions& options, std::vector<ParseError>* errors)
      : options_(options), errors_(errors) {}

  ValueType Check(Expr* e) {
    switch (e->kind) {
      case ExprKind::kBinary:
        Binary(e);
        break;
      case ExprKind::kCall:
        Call(e);
        break;
      case ExprKind::kAggregate:
        Aggregate(e);
        break;
      case ExprKind::kUnary:
        Unary(e);
        break;
      case ExprKind::kSubquery:
        Subquery(e);
        break;
      case ExprKind::kVectorSelector:
        Selector(e);
        break;
      case ExprKind::kParen:
      case ExprKind::kMatrixSelector:
      case ExprKind::kStepInvariant:
        Check(e->children[0].get());
        break;
      default:
        break;
    }
    return TypeOf(*e);
  }

 private:
  void Fail(PositionRange pos, std::string message) { errors_->push_back({pos, std::move(message)}); }

  void Expect(Expr* e, ValueType wanted, const std::string& context) {
    ValueType got = Check(e);
    if (got == wanted) return;
    Fail(e->pos,
         StrCat("expected type ", ValueTypeName(wanted), " in ", context, ", got ", ValueTypeName(got)));
  }

  void Binary(Expr* e) {
    ValueType left = Check(e->children[0].get()), right = Check(e->children[1].get());
    bool both_scalar = left == ValueType::kScalar && right == ValueType::kScalar;
    if (e->return_bool && !IsComparison(e->op)) {
      Fail(e->operator_pos, "bool modifier can only be used on comparison operators");
    }
    if (IsComparison(e->op) && !e->return_bool && both_scalar) {
      Fail(e->operator_pos, "comparisons between scalars must use BOOL modifier");
    }
    if (IsSetOp(e->op) && !e->matching) e->matching.emplace();
    if (IsSetOp(e->op) && e->matching->card == Cardinality::kOneToOne)
      e->matching->card = Cardinality::kManyToMany;
    if (e->matching && e->matching->on) {
      for (const std::string& label : e->matching->labels) {
        const std::vector<std::string>& include = e->matching->include;
        if (std::find(include.begin(), include.end(), label) != include.end()) {
          Fail(e->operator_pos,
               StrCat("label ", GoQuote(label), " must not occur in ON and GROUP clause at once"));
        }
      }
    }
    for (int side = 0; side < 2; ++side) {
      ValueType type = side == 0 ? left : right;
      if (type != ValueType::kScalar && type != ValueType::kVector) {
        Fail(e->children[static_cast<size_t>(side)]->pos,
             "binary expression must contain only scalar and instant vector types");
      }
    }
    Matching(e, left == ValueType::kVector && right == ValueType::kVector);
    if ((left == ValueType::kScalar || right == ValueType::kScalar) && IsSetOp(e->op)) {
      Fail(e->pos,
           StrCat("set operator ", GoQuote(OpName(e->op)), " not allowed in binary scalar expression"));
    }
    if (left == ValueType::kVector && right == ValueType::kVector && !e->matching) e->matching.emplace();
  }

  void Matching(Expr* e, bool vectors) {
    if (!e->matching) return;
    bool fills = e->matching->fill_left || e->matching->fill_right;
    if (!vectors) {
      if (!e->matching->labels.empty()) Fail(e->pos, "vector matching only allowed between instant vectors");
      if (fills) Fail(e->pos, "filling in missing series only allowed between instant vectors");
      e->matching.reset();
      return;
    }
    if (!IsSetOp(e->op)) return;
    if (e->matching->card == Cardinality::kOneToMany || e->matching->card == Cardinality::kManyToOne) {
      Fail(e->pos, StrCat("no grouping allowed for ", GoQuote(OpName(e->op)), " operation"));
    }
    if (e->matching->card != Cardinality::kManyToMany)
      Fail(e->pos, "set operations must always be many-to-many");
    if (fills) Fail(e->pos, "filling in missing series not allowed for set operators");
  }

  void Call(Expr* e) {
    const FunctionSignature& f = *e->function;
    int declared = static_cast<int>(f.args.size()), given = static_cast<int>(e->children.size());
    std::string call = StrCat(" argument(s) in call to ", GoQuote(f.name), ", got ", given);
    if (f.variadic == 0) {
      if (declared != given) Fail(e->pos, StrCat("expected ", declared, call));
    } else if (declared - 1 > given) {
      Fail(e->pos, StrCat("expected at least ", declared - 1, call));
    } else if (f.variadic > 0 && declared - 1 + f.variadic < given) {
      Fail(e->pos, StrCat("expected at most ", declared - 1 + f.variadic, call));
    }
    if (f.name == "info" && given > 1) {
      if (e->children[1]->kind != ExprKind::kVectorSelector) {
        Fail(e->children[1]->pos, "expected label selectors only");
        return;
      }
      if (!e->children[1]->text.empty()) {
        Fail(e->children[1]->pos, "expected label selectors only, got vector selector instead");
        return;
      }
      info_selector_ = e->children[1].get();
    }
    for (int i = 0; i < given; ++i) {
      int k = i;
      if (k >= declared) {
        if (f.variadic == 0) break;
        k = declared - 1;
      }
      Expect(e->children[static_cast<size_t>(i)].get(), f.args[static_cast<size_t>(k)],
             StrCat("call to function ", GoQuote(f.name)));
    }
  }

  void Aggregate(Expr* e) {
    Expect(e->children.back().get(), ValueType::kVector, "aggregation expression");
    if (e->children.size() < 2) return;
    ValueType wanted = e->aggregation == Aggregation::kCountValues ? ValueType::kString : ValueType::kScalar;
    Expect(e->children[0].get(), wanted, "aggregation parameter");
  }

  void Unary(Expr* e) {
    ValueType type = Check(e->children[0].get());
    if (type != ValueType::kScalar && type != ValueType::kVector) {
      Fail(e->pos,
           StrCat("unary expression only allowed on expressions of type scalar or instant vector, got ",
                  GoQuote(ValueTypeName(type))));
    }
  }

  void Subquery(Expr* e) {
    ValueType type = Check(e->children[0].get());
    if (type != ValueType::kVector) {
      Fail(e->pos,
           StrCat("subquery is only allowed on instant vector, got ", ValueTypeDocName(type), " instead"));
    }
  }

  void Selector(Expr* e) {
    if (!e->text.empty()) {
      for (size_t i = 0; i + 1 < e->matchers.size(); ++i) {
        if (e->matchers[i].name() == kMetricName) {
          Fail(e->pos, StrCat("metric name must not be set twice: ", GoQuote(e->text), " or ",
                              GoQuote(e->matchers[i].value())));
        }
      }
    }
    // info()'s selector may be empty: the metric name is implied.
    if (e == info_selector_) return;
    bool all_empty = std::all_of(e->matchers.begin(), e->matchers.end(),
                                 [](const Matcher& m) { return m.MatchesEmpty(); });
    if (all_empty) Fail(e->pos, "vector selector must contain at least one non-empty matcher");
  }

  const ParserOptions& options_;
  std::vector<ParseError>* errors_;
  const Expr* info_selector_ = nullptr;
};

}  // namespace

void CheckTypes(Expr* expr, const ParserOptions& options, std::vector<ParseError>* errors) {
  Checker(options, errors).Check(expr);
}

}  // namespace narthex::promql
