// /api/v1/targets and /api/v1/scrape_pools.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/respond.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

struct UrlParts {
  std::string_view scheme, host, port, rest;  // rest: path, query, fragment
};

// host:port or [v6]:port, the port optional; the host without brackets.
void SplitHostPort(std::string_view authority, UrlParts* parts) {
  if (authority.starts_with("[")) {
    size_t close = authority.find(']');
    parts->host = authority.substr(1, close == authority.npos ? close : close - 1);
    if (close != authority.npos && authority.substr(close + 1).starts_with(":")) {
      parts->port = authority.substr(close + 2);
    }
    return;
  }
  size_t colon = authority.rfind(':');
  parts->host = authority.substr(0, colon);
  if (colon != authority.npos) parts->port = authority.substr(colon + 1);
}

UrlParts SplitUrl(std::string_view url) {
  UrlParts parts;
  size_t colon = url.find("://");
  if (colon != url.npos) {
    parts.scheme = url.substr(0, colon);
    url.remove_prefix(colon + 3);
  }
  size_t slash = url.find_first_of("/?#");
  std::string_view authority = url.substr(0, slash);
  if (slash != url.npos) parts.rest = url.substr(slash);
  if (size_t at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  SplitHostPort(authority, &parts);
  return parts;
}

// The port that this server listens on, as the flag says it.
std::string_view OwnPort(const Options& options) {
  for (const auto& [name, value] : options.flags) {
    if (name != "web.listen-address") continue;
    UrlParts parts;
    SplitHostPort(std::string_view(value).substr(0, value.find(',')), &parts);
    return parts.port;
  }
  return "9090";
}

// What a browser elsewhere would have to open: a target on this host is named by the external URL's host, and
// this server itself by the external URL.
std::string GlobalUrl(const Options& options, const std::string& scrape_url) {
  UrlParts target = SplitUrl(scrape_url);
  if (target.host != "localhost" && target.host != "127.0.0.1" && target.host != "::1") return scrape_url;
  UrlParts own = SplitUrl(options.external_url);
  if (own.host.empty()) return scrape_url;
  bool v6 = own.host.find(':') != own.host.npos;
  std::string host = v6 ? StrCat("[", own.host, "]") : std::string(own.host);
  bool self = target.port == OwnPort(options);
  std::string_view port = self ? own.port : target.port;
  return StrCat(self ? own.scheme : target.scheme, "://", host, port.empty() ? "" : ":", port, target.rest);
}

void WriteActive(const Options& options, const scraper::TargetState& target, JsonWriter* json) {
  json->BeginObject().Key("discoveredLabels");
  WriteLabels(target.discovered_labels, json);
  json->Key("labels");
  WriteLabels(target.labels, json);
  json->Key("scrapePool");
  WriteText(target.scrape_pool, json);
  json->Key("scrapeUrl");
  WriteText(target.scrape_url, json);
  json->Key("globalUrl");
  WriteText(GlobalUrl(options, target.scrape_url), json);
  json->Key("lastError");
  WriteText(target.last_error, json);
  json->Key("lastScrape");
  WriteTime(target.last_scrape_ms, json);
  json->Key("lastScrapeDuration").Number(target.last_scrape_duration_s);
  json->Key("health").String(target.health);
  json->Key("scrapeInterval").String(FormatDurationMs(target.interval_ms));
  json->Key("scrapeTimeout").String(FormatDurationMs(target.timeout_ms));
  json->EndObject();
}

absl::Status WriteActiveTargets(const Call& call, const std::string& pool, SuccessBody* body) {
  std::vector<scraper::TargetState> targets = call.options.scraper->ActiveTargets();
  std::stable_sort(targets.begin(), targets.end(),
                   [](const auto& a, const auto& b) { return a.scrape_pool < b.scrape_pool; });
  for (const scraper::TargetState& target : targets) {
    if (!pool.empty() && target.scrape_pool != pool) continue;
    WriteActive(call.options, target, body->json());
    RETURN_IF_ERROR(body->Drain());
  }
  return absl::OkStatus();
}

absl::Status WriteDroppedTargets(const Call& call, const std::string& pool, SuccessBody* body) {
  std::vector<scraper::DroppedTarget> targets = call.options.scraper->DroppedTargets();
  std::stable_sort(targets.begin(), targets.end(),
                   [](const auto& a, const auto& b) { return a.scrape_pool < b.scrape_pool; });
  for (const scraper::DroppedTarget& target : targets) {
    if (!pool.empty() && target.scrape_pool != pool) continue;
    body->json()->BeginObject().Key("discoveredLabels");
    WriteLabels(target.discovered_labels, body->json());
    body->json()->Key("scrapePool");
    WriteText(target.scrape_pool, body->json());
    body->json()->EndObject();
    RETURN_IF_ERROR(body->Drain());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Targets(Call& call) {
  std::string state = call.Param("state");
  for (char& c : state) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  std::string pool = call.Param("scrapePool");
  bool all = state.empty() || state == "any";
  bool dropped = all || state == "dropped";
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject().Key("activeTargets").BeginArray();
  if (all || state == "active") RETURN_IF_ERROR(WriteActiveTargets(call, pool, &body));
  json->EndArray().Key("droppedTargets").BeginArray();
  if (dropped) RETURN_IF_ERROR(WriteDroppedTargets(call, pool, &body));
  json->EndArray().Key("droppedTargetCounts");
  if (dropped) {
    json->BeginObject();
    for (const auto& [name, count] : call.options.scraper->DroppedCounts()) json->Key(name).Int(count);
    json->EndObject();
  } else {
    json->Null();
  }
  json->EndObject();
  std::vector<std::string> warnings;
  for (const auto& [job, sections] : call.options.scraper->UnsupportedDiscovery()) {
    if (!pool.empty() && job != pool) continue;
    for (const std::string& section : sections) {
      warnings.push_back(StrCat("scrape pool ", GoQuote(job), ": ", section, " is not supported"));
    }
  }
  return body.Finish(warnings);
}

absl::Status ScrapePools(Call& call) {
  std::vector<std::string> pools = call.options.scraper->Pools();
  std::sort(pools.begin(), pools.end());
  SuccessBody body(call.out);
  body.json()->BeginObject().Key("scrapePools").BeginArray();
  for (const std::string& pool : pools) WriteText(pool, body.json());
  body.json()->EndArray().EndObject();
  return body.Finish();
}

}  // namespace narthex::api
