#include "cli/server.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/code_pages.h"
#include "base/duration.h"
#include "base/heap.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/system_memory.h"
#include "cli/devices.h"
#include "cli/process_metrics.h"
#include "cli/version.h"
#include "promql/kernels.h"

namespace narthex::cli {
namespace {

constexpr char kShuttingDown[] = "Prometheus is shutting down and gracefully stopping all operations.";
constexpr char kReloadFailed[] = "Configuration reload has failed.";
constexpr int64_t kDefaultRetentionMs = 15LL * 24 * 3600 * 1000;

std::string HostName() {
  char name[256] = "localhost";
  gethostname(name, sizeof name - 1);
  return name;
}

// The external URL in full: given, or http://HOST:PORT/ of the first listen address.
std::string ExternalUrl(const ServeFlags& flags) {
  std::string url = flags.external_url;
  if (url.empty()) {
    std::string_view address = flags.listen_addresses.front();
    url = StrCat("http://", HostName(),
                 address.substr(address.rfind(':') == address.npos ? 0 : address.rfind(':')));
  }
  if (url.ends_with("/")) url.pop_back();
  return url;
}

std::string RoutePrefix(const ServeFlags& flags, const std::string& external_url) {
  std::string prefix = flags.route_prefix;
  if (prefix.empty()) {
    size_t host = external_url.find("://");
    size_t path = external_url.find('/', host == external_url.npos ? 0 : host + 3);
    prefix = path == external_url.npos ? "/" : external_url.substr(path);
  }
  while (prefix.ends_with("/")) prefix.pop_back();
  while (prefix.starts_with("/")) prefix.erase(0, 1);
  return "/" + prefix;
}

// The vector unit that queries use.
std::string KernelName() {
  for (const auto& [name, kernels] : promql::AllKernels()) {
    if (kernels.rates == promql::MachineKernels().rates) return name;
  }
  return "";
}

int64_t RetentionMs(const ServeFlags& flags, const LoadedConfig& config) {
  if (flags.retention_ms > 0) return flags.retention_ms;
  if (config.retention_ms > 0) return config.retention_ms;
  bool by_size = flags.retention_bytes > 0 || config.retention_bytes > 0;
  return by_size ? 0 : kDefaultRetentionMs;
}

int64_t RetentionBytes(const ServeFlags& flags, const LoadedConfig& config) {
  return flags.retention_bytes > 0 ? flags.retention_bytes : config.retention_bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServeFlags flags, const Clock* clock,
                                                      const Logger* logger, std::function<void()> quit) {
  std::unique_ptr<Server> server(new Server(std::move(flags), clock, logger));
  RETURN_IF_ERROR(server->Open(std::move(quit)));
  return server;
}

Server::Server(ServeFlags flags, const Clock* clock, const Logger* logger)
    : flags_(std::move(flags)),
      clock_(clock),
      logger_(logger),
      start_time_ms_(clock->NowMs()),
      metrics_(std::make_unique<MetricsRegistry>()),
      notifications_(std::make_unique<api::NotificationCenter>(clock, flags_.max_notifications_subscribers)),
      query_log_(std::make_unique<api::QueryLog>(clock, metrics_.get())),
      read_gate_(std::make_unique<remote::ReadGate>(flags_.read_concurrent_limit, metrics_.get())) {}

Server::~Server() {
  ready_ = false;
  notifications_->Set(kShuttingDown, true);
  notifications_->Stop();
  if (scraper_) scraper_->Stop();
  if (rules_) rules_->Stop();
  if (notifier_) notifier_->Stop();
  if (http_server_) http_server_->Stop(/*grace_ms=*/2000);
  http_server_.reset();
  // Last of the writers' readers: it sends what the others have just stored.
  if (sender_) sender_->Stop();
  sender_.reset();
  read_storage_.reset();
  rules_.reset();
  scraper_.reset();
  notifier_.reset();
  rule_pool_.reset();
  scrape_pool_.reset();
  http_client_.reset();
  engine_.reset();
  devices_.reset();
  db_.reset();
}

absl::Status Server::Open(std::function<void()> quit) {
  absl::StatusOr<LoadedConfig> config = LoadConfig(flags_.config_file);
  if (!config.ok()) return config.status();
  RegisterProcessMetrics(metrics_.get(), static_cast<double>(start_time_ms_) / 1000);
  metrics_
      ->GetGauge("prometheus_build_info", "A metric with a constant '1' value labeled by version.",
                 {{"version", kPrometheusVersion}, {"revision", kRevision}, {"narthex_version", kVersion}})
      ->Set(1);
  metrics_->AddCallback("prometheus_ready",
                        "Whether Prometheus startup was fully completed and the server is ready.", "gauge",
                        [this] {
                          return std::vector<std::pair<MetricLabels, double>>{{{}, ready_ ? 1.0 : 0.0}};
                        });
  RETURN_IF_ERROR(OpenStorage(*config));
  ReleaseUnusedCode();
  CreateEngines();
  CreateRemote();
  RETURN_IF_ERROR(OpenHttp(std::move(quit)));
  RETURN_IF_ERROR(Apply(*std::move(config)));
  rules_->Start();
  ready_ = true;
  logger_->Info("Server is ready to receive web requests.");
  return absl::OkStatus();
}

absl::Status Server::OpenStorage(const LoadedConfig& config) {
  tsdb::Options options;
  options.path = flags_.storage_path;
  options.retention_ms = RetentionMs(flags_, config);
  options.retention_bytes = RetentionBytes(flags_, config);
  options.out_of_order_window_ms = config.out_of_order_window_ms;
  options.sync_interval_ms = flags_.sync_interval_ms;
  options.memory_limit_bytes =
      flags_.max_storage_memory > 0 ? flags_.max_storage_memory : MemoryLimitBytes() / 2;
  options.clock = clock_;
  options.logger = logger_;
  options.metrics = metrics_.get();
  absl::StatusOr<std::unique_ptr<tsdb::Db>> db = tsdb::Db::Open(options);
  if (!db.ok())
    return absl::Status(db.status().code(), StrCat("opening storage failed: ", db.status().message()));
  db_ = *std::move(db);
  logger_->Info("TSDB started", {{"path", flags_.storage_path}});
  return absl::OkStatus();
}

void Server::CreateEngines() {
  promql::EngineOptions engine;
  engine.lookback_delta_ms = flags_.lookback_delta_ms;
  engine.timeout_ms = flags_.query_timeout_ms;
  engine.max_samples = flags_.max_samples;
  engine.max_concurrency = flags_.max_concurrency;
  engine.max_total_query_bytes =
      flags_.max_query_memory > 0 ? flags_.max_query_memory : MemoryLimitBytes() / 4;
  engine.max_query_bytes =
      flags_.max_memory_per_query > 0 ? flags_.max_memory_per_query : engine.max_total_query_bytes / 2;
  engine.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  engine.per_step_stats = flags_.Feature("promql-per-step-stats");
  engine.disabled_passes = flags_.disabled_passes;
  engine.delayed_name_removal = flags_.Feature("promql-delayed-name-removal");
  engine.use_start_timestamps = flags_.Feature("use-start-timestamps");
  engine.type_and_unit_labels = flags_.Feature("type-and-unit-labels");
  engine.parser.experimental_functions = flags_.Feature("promql-experimental-functions");
  engine.parser.extended_range_selectors = flags_.Feature("promql-extended-range-selectors");
  engine.parser.fill_modifiers = flags_.Feature("promql-binop-fill-modifiers");
  engine.after_heavy_query = ReleaseFreeHeap;
  engine.clock = clock_;
  engine.metrics = metrics_.get();
  devices_ = OpenDevices(flags_, clock_, logger_, metrics_.get());
  engine.devices = devices_.get();
  engine_ = std::make_unique<promql::Engine>(engine);

  http_client_ = std::make_unique<HttpClient>();
  scrape_pool_ = std::make_unique<ThreadPool>(2);
  rule_pool_ = std::make_unique<ThreadPool>(std::max(1, flags_.max_concurrent_evals));

  scraper::ManagerOptions scraping;
  scraping.db = db_.get();
  scraping.http = http_client_.get();
  scraping.pool = scrape_pool_.get();
  scraping.clock = clock_;
  scraping.logger = logger_;
  scraping.metrics = metrics_.get();
  scraping.discovery_reload_interval_ms = flags_.discovery_reload_interval_ms;
  scraping.adjust_timestamps = flags_.adjust_timestamps;
  scraping.series_limit = flags_.series_limit;
  scraping.job_series_limit = flags_.job_series_limit;
  scraping.timestamp_tolerance_ms = flags_.timestamp_tolerance_ms;
  scraper_ = scraper::Manager::Create(scraping);

  queue_store_ = std::make_unique<DbQueueStore>(db_.get());
  alerting::NotifierOptions notifying;
  notifying.store = queue_store_.get();
  notifying.external_url = ExternalUrl(flags_);
  notifying.http = http_client_.get();
  notifying.clock = clock_;
  notifying.logger = logger_;
  notifying.metrics = metrics_.get();
  notifying.queue_capacity = flags_.notification_queue_capacity;
  notifying.batch_size = flags_.notification_batch_size;
  notifying.drain_on_shutdown = flags_.drain_notifications;
  notifier_ = alerting::Notifier::Create(notifying);

  rules::ManagerOptions ruling;
  ruling.db = db_.get();
  ruling.engine = engine_.get();
  ruling.sink = notifier_.get();
  ruling.pool = rule_pool_.get();
  ruling.clock = clock_;
  ruling.logger = logger_;
  ruling.metrics = metrics_.get();
  ruling.external_url = ExternalUrl(flags_);
  ruling.outage_tolerance_ms = flags_.outage_tolerance_ms;
  ruling.for_grace_period_ms = flags_.grace_period_ms;
  ruling.resend_delay_ms = flags_.resend_delay_ms;
  ruling.max_concurrent_evals = flags_.max_concurrent_evals;
  ruling.concurrent_rules = flags_.Feature("concurrent-rule-eval");
  ruling.on_query = [this](const rules::RuleQuery& query) { query_log_->WriteRule(query); };
  rules_ = rules::Manager::Create(ruling);
}

api::Options Server::ApiOptions(std::function<void()> quit) {
  api::Options options;
  options.db = db_.get();
  options.engine = engine_.get();
  options.kernels = [this] {
    auto out = devices_->Describe();
    out.emplace_back("cpu", KernelName());
    return out;
  };
  options.scraper = scraper_.get();
  options.rules = rules_.get();
  options.notifier = notifier_.get();
  options.clock = clock_;
  options.logger = logger_;
  options.metrics = metrics_.get();
  options.build = {kPrometheusVersion, kRevision, "narthex",
                   "narthex",          "",        StrCat("C++20, narthex ", kVersion)};
  options.external_url = ExternalUrl(flags_);
  options.route_prefix = RoutePrefix(flags_, options.external_url);
  options.cors_origin = flags_.cors_origin;
  options.page_title = flags_.page_title;
  options.enable_lifecycle = flags_.enable_lifecycle;
  options.enable_admin_api = flags_.enable_admin_api;
  options.enable_remote_write = flags_.enable_remote_write;
  options.enable_otlp = flags_.enable_otlp;
  options.storage = read_storage_.get();
  options.receiver.db = db_.get();
  options.receiver.clock = clock_;
  options.receiver.metrics = metrics_.get();
  options.receiver.accepted = flags_.accepted_write_messages;
  options.receiver.start_timestamps = flags_.Feature("st-storage") || flags_.Feature("use-start-timestamps");
  options.otlp = [this] {
    MutexLock lock(&mutex_);
    return otlp_;
  };
  options.read_gate = read_gate_.get();
  options.read_sample_limit = flags_.read_sample_limit;
  options.read_max_bytes_in_frame = flags_.read_max_bytes_in_frame;
  options.external_labels = [this] {
    MutexLock lock(&mutex_);
    return external_labels_;
  };
  options.enable_search = flags_.Feature("search-api");
  options.search_max_limit = static_cast<size_t>(std::max<int64_t>(0, flags_.search_max_limit));
  options.notifications = notifications_.get();
  options.query_log = query_log_.get();
  options.scrape_config = [this](const std::string& job) -> std::shared_ptr<const scraper::ScrapeConfig> {
    MutexLock lock(&mutex_);
    auto it = scrape_configs_.find(job);
    return it == scrape_configs_.end() ? nullptr : it->second;
  };
  options.user_assets = flags_.user_assets;
  options.data_path = flags_.storage_path;
  options.storage_retention =
      FormatDurationMs(flags_.retention_ms > 0 ? flags_.retention_ms : kDefaultRetentionMs);
  std::error_code error;
  options.cwd = std::filesystem::current_path(error).string();
  options.hostname = HostName();
  options.start_time_ms = start_time_ms_;
  options.flags = flags_.all;
  options.config_yaml = [this] {
    MutexLock lock(&mutex_);
    return config_yaml_;
  };
  options.reload_status = [this] {
    MutexLock lock(&mutex_);
    return std::make_pair(reload_ok_, reload_time_ms_);
  };
  options.reload = [this] { return Reload(); };
  options.quit = std::move(quit);
  options.ready = [this] { return ready_.load(); };
  return options;
}

void Server::CreateRemote() {
  remote::SenderOptions sending;
  sending.db = db_.get();
  sending.http = http_client_.get();
  sending.clock = clock_;
  sending.logger = logger_;
  sending.metrics = metrics_.get();
  sending.flush_deadline_ms = flags_.remote_flush_deadline_ms;
  sending.metadata = [this] {
    std::vector<remote::MetricMetadata> out;
    for (auto& [target, found] : scraper_->Metadata("")) {
      out.push_back(
          {std::move(found.metric), std::move(found.type), std::move(found.help), std::move(found.unit)});
    }
    return out;
  };
  sender_ = remote::Sender::Create(std::move(sending));
  read_storage_ = remote::ReadStorage::Create(db_.get(), http_client_.get(), logger_);
}

absl::Status Server::OpenHttp(std::function<void()> quit) {
  HttpServerOptions options;
  options.listen_addresses = flags_.listen_addresses;
  options.max_connections = flags_.max_connections;
  options.read_timeout_ms = flags_.read_timeout_ms;
  api::Options api_options = ApiOptions(std::move(quit));
  options.is_light = api::LightRequests(api_options.route_prefix);
  HttpHandler handler = api::NewHandler(std::move(api_options));
  if (!flags_.web_config_file.empty()) {
    absl::StatusOr<std::unique_ptr<WebGate>> gate = WebGate::Open(flags_.web_config_file, clock_, logger_);
    if (!gate.ok()) {
      return absl::InvalidArgumentError(StrCat("Unable to validate web configuration file ",
                                               flags_.web_config_file, ": ", gate.status().message()));
    }
    web_gate_ = *std::move(gate);
    handler = web_gate_->Guard(std::move(handler));
    if (web_gate_->tls()) options.tls_context = [this] { return web_gate_->TlsContext(); };
  }
  ASSIGN_OR_RETURN(http_server_, HttpServer::Start(options, std::move(handler)));
  for (const std::string& address : flags_.listen_addresses)
    logger_->Info("Listening on", {{"address", address}});
  return absl::OkStatus();
}

absl::Status Server::Apply(LoadedConfig config) {
  ASSIGN_OR_RETURN(std::vector<rules::GroupSpec> groups, LoadRules(config, engine_->options().parser));
  for (const std::string& section : config.ignored) {
    logger_->Warn("This section of the configuration is accepted but has no effect yet",
                  {{"section", section}});
  }
  RETURN_IF_ERROR(query_log_->Open(config.global.query_log_file));
  RETURN_IF_ERROR(db_->ApplyRetention(RetentionMs(flags_, config), RetentionBytes(flags_, config),
                                      config.out_of_order_window_ms));
  RETURN_IF_ERROR(notifier_->Apply(config.alerting, config.global.external_labels));
  read_storage_->Apply(std::move(config.remote_read), config.global.external_labels);
  RETURN_IF_ERROR(sender_->Apply(std::move(config.remote_write), config.global.external_labels));
  engine_->SetDefaultSubqueryStep(config.global.evaluation_interval_ms);
  RETURN_IF_ERROR(rules_->Apply(std::move(groups), config.global.evaluation_interval_ms,
                                config.global.rule_query_offset_ms, config.global.external_labels));
  std::map<std::string, std::shared_ptr<const scraper::ScrapeConfig>> jobs;
  for (const scraper::ScrapeConfig& job : config.scrape_configs) {
    jobs[job.job_name] = std::make_shared<const scraper::ScrapeConfig>(job);
  }
  RETURN_IF_ERROR(scraper_->Apply(config.global, std::move(config.scrape_configs)));
  notifications_->Set(kReloadFailed, false);
  MutexLock lock(&mutex_);
  scrape_configs_ = std::move(jobs);
  otlp_ = std::move(config.otlp);
  external_labels_ = config.global.external_labels;
  config_yaml_ = std::move(config.yaml);
  reload_ok_ = true;
  reload_time_ms_ = clock_->NowMs();
  metrics_
      ->GetGauge("prometheus_config_last_reload_successful",
                 "Whether the last configuration reload attempt was successful.")
      ->Set(1);
  metrics_
      ->GetGauge("prometheus_config_last_reload_success_timestamp_seconds",
                 "Timestamp of the last successful configuration reload.")
      ->Set(static_cast<double>(reload_time_ms_) / 1000);
  return absl::OkStatus();
}

absl::Status Server::Reload() {
  MutexLock one_at_a_time(&reload_mutex_);
  logger_->Info("Loading configuration file", {{"filename", flags_.config_file}});
  absl::StatusOr<LoadedConfig> config = LoadConfig(flags_.config_file);
  absl::Status status = config.ok() ? Apply(*std::move(config)) : config.status();
  if (!status.ok()) {
    notifications_->Set(kReloadFailed, true);
    logger_->Error("Error reloading config", {{"err", std::string(status.message())}});
    MutexLock lock(&mutex_);
    reload_ok_ = false;
    metrics_
        ->GetGauge("prometheus_config_last_reload_successful",
                   "Whether the last configuration reload attempt was successful.")
        ->Set(0);
    return absl::Status(status.code(), StrCat("couldn't load configuration (--config.file=\"",
                                              flags_.config_file, "\"): ", status.message()));
  }
  logger_->Info("Completed loading of configuration file", {{"filename", flags_.config_file}});
  return absl::OkStatus();
}

}  // namespace narthex::cli
