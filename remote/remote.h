// CONTRACT of remote: samples from and to other servers. Remote write 1.0 and 2.0 and remote read, as
// receiver and as sender, and OTLP metrics in.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/yaml.h"
#include "model/relabel.h"
#include "tsdb/tsdb.h"

namespace narthex::remote {

// ---- Receiving

inline constexpr std::string_view kWriteV1 = "prometheus.WriteRequest";
inline constexpr std::string_view kWriteV2 = "io.prometheus.write.v2.Request";

struct ReceiverOptions {
  tsdb::Db* db = nullptr;
  const Clock* clock = nullptr;
  MetricsRegistry* metrics = nullptr;
  std::vector<std::string> accepted{std::string(kWriteV1), std::string(kWriteV2)};  // protobuf messages
  bool start_timestamps = false;                                                    // keep them
};

struct WriteOutcome {
  int http_status = 204;  // 204 (OTLP 200); 400 for bad data or out-of-order samples; 415; 429; 500
  std::string error;      // body for a non-2xx status
  int64_t samples = 0, histograms = 0, exemplars = 0;        // written
  std::vector<std::pair<std::string, std::string>> headers;  // for the answer
};

// Decodes a snappy-compressed request (1.0 or 2.0 by content type) and appends it. Samples that cannot be
// accepted (out of order, too old, more than ten minutes ahead, duplicate with another value, bad labels) do
// not stop the others; they give 400. New series that there is no memory for do not stop the others either;
// they give 429: senders that are told to (retry_on_http_429) try again, and samples that were stored are
// taken again.
WriteOutcome HandleWrite(const ReceiverOptions& options, std::string_view body, std::string_view content_type,
                         std::string_view content_encoding);

struct OtlpConfig {
  bool promote_all = false, keep_identifying = false, convert_histograms = false, promote_scope = false,
       sanitize_underscore = true, preserve_underscores = true;
  std::vector<std::string> promote, ignore;
  std::string strategy = "UnderscoreEscapingWithSuffixes";
  bool Utf8() const { return strategy == "NoUTF8EscapingWithSuffixes" || strategy == "NoTranslation"; }
  bool Suffixes() const { return strategy.ends_with("WithSuffixes"); }
};
// The `otlp` section (not null). Errors in Prometheus's words.
absl::StatusOr<OtlpConfig> ParseOtlpConfig(const YamlNode& section, bool legacy_names);

// One OTLP/HTTP export request, protobuf or JSON, plain or gzip.
WriteOutcome HandleOtlp(const ReceiverOptions& options, const OtlpConfig& config, std::string_view body,
                        std::string_view content_type, std::string_view content_encoding);

// How many remote read requests are answered at once. Thread-safe.
class ReadGate {
 public:
  ReadGate(int slots, MetricsRegistry* metrics);
  // Waits for a place. False: the client is gone.
  bool Enter(const std::atomic<bool>* cancelled);
  void Leave();

 private:
  const int slots_;
  Gauge* const queries_;
  Mutex mutex_;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0, waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

struct ReadOptions {
  const tsdb::Queryable* storage = nullptr;
  std::vector<std::pair<std::string, std::string>> external_labels;
  int64_t sample_limit = 50'000'000, max_bytes_in_frame = 1 << 20;
};
// Answers a remote read request: samples, or chunks as they are read. Not OK: the answer had begun and broke
// off.
absl::Status HandleRead(const ReadOptions& options, std::string_view body, HttpResponseWriter* out);

// ---- Sending

struct QueueConfig {
  int64_t capacity = 10'000, max_shards = 50, min_shards = 1, max_samples_per_send = 2000;
  int64_t batch_send_deadline_ms = 5000, min_backoff_ms = 30, max_backoff_ms = 5000, sample_age_limit_ms = 0;
  bool retry_on_429 = false;
};

struct RemoteWriteConfig {
  std::string url, name;
  int64_t timeout_ms = 30'000;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<RelabelConfig> relabel_configs;
  std::string message{kWriteV1};
  bool send_exemplars = false, send_native_histograms = false;
  bool send_metadata = true;
  int64_t metadata_interval_ms = 60'000, metadata_per_send = 2000;
  QueueConfig queue;
  std::shared_ptr<HttpClientConfig> http;
  std::vector<std::string> unsupported;  // "sigv4", ...
  std::string fingerprint;               // the section as written: equal means unchanged
  std::string yaml;                      // the section in force, secrets hidden
};
// The `remote_write` section (not null).
absl::StatusOr<std::vector<RemoteWriteConfig>> ParseRemoteWrite(const YamlNode& section,
                                                                const std::string& base_dir);

struct RemoteReadConfig {
  std::string url, name;
  int64_t timeout_ms = 60'000;
  std::vector<std::pair<std::string, std::string>> headers, required_matchers;
  bool read_recent = false, filter_external_labels = true;
  std::shared_ptr<HttpClientConfig> http;
  std::string yaml;  // the section in force, secrets hidden
};
// The `remote_read` section (not null).
absl::StatusOr<std::vector<RemoteReadConfig>> ParseRemoteRead(const YamlNode& section,
                                                              const std::string& base_dir);

struct MetricMetadata {
  std::string metric, type, help, unit;
};

struct SenderOptions {
  tsdb::Db* db = nullptr;
  HttpClient* http = nullptr;
  const Clock* clock = nullptr;
  const Logger* logger = nullptr;
  MetricsRegistry* metrics = nullptr;
  std::function<std::vector<MetricMetadata>()> metadata;  // may be null
  // A sample may become visible so long after its timestamp and is still sent.
  int64_t lateness_ms = 60'000;
  int64_t flush_deadline_ms = 60'000;
};

// Sends what storage has to every remote_write. Each endpoint has a cursor that storage keeps: what was not
// sent when the endpoint or this process was away is sent later, as far back as storage reaches. Thread-safe.
class Sender {
 public:
  static std::unique_ptr<Sender> Create(SenderOptions options);
  virtual ~Sender() = default;
  // Endpoints whose section did not change go on undisturbed.
  virtual absl::Status Apply(std::vector<RemoteWriteConfig> configs,
                             std::vector<std::pair<std::string, std::string>> external_labels) = 0;
  virtual void Stop() = 0;
};

// Local storage and the remote_read endpoints as one. Thread-safe; selections ask the endpoints over HTTP.
class ReadStorage : public tsdb::Queryable {
 public:
  static std::unique_ptr<ReadStorage> Create(const tsdb::Db* local, HttpClient* http, const Logger* logger);
  virtual void Apply(std::vector<RemoteReadConfig> configs,
                     std::vector<std::pair<std::string, std::string>> external_labels) = 0;
};

}  // namespace narthex::remote
