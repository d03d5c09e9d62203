// narthex query instant|range SERVER|DIR EXPR. SERVER is asked over HTTP; a directory is opened and queried
// in place.
#include <cstdio>
#include <filesystem>
#include <optional>

#include "absl/strings/numbers.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/http_client.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/flags.h"
#include "promql/promql.h"
#include "tsdb/tsdb.h"

namespace narthex::cli {
namespace {

struct QueryArgs {
  bool range = false;
  std::string target, expr;
  std::string time, start, end, step, kernels = "cpu";
  bool json = false;
  bool explain = false;
};

int Usage(const std::string& message) {
  std::fprintf(stderr,
               "narthex: error: %s\nusage: narthex query instant [--time=T] [--explain] SERVER|DIR EXPR\n"
               "       narthex query range [--start=T] [--end=T] [--step=D] SERVER|DIR EXPR\n"
               "       of a directory also with --promql.kernels=auto|cpu|cuda\n",
               message.c_str());
  return 2;
}

absl::StatusOr<QueryArgs> ParseArgs(const std::vector<std::string>& args) {
  QueryArgs out;
  if (args.empty() || (args[0] != "instant" && args[0] != "range")) {
    return absl::InvalidArgumentError("expected 'instant' or 'range'");
  }
  out.range = args[0] == "range";
  std::vector<std::string> positional;
  const std::pair<std::string_view, std::string*> named[] = {{"--time=", &out.time},
                                                             {"--start=", &out.start},
                                                             {"--end=", &out.end},
                                                             {"--step=", &out.step},
                                                             {"--promql.kernels=", &out.kernels}};
  for (size_t i = 1; i < args.size(); ++i) {
    std::string_view arg = args[i];
    bool known = false;
    for (const auto& [prefix, value] : named) {
      if (arg.starts_with(prefix)) {
        *value = std::string(arg.substr(prefix.size()));
        known = true;
      }
    }
    if (known) continue;
    if (arg == "--explain") {
      out.explain = true;
    } else if (arg == "-o" && i + 1 < args.size()) {
      out.json = args[++i] == "json";
    } else if (arg.starts_with("--")) {
      return absl::InvalidArgumentError(StrCat("unknown long flag '", arg, "'"));
    } else {
      positional.emplace_back(arg);
    }
  }
  if (positional.size() != 2)
    return absl::InvalidArgumentError("expected a server or directory and an expression");
  out.target = positional[0];
  out.expr = positional[1];
  return out;
}

// Unix seconds or RFC 3339 to milliseconds.
std::optional<int64_t> ParseTime(const std::string& text, int64_t fallback) {
  double seconds;
  if (text.empty()) return fallback;
  if (absl::SimpleAtod(text, &seconds)) return static_cast<int64_t>(seconds * 1000);
  return ParseRfc3339(text);
}

int QueryServer(const QueryArgs& args) {
  std::string url = args.target;
  while (url.ends_with("/")) url.pop_back();
  StrAppend(&url, args.range ? "/api/v1/query_range?query=" : "/api/v1/query?query=", UrlEscape(args.expr));
  int64_t now = SystemClock().NowMs();
  auto add = [&url](const char* key, const std::string& value) {
    StrAppend(&url, "&", key, "=", UrlEscape(value));
  };
  if (args.range) {
    add("end", args.end.empty() ? FormatFloatF(static_cast<double>(now) / 1000) : args.end);
    add("start", args.start.empty() ? FormatFloatF(static_cast<double>(now - 300'000) / 1000) : args.start);
    add("step", args.step.empty() ? "15s" : args.step);
  } else if (!args.time.empty()) {
    add("time", args.time);
  }
  HttpClient client;
  HttpClientRequest request;
  request.url = url;
  request.timeout_ms = 120'000;
  absl::StatusOr<HttpClientResponse> response = client.Fetch(request);
  if (!response.ok()) {
    std::fprintf(stderr, "query error: %s\n", std::string(response.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", response->body.c_str());
  return response->status == 200 ? 0 : 1;
}

std::string PointText(const FloatPoint& p) {
  return StrCat(FormatFloatF(p.v), " @[", FormatFloatF(static_cast<double>(p.t) / 1000), "]");
}

void PrintResult(const promql::Result& result) {
  if (result.type == promql::ValueType::kScalar) {
    std::printf("scalar: %s\n", PointText(result.scalar).c_str());
    return;
  }
  if (result.type == promql::ValueType::kString) {
    std::printf("%s\n", result.string.c_str());
    return;
  }
  for (const promql::ResultSeries& series : result.series) {
    std::string line = StrCat(series.labels.ToString(), " =>");
    const char* separator = result.type == promql::ValueType::kMatrix ? "\n" : " ";
    for (const FloatPoint& p : series.floats) StrAppend(&line, separator, PointText(p));
    for (const HistogramPoint& p : series.histograms) {
      StrAppend(&line, separator, p.h->ToString(), " @[", FormatFloatF(static_cast<double>(p.t) / 1000), "]");
    }
    std::printf("%s\n", line.c_str());
  }
}

int QueryDirectory(const QueryArgs& args) {
  Logger logger(LogLevel::kError, LogFormat::kLogfmt, &SystemClock());
  MetricsRegistry metrics;
  tsdb::Options storage;
  storage.path = args.target;
  storage.background_work = false;
  storage.retention_ms = 0;
  storage.clock = &SystemClock();
  storage.logger = &logger;
  storage.metrics = &metrics;
  absl::StatusOr<std::unique_ptr<tsdb::Db>> db = tsdb::Db::Open(storage);
  if (!db.ok()) {
    std::fprintf(stderr, "query error: %s\n", std::string(db.status().message()).c_str());
    return 1;
  }
  promql::EngineOptions options;
  options.clock = &SystemClock();
  options.metrics = &metrics;
  absl::StatusOr<ServeFlags> flags = ParseServeFlags({StrCat("--promql.kernels=", args.kernels)});
  if (!flags.ok()) return Usage(std::string(flags.status().message()));
  const std::unique_ptr<promql::Devices> devices = OpenDevices(*flags, &SystemClock(), &logger, &metrics);
  options.devices = devices.get();
  promql::Engine engine(options);
  int64_t now = SystemClock().NowMs();
  promql::QueryParams params;
  params.query = args.expr;
  std::optional<int64_t> end = ParseTime(args.range ? args.end : args.time, now);
  std::optional<int64_t> start = args.range ? ParseTime(args.start, now - 300'000) : end;
  absl::StatusOr<int64_t> step = args.range ? ParseDurationMs(args.step.empty() ? "15s" : args.step) : 0;
  if (!end || !start || !step.ok()) return Usage("cannot parse a time or the step");
  params.start_ms = *start;
  params.end_ms = *end;
  params.step_ms = *step;
  if (args.explain) {
    absl::StatusOr<std::string> plan = engine.Explain(**db, params, /*run=*/true);
    std::printf("%s\n", plan.ok() ? plan->c_str() : std::string(plan.status().message()).c_str());
    return plan.ok() ? 0 : 1;
  }
  absl::StatusOr<promql::Result> result = engine.Run(**db, params);
  if (!result.ok()) {
    std::fprintf(stderr, "query error: %s\n", std::string(result.status().message()).c_str());
    return 1;
  }
  PrintResult(*result);
  return 0;
}

}  // namespace

int RunQuery(const std::vector<std::string>& args) {
  absl::StatusOr<QueryArgs> parsed = ParseArgs(args);
  if (!parsed.ok()) return Usage(std::string(parsed.status().message()));
  std::error_code error;
  bool is_url = parsed->target.starts_with("http://") || parsed->target.starts_with("https://");
  if (!is_url && !std::filesystem::is_directory(parsed->target, error)) {
    return Usage(StrCat("'", parsed->target, "' is neither a URL nor a directory"));
  }
  return is_url ? QueryServer(*parsed) : QueryDirectory(*parsed);
}

}  // namespace narthex::cli
