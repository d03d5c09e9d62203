#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/strings.h"
#include "promql/functions/call.h"
#include "promql/passes/passes.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

// The selector of rate(x[5m]) and the like, functions of a range and nothing else; nullptr: `call` is not
// one.
const Expr* RangeSelector(const Expr& call) {
  if (call.children.size() != 1) return nullptr;
  const FunctionImpl* function = FindFunctionImpl(call.function->name);
  if (function == nullptr || function->range == nullptr) return nullptr;
  const Expr& matrix = *call.children[0];
  if (matrix.kind != ExprKind::kMatrixSelector) return nullptr;
  const Expr& selector = *matrix.children[0];
  return selector.smoothed || selector.anchored ? nullptr : &selector;
}

// Equal for selectors that read the same samples at the same steps, and for equal functions of such.
std::string KeyOf(const Expr& e) {
  if (e.kind == ExprKind::kCall) {
    return StrCat(e.function->name, " ", e.children[0]->range_ms, " ", KeyOf(*RangeSelector(e)));
  }
  const Expr& selector = e;
  std::vector<std::string> parts;
  for (const Matcher& matcher : selector.matchers) parts.push_back(matcher.ToString());
  std::sort(parts.begin(), parts.end());
  std::string key = StrCat(static_cast<int>(selector.at), " ", selector.at_ms, " ", selector.offset_ms);
  const auto append = [&key](const std::string& part) { StrAppend(&key, "\n", part.size(), " ", part); };
  for (const std::string& part : parts) append(part);
  if (selector.needed_labels) {
    key += "\nlabels";
    std::vector<std::string> names = *selector.needed_labels;
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) append(name);
  }
  return key;
}

class Sharing {
 public:
  // The selectors and calls of a part of the tree whose steps are the same everywhere.
  void Visit(Expr* e) {
    std::vector<Expr*> part;
    Collect(e, &part);
    if (part.size() < 2) return;  // as most queries have it
    std::map<std::string, std::vector<Expr*>> by_key;
    for (Expr* one : part) by_key[KeyOf(*one)].push_back(one);
    for (auto& [key, equal] : by_key) {
      if (equal.size() < 2) continue;
      ++number_;
      for (Expr* one : equal) one->shared_read = number_;
    }
  }

 private:
  void Collect(Expr* e, std::vector<Expr*>* part) {
    switch (e->kind) {
      case ExprKind::kVectorSelector:
        if (!e->smoothed && !e->anchored) part->push_back(e);
        return;
      case ExprKind::kMatrixSelector:
        return;
      case ExprKind::kSubquery:
      case ExprKind::kStepInvariant:
        return Visit(e->children[0].get());
      case ExprKind::kCall:
        if (RangeSelector(*e) != nullptr) return part->push_back(e);
        [[fallthrough]];
      default:
        for (ExprPtr& child : e->children) Collect(child.get(), part);
    }
  }

  int number_ = 0;
};

}  // namespace

void ShareSelectors(ExprPtr* expr) { Sharing().Visit(expr->get()); }

}  // namespace narthex::promql
