#include "scraper/scrape_config_yaml.h"

#include "base/duration.h"
#include "base/go_format.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

constexpr std::string_view kSecretKeys[] = {"password",        "credentials", "client_secret", "bearer_token",
                                            "secret_key",      "auth_token",  "token",         "api_token",
                                            "client_key_data", "key"};

bool IsSecret(std::string_view key) {
  for (std::string_view secret : kSecretKeys) {
    if (key == secret) return true;
  }
  return key == "secrets";
}

bool NeedsQuotes(std::string_view s) {
  if (s.empty() || s == "true" || s == "false" || s == "null" || s == "~" || s == "yes" || s == "no")
    return true;
  if (ParseGoFloat(s)) return true;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@` ").find(s[0]) != std::string_view::npos) return true;
  if (s.back() == ' ' || s.back() == ':') return true;
  for (size_t i = 0; i < s.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(s[i]);
    if (c < 0x20 || (c == ':' && i + 1 < s.size() && s[i + 1] == ' ') ||
        (c == ' ' && i + 1 < s.size() && s[i + 1] == '#')) {
      return true;
    }
  }
  return false;
}

std::string Scalar(std::string_view s) { return NeedsQuotes(s) ? GoQuote(s) : std::string(s); }

// Block style, two spaces a level; depth is bounded by the YAML reader's own limit.
void DumpValue(const YamlNode& node, int indent, bool secret, std::string* out);

void DumpFields(const YamlNode& node, int indent, bool secret, bool first_inline, std::string* out) {
  const std::string pad(indent, ' ');
  bool first = first_inline;
  for (const auto& [key, value] : node.fields()) {
    if (!first) *out += pad;
    first = false;
    StrAppend(out, Scalar(key), ":");
    DumpValue(value, value.IsSequence() ? indent : indent + 2, secret || IsSecret(key), out);
  }
}

void DumpValue(const YamlNode& node, int indent, bool secret, std::string* out) {
  if (node.IsMapping()) {
    *out += node.fields().empty() ? " {}\n" : "\n";
    DumpFields(node, indent, secret, false, out);
  } else if (node.IsSequence()) {
    *out += node.items().empty() ? " []\n" : "\n";
    for (const YamlNode& item : node.items()) {
      StrAppend(out, std::string(indent, ' '), "-");
      if (item.IsMapping() && !item.fields().empty()) {
        *out += ' ';
        DumpFields(item, indent + 2, secret, true, out);
      } else {
        DumpValue(item, indent + 2, secret, out);
      }
    }
  } else if (node.IsNull()) {
    *out += " null\n";
  } else {
    StrAppend(out, " ", secret ? "<secret>" : node.quoted() ? Scalar(node.scalar()) : node.scalar(), "\n");
  }
}

class Writer {
 public:
  template <typename T>
  Writer& Line(std::string_view key, const T& value) {
    StrAppend(&out_, key, ": ", value, "\n");
    return *this;
  }
  Writer& Flag(std::string_view key, bool value) { return Line(key, value ? "true" : "false"); }
  Writer& Limit(std::string_view key, int64_t value) {
    if (value != 0) Line(key, value);
    return *this;
  }
  std::string out_;
};

std::string Bytes(int64_t bytes) {
  static constexpr std::pair<std::string_view, int64_t> kUnits[] = {{"EiB", 1LL << 60}, {"PiB", 1LL << 50},
                                                                    {"TiB", 1LL << 40}, {"GiB", 1LL << 30},
                                                                    {"MiB", 1LL << 20}, {"KiB", 1LL << 10}};
  for (const auto& [unit, size] : kUnits) {
    if (bytes >= size && bytes % size == 0) return StrCat(bytes / size, unit);
  }
  return StrCat(bytes, "B");
}

void DumpTarget(const ScrapeConfig& c, Writer* w) {
  w->Line("job_name", Scalar(c.job_name));
  if (c.honor_labels) w->Flag("honor_labels", true);
  w->Flag("honor_timestamps", c.honor_timestamps);
  w->Flag("track_timestamps_staleness", c.track_timestamps_staleness);
  if (!c.params.empty()) {
    w->out_ += "params:\n";
    for (const auto& [name, values] : c.params) {
      StrAppend(&w->out_, "  ", Scalar(name), ":\n");
      for (const std::string& value : values) StrAppend(&w->out_, "  - ", Scalar(value), "\n");
    }
  }
  w->Line("scrape_interval", FormatDurationMs(c.scrape_interval_ms));
  w->Line("scrape_timeout", FormatDurationMs(c.scrape_timeout_ms));
  w->out_ += "scrape_protocols:\n";
  for (const std::string& protocol : c.scrape_protocols) StrAppend(&w->out_, "- ", protocol, "\n");
  if (!c.fallback_scrape_protocol.empty()) w->Line("fallback_scrape_protocol", c.fallback_scrape_protocol);
}

}  // namespace

std::string DumpScrapeConfig(const ScrapeConfig& c, const YamlNode& section) {
  Writer w;
  DumpTarget(c, &w);
  w.Flag("scrape_native_histograms", c.scrape_native_histograms);
  w.Flag("always_scrape_classic_histograms", c.always_scrape_classic_histograms);
  w.Flag("convert_classic_histograms_to_nhcb", c.convert_classic_histograms_to_nhcb);
  w.Line("metrics_path", Scalar(c.metrics_path)).Line("scheme", Scalar(c.scheme));
  w.Flag("enable_compression", c.enable_compression);
  if (c.body_size_limit != 0) w.Line("body_size_limit", Bytes(c.body_size_limit));
  w.Limit("sample_limit", c.sample_limit)
      .Limit("target_limit", c.target_limit)
      .Limit("label_limit", c.label_limit);
  w.Limit("label_name_length_limit", c.label_name_length_limit);
  w.Limit("label_value_length_limit", c.label_value_length_limit);
  w.Limit("native_histogram_bucket_limit", c.native_histogram_bucket_limit);
  if (c.native_histogram_min_bucket_factor != 0) {
    w.Line("native_histogram_min_bucket_factor", FormatFloatG(c.native_histogram_min_bucket_factor));
  }
  w.Limit("keep_dropped_targets", c.keep_dropped_targets);
  w.Line("metric_name_validation_scheme", c.metric_name_validation_scheme);
  w.Line("metric_name_escaping_scheme", c.metric_name_escaping_scheme);
  if (!c.scrape_failure_log_file.empty())
    w.Line("scrape_failure_log_file", Scalar(c.scrape_failure_log_file));
  w.Flag("extra_scrape_metrics", c.extra_scrape_metrics);
  w.out_ += DumpHttpClientConfig(*c.http, 0);
  // Relabelling before discovery, as upstream orders them.
  for (std::string_view key : {"relabel_configs", "metric_relabel_configs"}) {
    const YamlNode* node = section.Find(key);
    if (node == nullptr || node->items().empty()) continue;
    StrAppend(&w.out_, key, ":");
    DumpValue(*node, 0, false, &w.out_);
  }
  for (const auto& [key, node] : section.fields()) {
    if (!key.ends_with("_sd_configs") && key != "static_configs") continue;
    StrAppend(&w.out_, key, ":");
    DumpValue(node, 0, false, &w.out_);
  }
  return w.out_;
}

}  // namespace narthex::scraper
