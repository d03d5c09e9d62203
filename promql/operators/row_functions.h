// Range functions over a whole row of floats at once, for all steps.
#pragma once

#include <memory>
#include <string_view>

#include "promql/operator.h"
#include "promql/operators/row_windows.h"

namespace narthex::promql {

// Gives what the function of the same name in promql/functions/ gives window by window. Used by one thread.
class RowFunction {
 public:
  virtual ~RowFunction() = default;
  // The rows that follow have these windows; they stay as they are until the next call.
  virtual void SetWindows(const RowWindows& windows) { windows_ = &windows; }
  // `v` holds no stale markers and is as long as the times of the windows. Cells and values of all steps are
  // written.
  virtual void Fill(const double* v, Batch::Cell* cells, double* out) = 0;

 protected:
  const RowWindows* windows_ = nullptr;
};

// nullptr if there is none for this function.
std::unique_ptr<RowFunction> NewRowFunction(std::string_view name);

}  // namespace narthex::promql
