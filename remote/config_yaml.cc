#include "remote/config_yaml.h"

#include "base/duration.h"
#include "base/strings.h"

namespace narthex::remote {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// The password of a URL as Go's Redacted hides it.
std::string Redacted(const std::string& url) {
  size_t scheme = url.find("://");
  if (scheme == url.npos) return url;
  size_t end = url.find('/', scheme + 3), at = url.rfind('@', end);
  size_t colon = url.find(':', scheme + 3);
  if (at == url.npos || at < scheme || colon == url.npos || colon > at) return url;
  return StrCat(url.substr(0, colon + 1), "xxxxx", url.substr(at));
}

void AddPairs(std::string_view key, const Pairs& pairs, std::string* out) {
  if (pairs.empty()) return;
  StrAppend(out, key, ":\n");
  for (const auto& [name, value] : pairs)
    StrAppend(out, "  ", YamlString(name), ": ", YamlString(value), "\n");
}

void AddFlag(std::string_view key, bool on, std::string* out) {
  if (on) StrAppend(out, key, ": true\n");
}

std::string Indented(std::string_view text, std::string_view by) {
  std::string out;
  while (!text.empty()) {
    size_t end = text.find('\n');
    StrAppend(&out, by, text.substr(0, end), "\n");
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return out;
}

}  // namespace

std::string DumpRemoteWrite(const RemoteWriteConfig& config, const YamlNode& section) {
  std::string out = StrCat("url: ", YamlString(Redacted(config.url)),
                           "\nremote_timeout: ", FormatDurationMs(config.timeout_ms), "\n");
  AddPairs("headers", config.headers, &out);
  if (const YamlNode* rules = section.Find("write_relabel_configs");
      rules != nullptr && !rules->items().empty()) {
    StrAppend(&out, "write_relabel_configs:\n", Indented(rules->Dump(), ""));
  }
  if (!config.name.empty()) StrAppend(&out, "name: ", YamlString(config.name), "\n");
  AddFlag("send_exemplars", config.send_exemplars, &out);
  AddFlag("send_native_histograms", config.send_native_histograms, &out);
  StrAppend(&out, "protobuf_message: ", config.message, "\n", DumpHttpClientConfig(*config.http, 0));
  const QueueConfig& queue = config.queue;
  StrAppend(&out, "queue_config:\n  capacity: ", queue.capacity, "\n  max_shards: ", queue.max_shards,
            "\n  min_shards: ", queue.min_shards, "\n  max_samples_per_send: ", queue.max_samples_per_send);
  StrAppend(&out, "\n  batch_send_deadline: ", FormatDurationMs(queue.batch_send_deadline_ms),
            "\n  min_backoff: ", FormatDurationMs(queue.min_backoff_ms),
            "\n  max_backoff: ", FormatDurationMs(queue.max_backoff_ms), "\n");
  AddFlag("  retry_on_http_429", queue.retry_on_429, &out);
  if (queue.sample_age_limit_ms > 0) {
    StrAppend(&out, "  sample_age_limit: ", FormatDurationMs(queue.sample_age_limit_ms), "\n");
  }
  StrAppend(&out, "metadata_config:\n  send: ", config.send_metadata ? "true" : "false",
            "\n  send_interval: ", FormatDurationMs(config.metadata_interval_ms),
            "\n  max_samples_per_send: ", config.metadata_per_send, "\n");
  return out;
}

std::string DumpRemoteRead(const RemoteReadConfig& config, int64_t chunked_limit) {
  std::string out = StrCat("url: ", YamlString(Redacted(config.url)),
                           "\nremote_timeout: ", FormatDurationMs(config.timeout_ms),
                           "\nchunked_read_limit: ", chunked_limit, "\n");
  AddPairs("headers", config.headers, &out);
  AddFlag("read_recent", config.read_recent, &out);
  if (!config.name.empty()) StrAppend(&out, "name: ", YamlString(config.name), "\n");
  StrAppend(&out, DumpHttpClientConfig(*config.http, 0));
  AddPairs("required_matchers", config.required_matchers, &out);
  AddFlag("filter_external_labels", config.filter_external_labels, &out);
  return out;
}

}  // namespace narthex::remote
