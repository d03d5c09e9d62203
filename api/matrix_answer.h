// The answer to a query whose result is a matrix, written while the query runs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "api/point_text.h"
#include "api/respond.h"
#include "promql/promql.h"

namespace narthex::api {

// Writes series as they come, so that a large result is held neither as points nor as text. Up to
// kHeldBytes of text wait: a query that fails before is answered with its error as a small one is. Lives on
// the thread of one request.
class MatrixAnswer : public promql::ResultSink {
 public:
  static constexpr size_t kHeldBytes = 1 << 20;

  // Series behind the first `limit` (0 = none) are left out, and a warning says so.
  MatrixAnswer(HttpResponseWriter* out, size_t limit);
  absl::Status Take(const promql::ResultSeries& series) override;
  // After the last series; what may follow in "data" is written through json().
  void EndSeries();
  JsonWriter* json() { return body_.json(); }
  // Ends the answer. Only call it once, after EndSeries().
  absl::Status Finish(std::vector<std::string> warnings, const std::vector<std::string>& infos);

 private:
  absl::Status WriteFloats(const std::vector<FloatPoint>& points);
  absl::Status WriteHistograms(const std::vector<HistogramPoint>& points);

  const size_t limit_;
  size_t taken_ = 0;
  SuccessBody body_;
  PointText point_text_;
};

}  // namespace narthex::api
