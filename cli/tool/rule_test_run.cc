#include "cli/tool/rule_test_run.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "absl/strings/ascii.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/tool/rule_test_store.h"
#include "cli/tool/rule_test_text.h"

namespace narthex::cli {
namespace {

struct ComparedSample {
  Labels labels;
  double value = 0;
  std::string histogram;
};

// Go's 'E' format: 1E+00.
std::string ScientificText(double value) {
  if (!std::isfinite(value)) return FormatFloatF(value);
  char text[64];
  std::to_chars_result end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
  return absl::AsciiStrToUpper(absl::string_view(text, static_cast<size_t>(end.ptr - text)));
}

std::string SamplesText(const std::vector<ComparedSample>& samples) {
  if (samples.empty()) return "nil";
  std::string out;
  for (const ComparedSample& sample : samples) {
    StrAppend(&out, out.empty() ? "" : ", ", LabelsText(sample.labels), " ",
              sample.histogram.empty() ? ScientificText(sample.value) : sample.histogram);
  }
  return out;
}

void SortSamples(std::vector<ComparedSample>* samples) {
  std::stable_sort(samples->begin(), samples->end(),
                   [](const auto& a, const auto& b) { return a.labels < b.labels; });
}

// One test at work.
class RuleTestRun {
 public:
  RuleTestRun(const RuleTest& test, const RuleTestFile& file, const RuleTestOptions& options)
      : test_(test), file_(file), options_(options) {}

  std::vector<std::string> Run() {
    absl::StatusOr<std::unique_ptr<RuleTestStore>> store = RuleTestStore::Open(test_, file_, options_);
    if (!store.ok()) {
      Fail(std::string(store.status().message()));
      return std::move(errors_);
    }
    store_ = *std::move(store);
    if (!AlertsAreNamed() || !RunRules()) return std::move(errors_);
    for (const ExprTest& expr : test_.exprs) {
      absl::Status status = CheckExpr(expr);
      if (!status.ok()) {
        Fail(StrCat("    expr: ", GoQuote(expr.expr), ", time: ", FormatDurationMs(expr.eval_time_ms),
                    ", err: ", status.message()));
      }
    }
    if (options_.debug) Dump();
    return std::move(errors_);
  }

 private:
  void Fail(std::string message) { errors_.push_back(std::move(message)); }

  int64_t MaxEvalTime() const {
    int64_t max = 0;
    for (const AlertTest& alert : test_.alerts) max = std::max(max, alert.eval_time_ms);
    for (const ExprTest& expr : test_.exprs) max = std::max(max, expr.eval_time_ms);
    return max;
  }

  bool AlertsAreNamed() {
    for (const AlertTest& alert : test_.alerts) {
      if (!alert.alertname.empty()) continue;
      Fail(StrCat("an item under alert_rule_test misses required attribute alertname at eval_time ",
                  FormatDurationMs(alert.eval_time_ms),
                  test_.name.empty() ? "" : StrCat(" (in TestGroup ", test_.name, ")")));
      return false;
    }
    return true;
  }

  // All evaluations, and the alerts that they give. False: a rule failed.
  bool RunRules() {
    const int64_t end = MaxEvalTime(), interval = file_.evaluation_interval_ms;
    std::vector<const AlertTest*> tests;
    for (const AlertTest& test : test_.alerts) tests.push_back(&test);
    std::stable_sort(tests.begin(), tests.end(),
                     [](const auto* a, const auto* b) { return a->eval_time_ms < b->eval_time_ms; });
    size_t next = 0;
    for (int64_t t = 0; t <= end; t += interval) {
      absl::Status status = store_->EvaluateAt(test_.start_ms + t);
      if (!status.ok()) Fail(std::string(status.message()));
      std::vector<rules::GroupView> groups = store_->Groups();
      bool failed = false;
      for (const rules::GroupView& group : groups) {
        for (const rules::RuleView& rule : group.rules) {
          if (rule.last_error.empty()) continue;
          Fail(StrCat("    rule: ", rule.name, ", time: ", GoDuration(t), ", err: ", rule.last_error));
          failed = true;
        }
      }
      if (failed) return false;
      for (; next < tests.size() && tests[next]->eval_time_ms < t + interval; ++next)
        CheckAlerts(*tests[next], groups);
    }
    return true;
  }

  void CheckAlerts(const AlertTest& test, const std::vector<rules::GroupView>& groups) {
    std::vector<ExpectedAlert> got;
    for (const rules::GroupView& group : groups) {
      for (const rules::RuleView& rule : group.rules) {
        if (!rule.alerting || rule.name != test.alertname) continue;
        for (const rules::Alert& alert : rule.alerts) {
          if (alert.state == rules::AlertState::kFiring) got.push_back({alert.labels, alert.annotations});
        }
      }
    }
    std::sort(got.begin(), got.end());
    if (got == test.alerts) return;
    std::string head =
        StrCat(test_.name.empty() ? "" : StrCat("    name: ", test_.name, ",\n"),
               "    alertname: ", test.alertname, ", time: ", FormatDurationMs(test.eval_time_ms), ", \n");
    const std::string indent(12, ' ');
    if (options_.diff) {
      Fail(StrCat(head, "        diff: ", IndentLines(AlertsDiff(test.alerts, got), indent)));
    } else {
      Fail(StrCat(head, "        exp:", IndentLines(AlertsText(test.alerts), indent),
                  ", \n        got:", IndentLines(AlertsText(got), indent)));
    }
  }

