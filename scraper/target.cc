#include "scraper/target.h"

#include <algorithm>
#include <map>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

constexpr std::string_view kParamPrefix = "__param_";
constexpr std::string_view kInterval = "__scrape_interval__";
constexpr std::string_view kTimeout = "__scrape_timeout__";

std::string EscapePath(std::string_view path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : path) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 std::string_view("-_.~$&+,/:;=@!'()*").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      unsigned char u = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[u >> 4];
      out += kHex[u & 15];
    }
  }
  return out;
}

std::string BuildUrl(const Labels& labels, const ScrapeConfig& config) {
  std::map<std::string, std::vector<std::string>> params;
  for (const auto& [name, values] : config.params) params[name] = values;
  for (LabelView l : labels) {
    if (!l.name.starts_with(kParamPrefix)) continue;
    std::vector<std::string>& values = params[std::string(l.name.substr(kParamPrefix.size()))];
    if (values.empty()) {
      values.emplace_back(l.value);
    } else {
      values[0] = l.value;
    }
  }
  std::string_view path = labels.Get("__metrics_path__");
  std::string url = StrCat(labels.Get("__scheme__"), "://", labels.Get("__address__"));
  if (!path.empty() && path[0] != '/') url += '/';
  url += EscapePath(path);
  char separator = '?';
  for (const auto& [name, values] : params) {
    for (const std::string& value : values) {
      url += separator;
      StrAppend(&url, UrlEscape(name), "=", UrlEscape(value));
      separator = '&';
    }
  }
  return url;
}

absl::StatusOr<int64_t> DurationLabel(std::string_view text, std::string_view what) {
  auto parsed = ParseDurationMs(text);
  if (!parsed.ok()) return Invalid("error parsing scrape ", what, ": ", Message(parsed.status()));
  if (*parsed == 0) return Invalid("scrape ", what, " cannot be 0");
  return *parsed;
}

}  // namespace

uint64_t Fnv64(std::string_view text) {
  uint64_t h = 14695981039346656037ULL;
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return h;
}

Labels DiscoveredLabels(const Labels& target, const Labels& group, const ScrapeConfig& config) {
  LabelsBuilder builder(group);
  for (LabelView l : target) builder.Set(l.name, l.value);
  auto set_default = [&builder](std::string_view name, std::string_view value) {
    if (builder.Get(name).empty()) builder.Set(name, value);
  };
  set_default("job", config.job_name);
  set_default(kInterval, FormatDurationMs(config.scrape_interval_ms));
  set_default(kTimeout, FormatDurationMs(config.scrape_timeout_ms));
  set_default("__metrics_path__", config.metrics_path);
  set_default("__scheme__", config.scheme);
  for (const auto& [name, values] : config.params) {
    if (!values.empty()) set_default(StrCat(kParamPrefix, name), values[0]);
  }
  return builder.Build();
}

absl::StatusOr<std::optional<Target>> MakeTarget(const Labels& discovered, const ScrapeConfig& config) {
  LabelsBuilder builder(discovered);
  if (!Relabel(config.relabel_configs, &builder)) return std::optional<Target>();
  std::string address(builder.Get("__address__"));
  if (address.empty()) return Invalid("no address");
  if (address.find('/') != std::string::npos) return Invalid(GoQuote(address), " is not a valid hostname");
  Target target;
  std::string interval(builder.Get(kInterval)), timeout(builder.Get(kTimeout));
  ASSIGN_OR_RETURN(target.interval_ms, DurationLabel(interval, "interval"));
  ASSIGN_OR_RETURN(target.timeout_ms, DurationLabel(timeout, "timeout"));
  if (target.timeout_ms > target.interval_ms) {
    return Invalid("scrape timeout cannot be greater than scrape interval (", GoQuote(timeout), " > ",
                   GoQuote(interval), ")");
  }
  LabelsBuilder kept, visible;
  for (const auto& [name, value] : builder.pairs()) {
    if (name.starts_with("__meta_")) continue;
    kept.Set(name, value);
  }
  if (kept.Get("instance").empty()) kept.Set("instance", address);
  for (const auto& [name, value] : kept.pairs()) {
    if (!IsValidUtf8(value)) return Invalid("invalid label value for ", GoQuote(name), ": ", GoQuote(value));
    if (!name.starts_with("__")) visible.Set(name, value);
  }
  target.discovered = discovered;
  target.labels = kept.Build();
  target.public_labels = visible.Build();
  target.key = kept.Del(kInterval).Del(kTimeout).Build();
  target.url = BuildUrl(target.labels, config);
  target.hash = Fnv64(StrCat(target.key.encoded(), target.url));
  return std::optional<Target>(std::move(target));
}

int64_t FirstScrapeDelayNs(const Target& target, int64_t wall_now_ns, uint64_t seed) {
  const int64_t interval = target.interval_ms * 1'000'000;
  int64_t base = interval - wall_now_ns % interval;
  int64_t offset = static_cast<int64_t>((target.hash ^ seed) % static_cast<uint64_t>(interval));
  offset -= offset % std::min(kSlotNs, std::max<int64_t>(interval / kMinSlots, 1));
  int64_t next = base + offset;
  return next > interval ? next - interval : next;
}

}  // namespace narthex::scraper
