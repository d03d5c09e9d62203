// Which expressions a device can compute.
#pragma once

#include <optional>

#include "promql/device.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// aggregation(function(selector[range])).
struct DeviceExpr {
  const Expr* aggregate = nullptr;
  const Expr* call = nullptr;
  const Expr* matrix = nullptr;
  const Expr* selector = nullptr;
  DeviceFunction function = kDeviceRate;
  DeviceAggregation aggregation = kDeviceGroupSum;
  uint32_t k = 0;
};

// nullopt if the expression is for the CPU, whatever the data. `aggregate` is of kind kAggregate.
std::optional<DeviceExpr> ForDevice(const Expr& aggregate);

// `e` without parentheses.
const Expr& WithoutParens(const Expr& e);

}  // namespace narthex::promql
