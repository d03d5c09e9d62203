#include "scraper/scrape_loop.h"

#include <algorithm>
#include <cmath>

#include "absl/container/inlined_vector.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "scraper/protocols.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

constexpr int kMaxMisaligned = 3;
constexpr size_t kPieceBytes = 1 << 20;  // longer pages are worked off while they come

}  // namespace

void MetadataSink::Offer(const TargetMetadata& m) {
  uint64_t hash = Fnv64(StrCat(m.type, "\xff", m.unit, "\xff", m.help));
  {
    MutexLock lock(&mutex_);
    auto [it, added] = known_.emplace(m.metric, hash);
    if (!added && it->second == hash) return;
    it->second = hash;
  }
  // A lost piece of metadata costs nothing but its text, and the next change brings it again.
  (void)db_->SetMetadata(m.metric, {m.type, m.help, m.unit});
}

ScrapeLoop::ScrapeLoop(ScrapeContext* context, std::shared_ptr<const ScrapeConfig> config, Target target)
    : context_(context),
      options_(context->options),
      metrics_(&context->metrics),
      config_(std::move(config)),
      target_(std::move(target)),
      share_(context->budget.Job(config_->job_name)) {
  MutexLock lock(&mutex_);
  Prepare();
}

HttpClientRequest ScrapeLoop::Request() const {
  MutexLock lock(&mutex_);
  return request_;
}

// What is the same for each scrape is made once.
void ScrapeLoop::Prepare() {
  request_ = HttpClientRequest();
  request_.url = target_.url;
  request_.timeout_ms = target_.timeout_ms;
  request_.max_body_bytes = config_->body_size_limit;
  request_.piece_bytes = kPieceBytes;
  request_.repeated = true;
  request_.accept_gzip = config_->enable_compression;
  request_.config = config_->http;
  request_.headers = {
      {"Accept", AcceptHeader(config_->scrape_protocols, config_->metric_name_escaping_scheme)},
      {"User-Agent", "Narthex/0.1"},
      {"X-Prometheus-Scrape-Timeout-Seconds", FormatFloatF(static_cast<double>(target_.timeout_ms) / 1000)}};
  if (!config_->enable_compression) request_.headers.emplace_back("Accept-Encoding", "identity");
  interval_label_ = FormatFloatG(static_cast<double>(target_.interval_ms) / 1000) + "s";
  format_of_.clear();
}

int64_t ScrapeLoop::AlignedTime(int64_t start_ms) {
  const int64_t interval = target_.interval_ms;
  const int64_t tolerance = std::min(interval / 100, options_.timestamp_tolerance_ms);
  if (!options_.adjust_timestamps || aligned_ms_ == 0 || start_ms < aligned_ms_) {
    aligned_ms_ = start_ms;
    return start_ms;
  }
  aligned_ms_ += (start_ms - aligned_ms_) / interval * interval;
  // Slightly early counts as on time too.
  if (aligned_ms_ + interval - start_ms <= tolerance) aligned_ms_ += interval;
  if (std::abs(start_ms - aligned_ms_) <= tolerance) {
    misaligned_ = 0;
    return aligned_ms_;
  }
  // One late scrape leaves the grid alone; a clock that was stepped moves it.
  if (++misaligned_ >= kMaxMisaligned) aligned_ms_ = start_ms;
  return start_ms;
}

