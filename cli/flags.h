// Prometheus's command line. Every flag of Prometheus 3.14 is taken; those that mean nothing here are only
// shown by /api/v1/status/flags (docs/compatibility.md says which).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/log.h"

namespace narthex::cli {

// The flags that Narthex acts on, typed and checked.
struct ServeFlags {
  std::string config_file;
  std::string storage_path;
  int64_t retention_ms = 0;  // 0 = not given
  int64_t retention_bytes = 0;
  int64_t sync_interval_ms = 5000;
  int64_t max_storage_memory = 0;  // 0: a share of the memory limit
  std::vector<std::string> listen_addresses;
  int64_t read_timeout_ms = 0;
  int max_connections = 0;
  std::string external_url, route_prefix, page_title, cors_origin, web_config_file;
  bool enable_lifecycle = false, enable_admin_api = false, enable_remote_write = false;
  int max_notifications_subscribers = 16;
  int64_t search_max_limit = 0;
  bool enable_otlp = false;
  std::vector<std::string> accepted_write_messages;
  std::string user_assets;
  int read_concurrent_limit = 10;
  int64_t read_sample_limit = 0, read_max_bytes_in_frame = 0, remote_flush_deadline_ms = 0;
  bool config_auto_reload = false;
  int64_t config_auto_reload_interval_ms = 0;
  int64_t lookback_delta_ms = 0, query_timeout_ms = 0, max_samples = 0;
  int64_t max_query_memory = 0, max_memory_per_query = 0;  // 0: a share of the memory limit
  std::string promql_kernels;                              // auto, cpu, cuda
  int64_t device_memory = 0, device_reserve = 0;           // 0: a quarter of the device's free memory
  int max_concurrency = 0;
  int64_t outage_tolerance_ms = 0, grace_period_ms = 0, resend_delay_ms = 0;
  int max_concurrent_evals = 0;
  int64_t notification_queue_capacity = 0, notification_batch_size = 0;
  bool drain_notifications = true;
  bool adjust_timestamps = true;
  int64_t timestamp_tolerance_ms = 0, discovery_reload_interval_ms = 0;
  int64_t series_limit = 0, job_series_limit = 0;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kLogfmt;
  std::vector<std::string> disabled_passes;
  std::vector<std::string> features;
  // Every flag with its value in force, sorted by name: what /api/v1/status/flags shows.
  std::vector<std::pair<std::string, std::string>> all;

  bool Feature(std::string_view name) const;
};

// InvalidArgument in Prometheus's words: "unknown long flag '--x'", "expected argument for flag '--x'", ...
absl::StatusOr<ServeFlags> ParseServeFlags(const std::vector<std::string>& args);
// One line a flag, for --help-flags.
std::string DescribeFlags();

}  // namespace narthex::cli
