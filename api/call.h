// One request on its way through a handler, and the handlers by endpoint family.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "api/api.h"
#include "base/http_server.h"

namespace narthex::api {

// What an endpoint reads and where it answers. Made by the router for one request and used on its thread
// only.
//
// An endpoint of the API answers itself and returns OK, or returns a status and the router answers with
// Prometheus's error JSON (respond.h says which code becomes which error type).
class Call {
 public:
  Call(const Options& options, const HttpRequest& request, HttpResponseWriter* out)
      : options(options), request(request), out(out), params_(request.Params()) {}

  // The first value of a parameter, "" if absent.
  std::string Param(std::string_view name) const;
  std::vector<std::string> ParamAll(std::string_view name) const;

  const Options& options;
  const HttpRequest& request;
  HttpResponseWriter* const out;
  std::string path_argument;  // what stood for :name or * in the route, percent-decoded

 private:
  const std::vector<std::pair<std::string, std::string>> params_;
};

using Endpoint = absl::Status (*)(Call&);

// query.cc
absl::Status Query(Call& call);
absl::Status QueryRange(Call& call);
// query_text.cc
absl::Status FormatQuery(Call& call);
absl::Status ParseQuery(Call& call);
// exemplars.cc
absl::Status QueryExemplars(Call& call);
// series.cc
absl::Status Series(Call& call);
absl::Status LabelNames(Call& call);
absl::Status LabelValues(Call& call);
// metadata.cc
absl::Status Metadata(Call& call);
absl::Status TargetMetadata(Call& call);
// targets.cc
absl::Status Targets(Call& call);
absl::Status ScrapePools(Call& call);
// relabel_steps.cc
absl::Status TargetRelabelSteps(Call& call);
absl::Status ScrapePoolConfig(Call& call);
// search.cc
absl::Status SearchMetricNames(Call& call);
absl::Status SearchLabelNames(Call& call);
absl::Status SearchLabelValues(Call& call);
// openapi.cc
absl::Status OpenApi(Call& call);
// self_metrics.cc
absl::Status StatusSelfMetrics(Call& call);
// notifications.cc
absl::Status Notifications(Call& call);
absl::Status NotificationsLive(Call& call);
// rules.cc
absl::Status Rules(Call& call);
absl::Status Alerts(Call& call);
absl::Status Alertmanagers(Call& call);
// status.cc
absl::Status StatusConfig(Call& call);
absl::Status StatusFlags(Call& call);
absl::Status StatusRuntimeInfo(Call& call);
absl::Status StatusBuildInfo(Call& call);
absl::Status StatusTsdb(Call& call);
absl::Status StatusWalReplay(Call& call);
absl::Status StatusTsdbBlocks(Call& call);
absl::Status Features(Call& call);
absl::Status Version(Call& call);
// admin.cc
absl::Status DeleteSeries(Call& call);
absl::Status CleanTombstones(Call& call);
absl::Status Snapshot(Call& call);
// user_assets.cc
absl::Status UserAsset(Call& call);
// lifecycle.cc
absl::Status Healthy(Call& call);
absl::Status Ready(Call& call);
absl::Status Reload(Call& call);
absl::Status Quit(Call& call);
absl::Status LifecycleGet(Call& call);
// federate.cc
absl::Status Federate(Call& call);
// write.cc
absl::Status RemoteWrite(Call& call);
absl::Status RemoteRead(Call& call);
absl::Status OtlpWrite(Call& call);
// pages.cc
absl::Status MetricsPage(Call& call);
absl::Status RedirectToQuery(Call& call);
absl::Status RedirectToPrefix(Call& call);

}  // namespace narthex::api
