// /metrics and redirects.
#include <string>

#include "api/call.h"
#include "api/page.h"
#include "api/respond.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";

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
  call->out->Send(302, kHtml, StrCat("<a href=\"", EscapeHtml(to), "\">Found</a>.\n\n"));
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

}  // namespace narthex::api
