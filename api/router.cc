#include "api/router.h"

#include <set>
#include <utility>

#include "api/page.h"
#include "api/respond.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr std::string_view kApi = "/api/v1/";
constexpr std::string_view kGet = "GET", kPost = "POST", kGetPost = "GET, POST", kGetHead = "GET, HEAD",
                           kPostPut = "POST, PUT";

constexpr Route kRoutes[] = {
    {kGetPost, "/api/v1/query", Query, true},
    {kGetPost, "/api/v1/query_range", QueryRange, true},
    {kGetPost, "/api/v1/query_exemplars", QueryExemplars, true},
    {kGetPost, "/api/v1/query_plan", QueryPlan, true},
    {kGetPost, "/api/v1/format_query", FormatQuery, true},
    {kGetPost, "/api/v1/parse_query", ParseQuery, true},
    {kGetPost, "/api/v1/labels", LabelNames, true},
    {kGet, "/api/v1/label/:name/values", LabelValues, true},
    {kGetPost, "/api/v1/series", Series, true},
    {kGet, "/api/v1/metadata", Metadata, true},
    {kGet, "/api/v1/targets", Targets, true},
    {kGet, "/api/v1/targets/metadata", TargetMetadata, true},
    {kGet, "/api/v1/targets/relabel_steps", TargetRelabelSteps, true},
    {kGet, "/api/v1/scrape_pools", ScrapePools, true},
    {kGet, "/api/v1/scrape_pools/config", ScrapePoolConfig, true},
    {kGetPost, "/api/v1/search/metric_names", SearchMetricNames, true},
    {kGetPost, "/api/v1/search/label_names", SearchLabelNames, true},
    {kGetPost, "/api/v1/search/label_values", SearchLabelValues, true},
    {kGet, "/api/v1/openapi.yaml", OpenApi, true},
    {kGet, "/api/v1/status/tsdb/blocks", StatusTsdbBlocks, true},
    {kGet, "/api/v1/status/self_metrics", StatusSelfMetrics, true},
    {kGet, "/api/v1/notifications/live", NotificationsLive, false},
    {kGet, "/api/v1/alertmanagers", Alertmanagers, true},
    {kGet, "/api/v1/alerts", Alerts, true},
    {kGet, "/api/v1/rules", Rules, true},
    {kGet, "/api/v1/status/config", StatusConfig, true},
    {kGet, "/api/v1/status/runtimeinfo", StatusRuntimeInfo, true},
    {kGet, "/api/v1/status/buildinfo", StatusBuildInfo, true},
    {kGet, "/api/v1/status/flags", StatusFlags, true},
    {kGet, "/api/v1/status/tsdb", StatusTsdb, true},
    {kGet, "/api/v1/status/walreplay", StatusWalReplay, false},
    {kGet, "/api/v1/notifications", Notifications, false},
    {kGet, "/api/v1/features", Features, true},
    {kPost, "/api/v1/write", RemoteWrite, true},
    {kPost, "/api/v1/read", RemoteRead, true},
    {kPost, "/api/v1/otlp/v1/metrics", OtlpWrite, true},
    {kPostPut, "/api/v1/admin/tsdb/delete_series", DeleteSeries, true},
    {kPostPut, "/api/v1/admin/tsdb/clean_tombstones", CleanTombstones, true},
    {kPostPut, "/api/v1/admin/tsdb/snapshot", Snapshot, true},
    {kGetHead, "/-/healthy", Healthy, false},
    {kGetHead, "/-/ready", Ready, true},
    {kPostPut, "/-/reload", Reload, false},
    {kPostPut, "/-/quit", Quit, false},
    {kGet, "/-/reload", LifecycleGet, false},
    {kGet, "/-/quit", LifecycleGet, false},
    {kGet, "/metrics", MetricsPage, false},
    {kGet, "/federate", Federate, true},
    {kGet, "/version", Version, false},
    {kGet, "/", RedirectToQuery, false},
    {kGet, "/graph", RedirectToQuery, false},
    {kGetHead, "/query", Page, false},
    {kGetHead, "/alerts", Page, false},
    {kGetHead, "/rules", Page, false},
    {kGetHead, "/targets", Page, false},
    {kGetHead, "/status", Page, false},
    {kGetHead, "/tsdb-status", Page, false},
    {kGetHead, "/config", Page, false},
    {kGetHead, "/flags", Page, false},
    {kGetHead, "/service-discovery", Page, false},
    {kGetHead, "/alertmanager-discovery", Page, false},
    {kGet, "/user/*", UserAsset, false},
    {kGetHead, "/assets/:name", PageAsset, false},
    {kGetHead, "/favicon.svg", PageAsset, false},
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A plus is a plus in a path. A broken escape stays as it is.
std::string PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// Takes the first segment (without its slash) off *path.
std::string_view NextSegment(std::string_view* path) {
  path->remove_prefix(1);
  size_t slash = path->find('/');
  std::string_view segment = path->substr(0, slash);
  path->remove_prefix(slash == path->npos ? path->size() : slash);
  return segment;
}

bool PathMatches(std::string_view pattern, std::string_view path, std::string* argument) {
  while (pattern.starts_with("/") && path.starts_with("/")) {
    std::string_view want = NextSegment(&pattern);
    if (want == "*") {  // all that follows
      *argument = PercentDecode(path.substr(1));
      return true;
    }
    std::string_view have = NextSegment(&path);
    if (!want.starts_with(":")) {
      if (want != have && (have.find('%') == have.npos || want != PercentDecode(have))) return false;
    } else if (have.empty()) {
      return false;
    } else {
      *argument = PercentDecode(have);
    }
  }
  return pattern.empty() && path.empty();
}

bool HasMethod(std::string_view methods, std::string_view method) {
  for (size_t at = methods.find(method); at != methods.npos; at = methods.find(method, at + 1)) {
    size_t end = at + method.size();
    if ((at == 0 || methods[at - 1] == ' ') && (end == methods.size() || methods[end] == ',')) return true;
  }
  return false;
}

void AddMethods(std::string_view methods, std::set<std::string>* out) {
  out->insert("OPTIONS");
  while (!methods.empty()) {
    size_t comma = methods.find(", ");
    out->emplace(methods.substr(0, comma));
    methods.remove_prefix(comma == methods.npos ? methods.size() : comma + 2);
  }
}

// The path without empty, "." and ".." segments, as Go's ServeMux cleans it.
std::string CleanPath(std::string_view path) {
  if (path.starts_with("/") && path.find("//") == path.npos && path.find("/.") == path.npos) {
    return std::string(path);
  }
  std::vector<std::string_view> kept;
  std::string_view rest = path;
  while (!rest.empty()) {
    std::string_view segment = rest.front() == '/' ? NextSegment(&rest) : std::exchange(rest, {});
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!segment.empty() && segment != "." && segment != "..") kept.push_back(segment);
  }
  std::string out;
  for (std::string_view segment : kept) StrAppend(&out, "/", segment);
  if (out.empty() || path.ends_with("/")) out += "/";
  return out;
}

