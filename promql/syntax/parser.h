// Text to syntax tree. Errors are upstream's, word for word: "1:5: parse error: unexpected ...".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/histogram.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

struct ParserOptions {
  bool experimental_functions = false;
  bool duration_expressions = true;
  bool extended_range_selectors = false;  // anchored, smoothed
  bool fill_modifiers = false;
  int max_depth = 500;
};

struct ParseError {
  PositionRange pos;
  std::string message;  // without position
};

// Parses and type-checks. The status is InvalidArgument with the first error's full text; *errors (may be
// null) gets all of them.
absl::StatusOr<ExprPtr> ParseExpr(std::string_view query, const ParserOptions& options,
                                  std::vector<ParseError>* errors = nullptr);
// A metric selector alone (match[] parameters): `up{job="x"}`. One that selects everything, `{}`, is fine
// here.
absl::StatusOr<Matchers> ParseMetricSelector(std::string_view text);
// A metric with labels only (test scripts, `{a="b"}` too); equality matchers.
absl::StatusOr<Labels> ParseMetric(std::string_view text);

// The series description of test scripts: labels and points; a point is missing, a float or a histogram.
struct SequencePoint {
  bool missing = false;
  double v = 0;
  HistogramPtr h;
};
struct SeriesDescription {
  Labels labels;
  std::vector<SequencePoint> points;
};
absl::StatusOr<SeriesDescription> ParseSeriesDescription(std::string_view text);

// "line:column" (1-based, columns in bytes) of an offset in the query.
std::string PositionText(std::string_view query, int offset);

}  // namespace narthex::promql
