// What the functions of this folder see of the engine: what a function gets and gives back for one series at
// one step.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// A float, or a histogram where `h` is set.
struct Value {
  double v = 0;
  HistogramPtr h;
};

// The points of one series in one range, ascending. Borrowed from the engine for the length of the call.
struct Window {
  std::span<const FloatPoint> floats;
  std::span<const HistogramPoint> histograms;
  std::span<const int64_t> float_starts,
      histogram_starts;              // start timestamps, parallel to the points; or empty
  int64_t start_ms = 0, end_ms = 0;  // of the range, offset included
  int64_t range_ms = 0;
  bool anchored = false, smoothed = false;
};

// Texts without position, each once. Not thread-safe.
class Annotations {
 public:
  struct Entry {
    std::string text;
    PositionRange pos;
  };
  void Add(std::string text, PositionRange pos);
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// What a call knows besides its samples.
struct CallContext {
  int64_t time_ms = 0;              // of the step
  std::span<const double> scalars;  // the scalar arguments, in order
  const Labels* labels = nullptr;   // of the series
  PositionRange pos;                // of the first argument: where annotations point to
  Annotations* annotations = nullptr;
  absl::Status status;  // set by Fail: the query ends

  void Annotate(std::string text) { annotations->Add(std::move(text), pos); }
  void Fail(std::string text) { status = absl::FailedPreconditionError(text); }
  std::string_view MetricName() const {
    return labels == nullptr ? std::string_view() : labels->MetricName();
  }
};

// False: no sample at this step.
using RangeFn = bool (*)(const Window& window, CallContext* context, Value* out);
using InstantFn = bool (*)(const Value& in, CallContext* context, Value* out);

// One of the two functions is set.
struct FunctionImpl {
  std::string_view name;
  RangeFn range = nullptr;
  InstantFn instant = nullptr;
  bool keeps_name = false;
};

// nullptr for functions that the engine does itself.
const FunctionImpl* FindFunctionImpl(std::string_view name);

}  // namespace narthex::promql