std::string MovedPage(std::string_view to) {
  std::string escaped;
  for (char c : to)
    escaped += c == '&'   ? "&amp;"
               : c == '"' ? "&#34;"
               : c == '<' ? "&lt;"
               : c == '>' ? "&gt;"
                          : std::string(1, c);
  return StrCat("<a href=\"", escaped, "\">Moved Permanently</a>.\n\n");
}

void SendMoved(std::string to, const HttpRequest& request, HttpResponseWriter* out) {
  if (!request.query.empty()) StrAppend(&to, "?", request.query);
  out->SetHeader("Location", to);
  bool page = request.method == "GET" || request.method == "HEAD";
  out->Send(301, page ? "text/html; charset=utf-8" : "", page ? MovedPage(to) : "");
}

void SendMethodNotAllowed(std::string_view allowed, HttpResponseWriter* out) {
  out->SetHeader("Allow", allowed);
  SendPlainError(405, "Method Not Allowed", out);
}

}  // namespace

Router::Router(Options options) : options_(std::move(options)) {
  absl::StatusOr<Regex> origin = Regex::Compile(options_.cors_origin);
  if (origin.ok()) cors_origin_ = *std::move(origin);
  for (const Route& route : kRoutes) {
    entries_.push_back({route, HandlerMetrics(std::string(route.path), options_.metrics)});
  }
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  std::set<std::string> allowed;
  for (const Entry& entry : entries_) {
    std::string argument;
    if (!PathMatches(entry.route.path, path, &argument)) continue;
    if (HasMethod(entry.route.methods, method)) {
      match.entry = &entry;
      match.argument = std::move(argument);
      return match;
    }
    AddMethods(entry.route.methods, &allowed);
  }
  for (const std::string& one : allowed) StrAppend(&match.allowed, match.allowed.empty() ? "" : ", ", one);
  return match;
}

