#include "promql/operators/device_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

constexpr auto kFunctions = std::to_array<std::pair<std::string_view, DeviceFunction>>({
    {"rate", kDeviceRate},
    {"increase", kDeviceIncrease},
    {"delta", kDeviceDelta},
    {"irate", kDeviceIrate},
    {"idelta", kDeviceIdelta},
    {"first_over_time", kDeviceFirst},
    {"last_over_time", kDeviceLast},
    {"count_over_time", kDeviceCount},
    {"present_over_time", kDevicePresent},
    {"resets", kDeviceResets},
    {"changes", kDeviceChanges},
    {"sum_over_time", kDeviceSum},
    {"avg_over_time", kDeviceAvg},
    {"min_over_time", kDeviceMin},
    {"max_over_time", kDeviceMax},
    {"stddev_over_time", kDeviceStddev},
    {"stdvar_over_time", kDeviceStdvar},
});

// More than that is slower on the device than sorting.
constexpr double kMostRanked = 32;

std::optional<DeviceAggregation> AggregationOf(Aggregation a) {
  switch (a) {
    case Aggregation::kSum:
      return kDeviceGroupSum;
    case Aggregation::kAvg:
      return kDeviceGroupAvg;
    case Aggregation::kMin:
      return kDeviceGroupMin;
    case Aggregation::kMax:
      return kDeviceGroupMax;
    case Aggregation::kCount:
      return kDeviceGroupCount;
    case Aggregation::kGroup:
      return kDeviceGroupAny;
    case Aggregation::kStddev:
      return kDeviceGroupStddev;
    case Aggregation::kStdvar:
      return kDeviceGroupStdvar;
    case Aggregation::kTopk:
      return kDeviceGroupTop;
    case Aggregation::kBottomk:
      return kDeviceGroupBottom;
    default:
      return std::nullopt;
  }
}

// With one name for all series, none become equal when it is dropped.
bool HasOneName(const Expr& selector) {
  return std::any_of(selector.matchers.begin(), selector.matchers.end(), [](const Matcher& m) {
    return m.name() == kMetricName && m.op() == MatchOp::kEqual && !m.value().empty();
  });
}

// Without labels that the function takes away or leaves depending on flags.
bool GroupsByPlainLabels(const Expr& e) {
  return std::none_of(e.grouping.begin(), e.grouping.end(),
                      [](const std::string& name) { return name.starts_with("__"); });
}

}  // namespace

const Expr& WithoutParens(const Expr& expr) {
  const Expr* e = &expr;
  while (e->kind == ExprKind::kParen) e = e->children[0].get();
  return *e;
}

std::optional<DeviceExpr> ForDevice(const Expr& aggregate) {
  const std::optional<DeviceAggregation> aggregation = AggregationOf(aggregate.aggregation);
  if (!aggregation || !GroupsByPlainLabels(aggregate)) return std::nullopt;
  DeviceExpr out;
  out.aggregate = &aggregate;
  out.aggregation = *aggregation;
  if (*aggregation == kDeviceGroupTop || *aggregation == kDeviceGroupBottom) {
    const Expr& k = WithoutParens(*aggregate.children[0]);
    if (k.kind != ExprKind::kNumber || !(k.number >= 1 && k.number <= kMostRanked)) return std::nullopt;
    out.k = static_cast<uint32_t>(k.number);
  }
  out.call = &WithoutParens(*aggregate.children.back());
  if (out.call->kind != ExprKind::kCall || out.call->children.size() != 1) return std::nullopt;
  const auto function = std::find_if(kFunctions.begin(), kFunctions.end(),
                                     [&](const auto& f) { return f.first == out.call->function->name; });
  if (function == kFunctions.end()) return std::nullopt;
  out.function = function->second;
  out.matrix = &WithoutParens(*out.call->children[0]);
  if (out.matrix->kind != ExprKind::kMatrixSelector || out.matrix->range_ms <= 0) return std::nullopt;
  out.selector = out.matrix->children[0].get();
  if (out.selector->anchored || out.selector->smoothed || !HasOneName(*out.selector)) return std::nullopt;
  return out;
}

}  // namespace narthex::promql
