// /metrics, and what a browser gets: redirects and one plain page.
#include <string>

#include "api/call.h"
#include "api/respond.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";

std::string HtmlEscape(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&#34;";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// The path that clients see in front of everything: the external URL's, which a proxy may have shortened to
// the route prefix.
std::string ExternalPath(const Options& options) {
  std::string_view url = options.external_url;
  size_t scheme = url.find("://");
  if (scheme == url.npos) return options.route_prefix == "/" ? "" : options.route_prefix;
  size_t slash = url.find('/', scheme + 3);
  std::string path = slash == url.npos ? "" : std::string(url.substr(slash));
  path.resize(std::min(path.size(), path.find_first_of("?#")));
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

void Redirect(const std::string& to, Call* call) {
  call->out->SetHeader("Location", to);
  call->out->Send(302, kHtml, StrCat("<a href=\"", HtmlEscape(to), "\">Found</a>.\n\n"));
}

}  // namespace

absl::Status MetricsPage(Call& call) {
  call.out->Send(200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
                 call.options.metrics->Expose());
  return absl::OkStatus();
}

absl::Status RedirectToQuery(Call& call) {
  bool graph = call.request.path.ends_with("/graph");  // keeps its query, even an empty one
  Redirect(StrCat(ExternalPath(call.options), "/query", graph ? "?" : "", graph ? call.request.query : ""),
           &call);
  return absl::OkStatus();
}

absl::Status RedirectToPrefix(Call& call) {
  Redirect(call.options.route_prefix, &call);
  return absl::OkStatus();
}

absl::Status Page(Call& call) {
  const Options& options = call.options;
  std::string base = HtmlEscape(ExternalPath(options));
  std::string title = HtmlEscape(options.page_title.empty() ? "Narthex" : options.page_title);
  std::string html = StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>",
                            title, "</title></head>\n<body>\n<h1>", title,
                            "</h1>\n<p>This is Narthex. It collects metrics, evaluates rules and answers "
                            "PromQL over the HTTP API of Prometheus ",
                            HtmlEscape(options.build.version), ".</p>\n<ul>\n");
  for (std::string_view path :
       {"/api/v1/query?query=up", "/api/v1/targets", "/api/v1/rules", "/api/v1/alerts",
        "/api/v1/alertmanagers", "/api/v1/label/__name__/values", "/api/v1/status/config",
        "/api/v1/status/flags", "/api/v1/status/runtimeinfo", "/api/v1/status/tsdb", "/metrics"}) {
    StrAppend(&html, "<li><a href=\"", base, path, "\">", path, "</a></li>\n");
  }
  html += "</ul>\n</body>\n</html>\n";
  call.out->Send(200, kHtml, std::move(html));
  return absl::OkStatus();
}

}  // namespace narthex::api
