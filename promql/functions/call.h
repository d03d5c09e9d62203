// What the functions of this folder see of the engine: what a function gets and gives back for one series at
// one step.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

// What an annotation tells of everything that gave it: where classic histograms had falling counts, how much
// they fell at most, and how often that was.
struct FallingBuckets {
  double min_bucket = 0, max_bucket = 0, max_diff = 0;
  int64_t first_ms = 0, last_ms = 0;
  int64_t count = 1;
};

// Texts without position, each once, whoever gives it: as upstream keeps them, the position is that of the
// part of the query that is evaluated last (with falling buckets: first). Not thread-safe.
class Annotations {
 public:
  struct Entry {
    std::string text;
    PositionRange pos;
    PositionRange node;  // of the expression that says it, mostly `pos`
    std::optional<FallingBuckets> falling;
  };
  void Add(std::string text, PositionRange pos) { Add({std::move(text), pos, pos, std::nullopt}); }
  void Add(std::string text, PositionRange pos, PositionRange node) {
    Add({std::move(text), pos, node, std::nullopt});
  }
  void Add(Entry entry);
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
  PositionRange node;               // of the call
  Annotations* annotations = nullptr;
  absl::Status status;  // set by Fail: the query ends

  void Annotate(std::string text) { annotations->Add(std::move(text), pos, node); }
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
  bool keeps_types = false;  // of the labels that go with the name, if that goes at once
};

// nullptr for functions that the engine does itself.
const FunctionImpl* FindFunctionImpl(std::string_view name);

}  // namespace narthex::promql