  absl::Status CheckExpr(const ExprTest& test) {
    ASSIGN_OR_RETURN(promql::Result result, store_->Query(test.expr, test_.start_ms + test.eval_time_ms));
    std::vector<ComparedSample> got, expected;
    if (result.type == promql::ValueType::kScalar) {
      got.push_back({Labels(), result.scalar.v, ""});
    } else if (result.type != promql::ValueType::kVector) {
      return absl::InvalidArgumentError("rule result is not a vector or scalar");
    }
    for (const promql::ResultSeries& series : result.series) {
      const bool histogram = series.floats.empty();
      got.push_back({series.labels, histogram ? 0 : series.floats[0].v,
                     histogram ? series.histograms[0].h->TestExpression() : ""});
    }
    for (const RuleTestSample& sample : test.samples) {
      absl::StatusOr<ComparedSample> parsed = Expected(sample);
      if (!parsed.ok())
        return absl::InvalidArgumentError(
            StrCat("labels ", GoQuote(sample.labels), ": ", parsed.status().message()));
      expected.push_back(*std::move(parsed));
    }
    SortSamples(&got);
    SortSamples(&expected);
    if (std::equal(got.begin(), got.end(), expected.begin(), expected.end(),
                   [this](const auto& a, const auto& b) { return Same(a, b); })) {
      return absl::OkStatus();
    }
    Fail(StrCat("    expr: ", GoQuote(test.expr), ", time: ", FormatDurationMs(test.eval_time_ms),
                ",\n        exp: ", SamplesText(expected), "\n        got: ", SamplesText(got)));
    return absl::OkStatus();
  }

  static absl::StatusOr<ComparedSample> Expected(const RuleTestSample& sample) {
    ComparedSample out;
    if (!sample.labels.empty()) {
      ASSIGN_OR_RETURN(out.labels, promql::ParseMetric(sample.labels));
    }
    out.value = sample.value;
    if (sample.histogram.empty()) return out;
    ASSIGN_OR_RETURN(promql::SeriesDescription series,
                     promql::ParseSeriesDescription(StrCat("{} ", sample.histogram)));
    if (series.points.size() != 1)
      return absl::InvalidArgumentError(StrCat("expected 1 value, got ", series.points.size()));
    if (!series.points[0].h) {
      return absl::InvalidArgumentError(
          StrCat("expected histogram, got ",
                 series.points[0].missing ? "_" : FormatFloat(series.points[0].v, 'f', 6)));
    }
    out.histogram = series.points[0].h->TestExpression();
    return out;
  }

  bool Same(const ComparedSample& a, const ComparedSample& b) const {
    if (a.labels != b.labels || a.histogram != b.histogram) return false;
    if (a.value == b.value) return true;
    constexpr double kInf = std::numeric_limits<double>::infinity();
    return file_.fuzzy_compare &&
           (std::nextafter(a.value, -kInf) == b.value || std::nextafter(a.value, kInf) == b.value);
  }

  // Every series with all its samples.
  void Dump() {
    const int64_t end = (MaxEvalTime() / 1000 + 1) * 1000;
    absl::StatusOr<promql::Result> result =
        store_->Query(StrCat("{__name__=~\".+\"}[", FormatDurationMs(end), "]"), test_.start_ms + end);
    if (!result.ok()) return Fail(std::string(result.status().message()));
    std::printf("DEBUG: Dump of all data (input_series and rules) at %s:\n", GoDuration(end).c_str());
    for (const promql::ResultSeries& series : result->series) {
      std::printf("%s =>\n", LabelsText(series.labels).c_str());
      for (const FloatPoint& p : series.floats)
        std::printf("%s @[%lld]\n", FormatFloatF(p.v).c_str(), static_cast<long long>(p.t));
      for (const HistogramPoint& p : series.histograms)
        std::printf("%s @[%lld]\n", p.h->ToString().c_str(), static_cast<long long>(p.t));
    }
  }

  const RuleTest& test_;
  const RuleTestFile& file_;
  const RuleTestOptions& options_;
  std::unique_ptr<RuleTestStore> store_;
  std::vector<std::string> errors_;
};

}  // namespace

std::vector<std::string> RunRuleTest(const RuleTest& test, const RuleTestFile& file,
                                     const RuleTestOptions& options) {
  return RuleTestRun(test, file, options).Run();
}

}  // namespace narthex::cli