absl::Status ScrapeLoop::OpenGroup() {
  if (group_ != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(group_, options_.db->OpenGroup(target_.key));
  report_slots_.clear();
  cache_.Clear([](tsdb::Slot) {});  // slots of another group
  return absl::OkStatus();
}

absl::Status ScrapeLoop::CheckStatus(const HttpClientResponse& response) const {
  if (response.status == 200) return absl::OkStatus();
  return Invalid("server returned HTTP status ", response.StatusLine());
}

void ScrapeLoop::BeginScrape(int64_t start_ms, int64_t start_ns) {
  if (scrape_) return;
  Scrape& scrape = scrape_.emplace(Scrape());
  scrape.t = AlignedTime(start_ms);
  if (last_start_ns_ != 0) {
    metrics_->interval_length->Observe(interval_label_, static_cast<double>(start_ns - last_start_ns_) / 1e9);
  }
  last_start_ns_ = start_ns;
  metadata_.BeginRound();
  scrape.status = OpenGroup();
  cache_.BeginRound();
  if (scrape.status.ok()) group_->Begin(scrape.t);
}

void ScrapeLoop::ProcessPiece(HttpClientResponse piece, int64_t start_ms, int64_t start_ns) {
  BeginScrape(start_ms, start_ns);
  if (scrape_->status.ok()) scrape_->status = AppendPiece(&piece, false, &*scrape_);
}

void ScrapeLoop::Process(absl::StatusOr<HttpClientResponse> response, int64_t start_ms, int64_t start_ns) {
  BeginScrape(start_ms, start_ns);
  if (scrape_->status.ok()) scrape_->status = Append(std::move(response), &*scrape_);
  const int64_t t = scrape_->t;
  const Outcome outcome = scrape_->outcome;
  absl::Status status = std::move(scrape_->status);
  scrape_.reset();
  cache_.EndRound(!status.ok(), [this](tsdb::Slot slot) {
    if (group_ != nullptr) group_->Release(slot);
  });
  share_.Settle(static_cast<int64_t>(cache_.live()));
  // Nothing of a broken exposition is kept: the round starts over with the report alone, which ends the
  // series.
  if (!status.ok() && group_ != nullptr) group_->Begin(t);
  const double seconds = static_cast<double>(options_.clock->MonotonicNs() - start_ns) / 1e9;
  metrics_->scrape_duration->Observe(seconds);
  if (group_ != nullptr) {
    Report(t, status.ok(), seconds, outcome);
    auto committed = group_->Commit();
    if (committed.ok()) {
      metrics_->out_of_order->Add(committed->out_of_order);
      metrics_->duplicate_timestamp->Add(committed->duplicate);
      metrics_->out_of_bounds->Add(committed->out_of_bounds);
      last_round_ms_ = std::max(last_round_ms_, t);
    } else {
      options_.logger->Error("Scrape commit failed", {{"scrape_pool", config_->job_name},
                                                      {"target", target_.url},
                                                      {"err", std::string(Message(committed.status()))}});
      if (status.ok()) status = committed.status();
    }
  }
  LogDropped(outcome);
  LogRefused(outcome);
  if (status.ok()) {
    for (const TargetMetadata& changed : metadata_.EndRound()) context_->sink.Offer(changed);
  } else {
    options_.logger->Debug(
        "Scrape failed",
        {{"scrape_pool", config_->job_name}, {"target", target_.url}, {"err", std::string(Message(status))}});
    context_->failures.Write(config_->scrape_failure_log_file, config_->job_name, target_.url,
                             Message(status));
  }
  MutexLock lock(&mutex_);
  last_error_ = status.ok() ? "" : std::string(Message(status));
  health_ = status.ok() ? "up" : "down";
  last_scrape_ms_ = start_ms;
  last_duration_ = seconds;
  last_refused_ = outcome.refused;
}

void ScrapeLoop::Report(int64_t t, bool up, double seconds, const Outcome& outcome) {
  absl::InlinedVector<std::pair<std::string_view, double>, 8> values = {
      {"up", up ? 1 : 0},
      {"scrape_duration_seconds", seconds},
      {"scrape_samples_scraped", static_cast<double>(outcome.scraped)},
      {"scrape_samples_post_metric_relabeling", static_cast<double>(outcome.added)},
      {"scrape_series_added", static_cast<double>(outcome.new_series)}};
  if (config_->extra_scrape_metrics) {
    values.emplace_back("scrape_timeout_seconds", static_cast<double>(target_.timeout_ms) / 1000);
    values.emplace_back("scrape_sample_limit", static_cast<double>(config_->sample_limit));
    values.emplace_back("scrape_body_size_bytes", static_cast<double>(outcome.body_bytes));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (i >= report_slots_.size()) {
      LabelsBuilder labels(target_.public_labels);
      auto slot = group_->AddSeries(labels.Set(kMetricName, values[i].first).Build());
      if (!slot.ok()) return;  // the commit that follows says what is wrong with the store
      report_slots_.emplace_back(values[i].first, *slot);
    }
    group_->Set(report_slots_[i].second, values[i].second);
  }
}

void ScrapeLoop::LogDropped(const Outcome& outcome) const {
  auto warn = [this](std::string_view message, int64_t count) {
    if (count == 0) return;
    options_.logger->Warn(message, {{"scrape_pool", config_->job_name},
                                    {"target", target_.url},
                                    {"num_dropped", std::to_string(count)}});
  };
  warn("Error on ingesting out-of-order samples", outcome.out_of_order);
  warn("Error on ingesting samples with different value but same timestamp", outcome.duplicate);
  warn("Error on ingesting samples that are too old or are too far into the future", outcome.out_of_bounds);
}

// Said when it begins and when it is over, not with each scrape.
void ScrapeLoop::LogRefused(const Outcome& outcome) {
  metrics_->series_refused->Add(outcome.refused);
  const bool refusing = outcome.refused > 0;
  if (refusing == refusing_) return;
  refusing_ = refusing;
  if (refusing) {
    options_.logger->Warn("New series refused, the limit on series or on memory is reached",
                          {{"scrape_pool", config_->job_name},
                           {"target", target_.url},
                           {"num_refused", std::to_string(outcome.refused)},
                           {"series", refused_example_}});
  } else {
    options_.logger->Info("No series are refused any more",
                          {{"scrape_pool", config_->job_name}, {"target", target_.url}});
  }
}

void ScrapeLoop::WriteStaleMarkers() {
  if (group_ == nullptr) return;
  group_->Begin(std::max(options_.clock->NowMs(), last_round_ms_ + 1));
  auto committed = group_->Commit();
  if (!committed.ok()) {
    options_.logger->Error("Stale commit failed",
                           {{"target", target_.url}, {"err", std::string(Message(committed.status()))}});
  }
  group_.reset();
}

void ScrapeLoop::Reconfigure(std::shared_ptr<const ScrapeConfig> config, Target target) {
  MutexLock lock(&mutex_);
  config_ = std::move(config);
  target_ = std::move(target);
  cache_.Clear([this](tsdb::Slot slot) {
    if (group_ != nullptr) group_->Release(slot);
  });
  share_.Forget();
  Prepare();
  aligned_ms_ = 0;
}

Target ScrapeLoop::target() const {
  MutexLock lock(&mutex_);
  return target_;
}

TargetState ScrapeLoop::State() const {
  MutexLock lock(&mutex_);
  TargetState state;
  state.discovered_labels = target_.discovered;
  state.labels = target_.public_labels;
  state.scrape_pool = config_->job_name;
  state.scrape_url = state.global_url = target_.url;
  state.last_error = last_error_;
  state.health = health_;
  state.last_scrape_ms = last_scrape_ms_;
  state.last_scrape_duration_s = last_duration_;
  state.interval_ms = target_.interval_ms;
  state.timeout_ms = target_.timeout_ms;
  state.refused_series = last_refused_;
  return state;
}

void ScrapeLoop::Metadata(const std::string& metric,
                          std::vector<std::pair<Labels, TargetMetadata>>* out) const {
  const Labels labels = target().public_labels;
  for (TargetMetadata& metadata : metadata_.Read(metric)) out->emplace_back(labels, std::move(metadata));
}

}  // namespace narthex::scraper
