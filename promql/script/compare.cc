#include "promql/script/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/go_format.h"
#include "base/regex.h"
#include "base/strings.h"

namespace narthex::promql::script {
namespace {

bool AlmostEqual(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return script::AlmostEqual(x, y); });
}

std::string PointsText(const ResultSeries& series) {
  std::string out;
  for (const FloatPoint& p : series.floats) StrAppend(&out, " ", FormatFloatG(p.v), "@", p.t);
  for (const HistogramPoint& p : series.histograms) StrAppend(&out, " ", p.h->TestExpression(), "@", p.t);
  return out;
}

// The points that a description expects, at start + i * step.
ResultSeries Expected(const SeriesDescription& description, int64_t start_ms, int64_t step_ms) {
  ResultSeries out;
  out.labels = description.labels;
  for (size_t i = 0; i < description.points.size(); ++i) {
    const SequencePoint& point = description.points[i];
    int64_t t = start_ms + static_cast<int64_t>(i) * step_ms;
    if (point.missing) continue;
    if (point.h) {
      out.histograms.push_back({t, point.h});
    } else {
      out.floats.push_back({t, point.v});
    }
  }
  return out;
}

std::string ComparePoints(const ResultSeries& expected, const ResultSeries& actual) {
  auto floats_equal = [](const FloatPoint& a, const FloatPoint& b) {
    return a.t == b.t && script::AlmostEqual(a.v, b.v);
  };
  auto histograms_equal = [](const HistogramPoint& a, const HistogramPoint& b) {
    return a.t == b.t && script::AlmostEqual(*a.h, *b.h);
  };
  if (std::equal(expected.floats.begin(), expected.floats.end(), actual.floats.begin(), actual.floats.end(),
                 floats_equal) &&
      std::equal(expected.histograms.begin(), expected.histograms.end(), actual.histograms.begin(),
                 actual.histograms.end(), histograms_equal)) {
    return "";
  }
  return StrCat("series ", actual.labels.ToString(), ": expected", PointsText(expected), ", got",
                PointsText(actual));
}

std::string CompareSeries(const EvalCommand& eval, const std::vector<ResultSeries>& actual) {
  std::vector<bool> seen(eval.series.size(), false);
  for (size_t i = 0; i < actual.size(); ++i) {
    auto expected = std::find_if(eval.series.begin(), eval.series.end(),
                                 [&](const SeriesDescription& d) { return d.labels == actual[i].labels; });
    if (expected == eval.series.end()) {
      return StrCat("unexpected series ", actual[i].labels.ToString(), PointsText(actual[i]));
    }
    size_t at = static_cast<size_t>(expected - eval.series.begin());
    if (seen[at]) return StrCat("series ", actual[i].labels.ToString(), " came twice");
    seen[at] = true;
    if (eval.ordered && at != i) {
      return StrCat("expected series ", actual[i].labels.ToString(), " at place ", at + 1, ", got it at ",
                    i + 1);
    }
    std::string wrong =
        ComparePoints(Expected(*expected, eval.points_start_ms, eval.points_step_ms), actual[i]);
    if (!wrong.empty()) return wrong;
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    ResultSeries expected = Expected(eval.series[i], eval.points_start_ms, eval.points_step_ms);
    if (!seen[i] && !(expected.floats.empty() && expected.histograms.empty())) {
      return StrCat("missing series ", eval.series[i].labels.ToString(), PointsText(expected));
    }
  }
  return "";
}

std::string CompareScalar(double expected, double actual) {
  if (script::AlmostEqual(expected, actual)) return "";
  return StrCat("expected scalar ", FormatFloatG(expected), ", got ", FormatFloatG(actual));
}

bool Matches(const Expectation& expectation, const std::string& text) {
  if (expectation.mode == Expectation::kAny) return true;
  if (expectation.mode == Expectation::kEquals) return text == expectation.text;
  absl::StatusOr<Regex> regex = Regex::CompileUnanchored(expectation.text);
  return regex.ok() && regex->Matches(text);
}

std::string CompareTexts(const EvalCommand& eval, Expectation::Kind kind, bool none, std::string_view what,
                         const std::vector<std::string>& texts) {
  if (none && !texts.empty()) return StrCat("expected no ", what, ", got: ", texts[0]);
  if (!eval.Expects(kind)) return "";
  for (const Expectation& e : eval.expectations) {
    if (e.kind != kind) continue;
    if (std::none_of(texts.begin(), texts.end(), [&](const std::string& t) { return Matches(e, t); })) {
      return StrCat("expected ", what, " '", e.text, "', got ", texts.empty() ? "none" : texts[0]);
    }
  }
  for (const std::string& text : texts) {
    if (std::none_of(eval.expectations.begin(), eval.expectations.end(),
                     [&](const Expectation& e) { return e.kind == kind && Matches(e, text); })) {
      return StrCat("unexpected ", what, ": ", text);
    }
  }
  return "";
}

}  // namespace

