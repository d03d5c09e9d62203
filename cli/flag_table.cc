#include "cli/flag_table.h"

namespace narthex::cli {
namespace {

using enum FlagKind;

constexpr FlagRow kRows[] = {
    {"config.file", kString, "prometheus.yml", true},
    {"config.auto-reload", kBool, "false", true},
    {"config.auto-reload-interval", kDuration, "30s", true},
    {"agent", kBool, "false", false},
    {"enable-feature", kList, "", true},
    {"log.level", kString, "info", true},
    {"log.format", kString, "logfmt", true},
    {"auto-gomaxprocs", kBool, "true", false},
    {"auto-gomemlimit", kBool, "true", false},
    {"auto-gomemlimit.ratio", kFloat, "0.9", false},
    {"auto-gomemlimit.refresh-interval", kDuration, "0s", false},
    {"web.listen-address", kList, "0.0.0.0:9090", true},
    {"web.config.file", kString, "", true},
    {"web.read-timeout", kDuration, "5m", true},
    {"web.max-connections", kInt, "512", true},
    {"web.max-notifications-subscribers", kInt, "16", true},
    {"web.external-url", kString, "", true},
    {"web.route-prefix", kString, "", true},
    {"web.user-assets", kString, "", true},
    {"web.enable-lifecycle", kBool, "false", true},
    {"web.enable-admin-api", kBool, "false", true},
    {"web.enable-remote-write-receiver", kBool, "false", true},
    {"web.remote-write-receiver.accepted-protobuf-messages", kList,
     "prometheus.WriteRequest,io.prometheus.write.v2.Request", true},
    {"web.enable-otlp-receiver", kBool, "false", true},
    {"web.console.templates", kString, "consoles", false},
    {"web.console.libraries", kString, "console_libraries", false},
    {"web.page-title", kString, "Prometheus Time Series Collection and Processing Server", true},
    {"web.cors.origin", kString, ".*", true},
    {"web.search.max-limit", kInt, "10000", true},
    {"storage.tsdb.path", kString, "data/", true},
    {"storage.tsdb.retention.time", kDuration, "", true},
    {"storage.tsdb.retention.size", kBytes, "0B", true},
    {"storage.tsdb.no-lockfile", kBool, "false", false},
    {"storage.tsdb.head-chunks-write-queue-size", kInt, "0", false},
    {"storage.tsdb.delay-compact-file.path", kString, "", false},
    {"storage.tsdb.min-block-duration", kDuration, "2h", false},
    {"storage.tsdb.max-block-duration", kDuration, "", false},
    {"storage.tsdb.max-block-chunk-segment-size", kBytes, "0B", false},
    {"storage.tsdb.wal-segment-size", kBytes, "0B", false},
    {"storage.tsdb.allow-overlapping-blocks", kBool, "false", false},
    {"storage.tsdb.allow-overlapping-compaction", kBool, "true", false},
    {"storage.tsdb.wal-compression", kBool, "true", false},
    {"storage.tsdb.wal-compression-type", kString, "snappy", false},
    {"storage.tsdb.samples-per-chunk", kInt, "120", false},
    {"storage.tsdb.delayed-compaction.max-percent", kInt, "10", false},
    {"storage.tsdb.block-reload-interval", kDuration, "1m", false},
    {"storage.sync-interval", kDuration, "5s", true},  // Narthex's own
    {"storage.max-memory", kBytes, "0B", true},        // Narthex's own
    {"storage.agent.path", kString, "data-agent/", false},
    {"storage.agent.wal-segment-size", kBytes, "0B", false},
    {"storage.agent.wal-compression", kBool, "true", false},
    {"storage.agent.wal-compression-type", kString, "snappy", false},
    {"storage.agent.wal-truncate-frequency", kDuration, "0s", false},
    {"storage.agent.retention.min-time", kDuration, "", false},
    {"storage.agent.retention.max-time", kDuration, "", false},
    {"storage.agent.checkpoint-from-in-memory-series", kBool, "false", false},
    {"storage.agent.checkpoint-batch-size", kInt, "1000", false},
    {"storage.agent.no-lockfile", kBool, "false", false},
    {"storage.remote.flush-deadline", kDuration, "1m", true},
    {"storage.remote.read-sample-limit", kFloat, "5e7", true},
    {"storage.remote.read-concurrent-limit", kInt, "10", true},
    {"storage.remote.read-max-bytes-in-frame", kInt, "1048576", true},
    {"rules.alert.for-outage-tolerance", kDuration, "1h", true},
    {"rules.alert.for-grace-period", kDuration, "10m", true},
    {"rules.alert.resend-delay", kDuration, "1m", true},
    {"rules.max-concurrent-evals", kInt, "4", true},
    {"alertmanager.notification-queue-capacity", kInt, "10000", true},
    {"alertmanager.notification-batch-size", kInt, "256", true},
    {"alertmanager.drain-notification-queue-on-shutdown", kBool, "true", true},
    {"alertmanager.timeout", kDuration, "", false},
    {"query.lookback-delta", kDuration, "5m", true},
    {"query.timeout", kDuration, "2m", true},
    {"query.max-concurrency", kInt, "20", true},
    {"query.max-samples", kInt, "50000000", true},
    {"query.max-memory", kBytes, "0B", true},            // Narthex's own
    {"query.max-memory-per-query", kBytes, "0B", true},  // Narthex's own
    {"promql.kernels", kString, "auto", true},           // Narthex's own
    {"promql.device-memory", kBytes, "0B", true},        // Narthex's own
    {"promql.device-reserve", kBytes, "512MB", true},    // Narthex's own
    {"query.disable-pass", kList, "", true},             // Narthex's own
    {"scrape.adjust-timestamps", kBool, "true", true},
    {"scrape.timestamp-tolerance", kDuration, "2ms", true},
    {"scrape.discovery-reload-interval", kDuration, "5s", true},
    {"scrape.series-limit", kInt, "0", true},      // Narthex's own
    {"scrape.job-series-limit", kInt, "0", true},  // Narthex's own
};

}  // namespace

std::span<const FlagRow> FlagTable() { return kRows; }

}  // namespace narthex::cli
