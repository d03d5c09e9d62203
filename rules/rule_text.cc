#include "rules/rule_text.h"

#include "base/status_macros.h"
#include "base/strings.h"
#include "template/template.h"

namespace narthex::rules {
namespace {

constexpr int64_t kMaxExpansionMs = 30'000;

std::vector<std::pair<std::string, std::string>> Pairs(const Labels& labels) {
  std::vector<std::pair<std::string, std::string>> out;
  for (LabelView label : labels) out.emplace_back(label.name, label.value);
  return out;
}

absl::StatusOr<std::vector<tmpl::QuerySample>> Query(const ManagerOptions& options, const std::string& expr,
                                                     int64_t t_ms) {
  promql::QueryParams params;
  params.query = expr;
  params.start_ms = params.end_ms = t_ms;
  ASSIGN_OR_RETURN(promql::Result result, options.engine->Run(*options.db, params));
  std::vector<tmpl::QuerySample> out;
  if (result.type == promql::ValueType::kScalar) {
    out.push_back({{}, result.scalar.v});
    return out;
  }
  if (result.type != promql::ValueType::kVector)
    return absl::InvalidArgumentError("rule result is not a vector or scalar");
  for (const promql::ResultSeries& series : result.series) {
    if (!series.floats.empty()) out.push_back({Pairs(series.labels), series.floats[0].v});
  }
  return out;
}

// The path of the external URL.
std::string PathPrefix(const std::string& url) {
  size_t host = url.find("://");
  size_t path = url.find('/', host == url.npos ? 0 : host + 3);
  return path == url.npos ? "" : url.substr(path);
}

}  // namespace

absl::StatusOr<std::string> ExpandAlertText(
    std::string_view text, const AlertTextData& data, const ManagerOptions& options,
    const std::vector<std::pair<std::string, std::string>>& external_labels) {
  tmpl::ExpandOptions expand;
  expand.name = StrCat("__alert_", data.rule_name);
  expand.labels = Pairs(data.labels);
  expand.value = data.value;
  expand.external_labels = external_labels;
  expand.external_url = options.external_url;
  expand.path_prefix = PathPrefix(options.external_url);
  expand.now_ms = data.t_ms;
  expand.query = [&options](const std::string& expr, int64_t t_ms) { return Query(options, expr, t_ms); };
  const int64_t end_ns = options.clock->MonotonicNs() + kMaxExpansionMs * 1'000'000;
  expand.expired = [&options, end_ns] { return options.clock->MonotonicNs() > end_ns; };
  return tmpl::ExpandAlertText(text, expand);
}

}  // namespace narthex::rules