bool AlmostEqual(double a, double b) {
  if (IsStale(a) || IsStale(b)) return IsStale(a) && IsStale(b);
  if ((std::isnan(a) && std::isnan(b)) || a == b) return true;
  constexpr double kEpsilon = 1e-6, kSmallest = std::numeric_limits<double>::min();
  double sum = std::fabs(a) + std::fabs(b), difference = std::fabs(a - b);
  if (a == 0 || b == 0 || sum < kSmallest) return difference < kEpsilon * kSmallest;
  return difference / std::min(sum, std::numeric_limits<double>::max()) < kEpsilon;
}

bool AlmostEqual(const FloatHistogram& expected, const FloatHistogram& actual) {
  FloatHistogram a = expected, b = actual;
  a.Compact();
  b.Compact();
  return a.schema == b.schema && AlmostEqual(a.count, b.count) && AlmostEqual(a.sum, b.sum) &&
         AlmostEqual(a.zero_count, b.zero_count) && a.zero_threshold == b.zero_threshold &&
         a.positive_spans == b.positive_spans && a.negative_spans == b.negative_spans &&
         AlmostEqual(a.positive_buckets, b.positive_buckets) &&
         AlmostEqual(a.negative_buckets, b.negative_buckets) && a.custom_values == b.custom_values &&
         (a.hint == CounterResetHint::kUnknown || a.hint == b.hint);
}

std::string CompareResult(const EvalCommand& eval, const Result& result) {
  if (eval.string) {
    if (result.type != ValueType::kString) return "expected a string";
    return *eval.string == result.string ? "" : StrCat("expected ", *eval.string, ", got ", result.string);
  }
  if (result.type == ValueType::kString) return StrCat("unexpected string ", GoQuote(result.string));
  if (result.type == ValueType::kScalar) {
    if (!eval.scalar) return StrCat("unexpected scalar ", FormatFloatG(result.scalar.v));
    return CompareScalar(*eval.scalar, result.scalar.v);
  }
  if (eval.scalar && !eval.range_query) return "expected a scalar";
  if (!eval.range_query && eval.range_vector != (result.type == ValueType::kMatrix)) {
    return eval.range_vector ? "expected a range vector" : "unexpected range vector";
  }
  if (eval.range_query &&
      !std::is_sorted(result.series.begin(), result.series.end(),
                      [](const ResultSeries& a, const ResultSeries& b) { return a.labels < b.labels; })) {
    return "the series of a range result must be sorted by labels";
  }
  return CompareSeries(eval, result.series);
}

std::string CompareAt(const EvalCommand& eval, const Result& result, int64_t t_ms) {
  std::vector<ResultSeries> at;
  for (const ResultSeries& series : result.series) {
    ResultSeries one;
    one.labels = series.labels;
    // The expectation stands at the eval's own time.
    for (const FloatPoint& p : series.floats) {
      if (p.t == t_ms) one.floats.push_back({eval.points_start_ms, p.v});
    }
    for (const HistogramPoint& p : series.histograms) {
      if (p.t == t_ms) one.histograms.push_back({eval.points_start_ms, p.h});
    }
    if (!one.floats.empty() || !one.histograms.empty()) at.push_back(std::move(one));
  }
  if (!eval.scalar) return CompareSeries(eval, at);
  if (at.size() != 1 || at[0].floats.size() != 1) return "expected a scalar";
  return CompareScalar(*eval.scalar, at[0].floats[0].v);
}

std::string CompareError(const EvalCommand& eval, const absl::Status& status) {
  if (status.ok()) return "expected the query to fail";
  std::string text(status.message());
  for (const Expectation& e : eval.expectations) {
    if (e.kind == Expectation::kFail && !Matches(e, text)) {
      return StrCat("expected error '", e.text, "', got '", text, "'");
    }
  }
  return "";
}

std::string CompareAnnotations(const EvalCommand& eval, const Result& result) {
  std::string wrong = CompareTexts(eval, Expectation::kWarn, eval.no_warn, "warning", result.warnings);
  return wrong.empty() ? CompareTexts(eval, Expectation::kInfo, eval.no_info, "info", result.infos) : wrong;
}

}  // namespace narthex::promql::script