void Router::SetCors(const HttpRequest& request, HttpResponseWriter* out) const {
  std::string_view origin = request.Header("origin");
  if (origin.empty()) return;
  out->SetHeader("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
  out->SetHeader("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  out->SetHeader("Access-Control-Expose-Headers", "Date");
  out->SetHeader("Vary", "Origin");
  if (cors_origin_ && cors_origin_->Matches(origin)) {
    out->SetHeader("Access-Control-Allow-Origin", origin);
  }
}

void Router::Serve(const Match& match, const HttpRequest& request, CountingWriter* out) const {
  if (match.entry->route.waits_for_ready && options_.ready && !options_.ready()) {
    out->Send(503, kPlainText, "Service Unavailable");
    return;
  }
  Call call(options_, request, out);
  call.path_argument = match.argument;
  absl::Status status = match.entry->route.endpoint(call);
  if (status.ok()) return;
  if (!out->answered()) {
    SendError(status, out);
  } else {
    out->BreakOff();
    options_.logger->Debug("error writing response", {{"path", request.path}, {"err", status.ToString()}});
  }
}

void Router::Handle(const HttpRequest& request, HttpResponseWriter* out) const {
  std::string_view path = request.path;
  const std::string& prefix = options_.route_prefix;
  if (prefix != "/") {
    if (path == "/" && request.method == "GET") {
      Call call(options_, request, out);
      (void)RedirectToPrefix(call);
      return;
    }
    bool below = path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
    if (!below) return SendPlainError(404, "404 page not found", out);
    path.remove_prefix(prefix.size());
    if (path.empty()) path = "/";
  }
  if (std::string clean = CleanPath(path); clean != path) {
    return SendMoved(prefix == "/" ? clean : prefix + clean, request, out);
  }
  if (path == "/api/v1") return SendMoved(StrCat(prefix == "/" ? "" : prefix, kApi), request, out);
  bool api = path.starts_with(kApi);
  if (api) SetCors(request, out);
  if (api && request.method == "OPTIONS") return SendNoContent(out);
  Match match = Find(request.method, path);
  if (match.entry == nullptr) {
    if (!match.allowed.empty() && request.method == "OPTIONS") {
      out->SetHeader("Allow", match.allowed);
      return out->Send(200, "", "");
    }
    if (!match.allowed.empty()) return SendMethodNotAllowed(match.allowed, out);
    if (path.size() > 1 && path.ends_with("/") &&
        Find(request.method, path.substr(0, path.size() - 1)).entry) {
      return SendMoved(request.path.substr(0, request.path.size() - 1), request, out);
    }
    return SendPlainError(404, "404 page not found", out);
  }
  int64_t began_ns = options_.clock->MonotonicNs();
  CountingWriter counting(out);
  Serve(match, request, &counting);
  double seconds = static_cast<double>(options_.clock->MonotonicNs() - began_ns) / 1e9;
  match.entry->metrics.Observe(counting.status(), seconds, counting.bytes());
}

std::function<bool(const HttpRequest&)> LightRequests(std::string_view route_prefix) {
  return [skip = route_prefix == "/" ? 0 : route_prefix.size()](const HttpRequest& request) {
    if (request.path.size() < skip) return false;
    const std::string_view path = std::string_view(request.path).substr(skip);
    if (path.starts_with("/-/")) return path == "/-/healthy" || path == "/-/ready";
    if (!path.starts_with(kApi)) return false;
    const std::string_view what = path.substr(kApi.size());
    return what == "query" || what == "query_range" || what == "labels" || what == "status/buildinfo" ||
           (what.starts_with("label/") && what.ends_with("/values"));
  };
}

HttpHandler NewHandler(Options options) {
  auto router = std::make_shared<const Router>(std::move(options));
  return [router](const HttpRequest& request, HttpResponseWriter& out) { router->Handle(request, &out); };
}

}  // namespace narthex::api
