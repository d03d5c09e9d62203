// The pretty printer: a node that is longer than the limit is split over lines.
#include "absl/strings/ascii.h"
#include "base/strings.h"
#include "promql/syntax/ast.h"
#include "promql/syntax/print_parts.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

class PrettyPrinter {
 public:
  explicit PrettyPrinter(size_t max_chars) : max_chars_(max_chars) {}

  std::string Print(const Expr& e, int level) const {
    std::string indent(static_cast<size_t>(level) * 2, ' ');
    std::string flat = ToString(e);
    bool fits = flat.size() <= max_chars_;
    switch (e.kind) {
      case ExprKind::kBinary:
        if (fits) return indent + flat;
        return StrCat(Print(*e.children[0], level + 1), "\n", indent, BinaryOperatorText(e), "\n",
                      Print(*e.children[1], level + 1));
      case ExprKind::kParen:
        if (fits) return indent + flat;
        return StrCat(indent, "(\n", Print(*e.children[0], level + 1), "\n", indent, ")");
      case ExprKind::kCall:
        if (fits || e.children.empty()) return indent + flat;
        return StrCat(indent, e.function->name, "(\n", Arguments(e, level + 1), "\n", indent, ")");
      case ExprKind::kAggregate:
        if (fits) return indent + flat;
        return StrCat(indent, AggregateHead(e), "(\n", Arguments(e, level + 1), "\n", indent, ")");
      case ExprKind::kSubquery:
        if (fits) return indent + flat;
        return StrCat(Print(*e.children[0], level), RangeText(e), ModifierText(e));
      case ExprKind::kUnary: {
        std::string inner = Print(*e.children[0], level);
        // A child of the child may be indented more.
        return StrCat(indent, OpName(e.op), absl::StripLeadingAsciiWhitespace(inner));
      }
      case ExprKind::kStepInvariant:
        return Print(*e.children[0], level);
      default:
        return indent + flat;
    }
  }

 private:
  std::string Arguments(const Expr& e, int level) const {
    std::string out;
    for (const ExprPtr& child : e.children) StrAppend(&out, out.empty() ? "" : ",\n", Print(*child, level));
    return out;
  }

  const size_t max_chars_;
};

}  // namespace

std::string Pretty(const Expr& e, int max_chars) {
  return PrettyPrinter(static_cast<size_t>(max_chars)).Print(e, 0);
}

}  // namespace narthex::promql
