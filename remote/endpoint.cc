#include "remote/endpoint.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "remote/read_query.h"

namespace narthex::remote {
namespace {

constexpr size_t kBlock = 64;
constexpr int64_t kMinWindowMs = 5'000, kMaxWindowMs = 3600'000, kFirstWindowMs = 60'000;
constexpr int64_t kManySamples = 500'000, kFewSamples = 100'000;  // a round's, before the span changes
constexpr int64_t kClockSlackMs = 3600'000;
constexpr int64_t kReadRetryMs = 1000;

std::string NameOf(const RemoteWriteConfig& config) {
  if (!config.name.empty()) return config.name;
  uint32_t hash = 0x811c9dc5;  // FNV-1a: the same in every run
  for (char c : config.fingerprint) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193;
  return absl::StrCat(absl::Hex(hash & 0xffffff, absl::kZeroPad6));
}

}  // namespace

// What a round has under way.
struct Endpoint::Round {
  int64_t samples = 0, highest = INT64_MIN;
  int peak = 0;
  bool unsure = false;  // an earlier life may have sent some of it
  Mutex mutex;
  CondVar changed;
  int outstanding ABSL_GUARDED_BY(mutex) = 0;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
};

Endpoint::Endpoint(const SenderOptions& options, RemoteWriteConfig config,
                   std::vector<std::pair<std::string, std::string>> external_labels)
    : options_(options),
      config_(std::move(config)),
      external_labels_(std::move(external_labels)),
      fingerprint_(config_.fingerprint),
      state_key_(StrCat("remote_write/", config_.name, "/", config_.url)),
      metrics_(options.metrics, NameOf(config_), config_.url),
      delivery_(options_, config_, &metrics_),
      pool_(0, static_cast<int>(config_.queue.max_shards)),
      window_ms_(kFirstWindowMs),
      shards_(static_cast<int>(config_.queue.min_shards)) {
  metrics_.shards_min->Set(static_cast<double>(config_.queue.min_shards));
  metrics_.shards_max->Set(static_cast<double>(config_.queue.max_shards));
  metrics_.shard_capacity->Set(static_cast<double>(config_.queue.capacity));
  metrics_.per_send->Set(static_cast<double>(config_.queue.max_samples_per_send));
  LoadCursor();
}

void Endpoint::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Endpoint::LoadCursor() {
  int64_t now = options_.clock->NowMs();
  cursor_ = floor_ = frontier_ = now;
  auto saved = options_.db->ScanState(state_key_);
  if (!saved.ok()) return;
  for (const auto& [key, value] : *saved) {
    std::vector<std::string> parts = absl::StrSplit(value, ' ');
    int64_t cursor = 0, frontier = 0;
    if (key != state_key_ || parts.size() != 2 || !absl::SimpleAtoi(parts[0], &cursor) ||
        !absl::SimpleAtoi(parts[1], &frontier)) {
      continue;
    }
    if (cursor > now + kClockSlackMs) {
      options_.logger->Warn("The cursor of a remote write lies in the future, it begins anew",
                            {{"component", "remote"}, {"url", config_.url}});
      continue;
    }
    cursor_ = floor_ = cursor;
    frontier_ = std::max(cursor, frontier);
  }
}

void Endpoint::SaveCursor(int64_t frontier) {
  absl::Status saved = options_.db->PutState(state_key_, StrCat(cursor_, " ", frontier));
  if (!saved.ok()) {
    options_.logger->Warn(
        "The cursor of a remote write was not saved",
        {{"component", "remote"}, {"url", config_.url}, {"err", std::string(saved.message())}});
  }
}

int64_t Endpoint::RoundEnd(int64_t now) const { return std::min(now, cursor_ + window_ms_); }

void Endpoint::Run() {
  while (true) {
    bool going = RunRound();
    MutexLock lock(&mutex_);
    bool behind = options_.clock->NowMs() - cursor_ > window_ms_;
    if (going && !stopping_ && behind) continue;
    absl::Time until = absl::Now() + absl::Milliseconds(config_.queue.batch_send_deadline_ms);
    while (going && !stopping_ && !changed_.WaitWithDeadline(&mutex_, until)) {
    }
    if (going && !stopping_) continue;
    if (!flushing_ || !going) break;
    flushing_ = false;  // one more round for what came since
    stopping_ = true;
    mutex_.Unlock();
    RunRound(/*last=*/true);
    mutex_.Lock();
    break;
  }
  MutexLock lock(&mutex_);
  finished_ = true;
  changed_.SignalAll();
}

void Endpoint::Stop(bool flush) {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    flushing_ = flush && !delivery_.failing();
    changed_.SignalAll();
    absl::Time until = absl::Now() + absl::Milliseconds(options_.flush_deadline_ms);
    while (flush && thread_.joinable() && !finished_ && !delivery_.failing()) {
      if (changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(100)) && absl::Now() > until) break;
    }
  }
  delivery_.Stop();
  if (thread_.joinable()) thread_.join();
  pool_.Stop();
}

bool Endpoint::Stopping() {
  MutexLock lock(&mutex_);
  return stopping_;
}

bool Endpoint::RunRound(bool last) {
  int64_t now = options_.clock->NowMs();
  int64_t to = RoundEnd(now);
  if (to < cursor_ - kClockSlackMs) cursor_ = to;  // the clock went back: go on from there
  // What came behind the round before with its very time is for the next one; behind the last there is none.
  if (to < cursor_ || (to == cursor_ && !last)) return true;
  SaveCursor(std::max(to, frontier_));
  auto round = std::make_shared<Round>();
  round->unsure = cursor_ < frontier_;
  int64_t from = std::max(cursor_ - options_.lateness_ms, floor_) + 1;
  if (config_.send_metadata) SendMetadata(now);
  absl::Status read = ReadRound(from, to, round);
  {
    MutexLock lock(&round->mutex);
    while (round->outstanding > 0) round->changed.Wait(&round->mutex);
    if (round->stopped) return false;
  }
  if (!read.ok()) {
    options_.logger->Error(
        "Reading storage for a remote write failed",
        {{"component", "remote"}, {"url", config_.url}, {"err", std::string(read.message())}});
    MutexLock lock(&mutex_);
    if (!stopping_) changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(kReadRetryMs));
    return !stopping_;
  }
  cursor_ = to;
  if (round->highest != INT64_MIN) metrics_.highest_sent->Set(static_cast<double>(round->highest) / 1000);
  if (round->samples > kManySamples) window_ms_ = std::max(window_ms_ / 2, kMinWindowMs);
  if (round->samples < kFewSamples) window_ms_ = std::min(window_ms_ * 2, kMaxWindowMs);
  shards_ = std::max(static_cast<int>(config_.queue.min_shards), round->peak);
  Forget(cursor_ - options_.lateness_ms);
  // The next round's beginning saves it too; a small round that is sent twice does no harm: what is newest of
  // a series may arrive again.
  if (round->samples > kFewSamples || Stopping()) SaveCursor(std::max(cursor_, frontier_));
  return true;
}

std::vector<tsdb::Sample> Endpoint::Unsent(const Labels& labels, const tsdb::Row& row, int64_t now) {
  int64_t& last = last_sent_.try_emplace(labels.Hash(), floor_).first->second;
  std::vector<tsdb::Sample> out;
  size_t f = static_cast<size_t>(std::upper_bound(row.t.begin(), row.t.end(), last) - row.t.begin()), h = 0;
  while (h < row.h.size() && row.h[h].t <= last) ++h;
  int64_t oldest =
      config_.queue.sample_age_limit_ms > 0 ? now - config_.queue.sample_age_limit_ms : INT64_MIN;
  while (f < row.t.size() || h < row.h.size()) {
    bool floats = h == row.h.size() || (f < row.t.size() && row.t[f] < row.h[h].t);
    tsdb::Sample sample;
    if (floats) {
      sample.t = row.t[f];
      sample.v = row.v[f];
      if (!row.start_t.empty()) sample.start_t = row.start_t[f];
      ++f;
    } else {
      sample.t = row.h[h].t;
      sample.h = row.h[h].h;
      ++h;
    }
    last = sample.t;
    if (sample.h && !config_.send_native_histograms && !sample.h->IsStaleMarker()) continue;
    if (sample.h && !config_.send_native_histograms) {
      sample.v = StaleNan();  // the end of the series is told as a float
      sample.h = nullptr;
    }
    if (sample.t < oldest) {
      metrics_.dropped_too_old->Add();
      continue;
    }
    out.push_back(std::move(sample));
  }
  return out;
}

absl::StatusOr<Endpoint::ExemplarMap> Endpoint::ReadExemplars(int64_t from, int64_t to) const {
  ExemplarMap out;
  if (!config_.send_exemplars) return out;
  ASSIGN_OR_RETURN(std::vector<tsdb::ExemplarSeries> found,
                   options_.db->SelectExemplars({Matchers{}}, from, to));
  for (tsdb::ExemplarSeries& series : found) out[series.labels] = std::move(series.exemplars);
  return out;
}

bool Endpoint::LabelsToSend(const Labels& labels, Labels* out) const {
  *out = WithExternalLabels(labels, external_labels_);
  if (config_.relabel_configs.empty()) return !out->empty();
  LabelsBuilder builder(*out);
  if (!Relabel(config_.relabel_configs, &builder)) return false;
  *out = builder.Build();
  return !out->empty();
}

absl::Status Endpoint::ReadRound(int64_t from, int64_t to, const std::shared_ptr<Round>& round) {
  int64_t now = options_.clock->NowMs();
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, options_.db->NewQuerier(from, to));
  tsdb::SelectHints hints;
  hints.start = from;
  hints.end = to;
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set, querier->Select({}, from, to, hints));
  ASSIGN_OR_RETURN(ExemplarMap exemplars, ReadExemplars(from, to));
  std::vector<tsdb::Row> rows;
  OutBatch batch;
  for (size_t first = 0; first < set->size(); first += kBlock) {
    size_t count = std::min(kBlock, set->size() - first);
    RETURN_IF_ERROR(set->ReadBlock(first, count, &rows));
    for (size_t i = 0; i < count; ++i) {
      const Labels& labels = set->labels(first + i);
      OutSeries series;
      series.samples = Unsent(labels, rows[i], now);
      if (series.samples.empty()) continue;
      if (!LabelsToSend(labels, &series.labels)) {
        metrics_.dropped_relabelled->Add(static_cast<double>(series.samples.size()));
        continue;
      }
      round->highest = std::max(round->highest, series.samples.back().t);
      if (auto it = exemplars.find(labels); it != exemplars.end()) {
        int64_t& last = last_exemplar_.try_emplace(labels.Hash(), floor_).first->second;
        for (tsdb::Exemplar& exemplar : it->second) {
          if (exemplar.t <= last) continue;
          last = exemplar.t;
          series.exemplars.push_back(std::move(exemplar));
        }
      }
      batch.Add(std::move(series));
      if (batch.samples() >= config_.queue.max_samples_per_send) Dispatch(std::exchange(batch, {}), round);
    }
  }
  if (!batch.series.empty()) Dispatch(std::move(batch), round);
  return absl::OkStatus();
}

// Waits for a free shard; takes another one if that is allowed.
void Endpoint::Dispatch(OutBatch batch, const std::shared_ptr<Round>& round) {
  round->samples += batch.samples();
  metrics_.highest_seen->Set(static_cast<double>(round->highest) / 1000);
  double samples = static_cast<double>(batch.samples());
  {
    MutexLock lock(&round->mutex);
    if (round->outstanding >= shards_ && shards_ < config_.queue.max_shards) ++shards_;
    while (round->outstanding >= shards_ && !round->stopped) round->changed.Wait(&round->mutex);
    if (round->stopped) return;
    ++round->outstanding;
    round->peak = std::max(round->peak, round->outstanding);
  }
  metrics_.shards->Set(shards_);
  metrics_.shards_desired->Set(shards_);
  metrics_.pending->Add(samples);
  auto task = [this, round, samples, batch = std::make_shared<const OutBatch>(std::move(batch))] {
    Verdict verdict = SendBatch(*batch, round->unsure);
    metrics_.pending->Add(-samples);
    MutexLock lock(&round->mutex);
    round->stopped |= verdict == Verdict::kStopped;
    --round->outstanding;
    round->changed.SignalAll();
  };
  if (pool_.Submit(task)) return;
  MutexLock lock(&round->mutex);
  round->stopped = true;
  --round->outstanding;
}

// A series with more samples than a request may have goes in several, in order.
Verdict Endpoint::SendBatch(const OutBatch& batch, bool unsure) {
  size_t most = static_cast<size_t>(std::max<int64_t>(1, config_.queue.max_samples_per_send));
  OutBatch part;
  auto flush = [&] {
    if (part.series.empty()) return Verdict::kTaken;
    OutBatch sending = std::exchange(part, {});
    if (unsure) return SendHalves(sending);
    bool v2 = config_.message == kWriteV2;
    Verdict verdict = delivery_.Send(v2 ? EncodeV2(sending, metadata_) : EncodeV1(sending), v2,
                                     {sending.floats, sending.histograms, sending.exemplars, 0}, false);
    return verdict == Verdict::kDoubtful ? SendHalves(sending) : verdict;
  };
  for (const OutSeries& series : batch.series) {
    for (size_t first = 0; first < series.samples.size();) {
      size_t room = most - static_cast<size_t>(part.samples());
      size_t count = std::min(room, series.samples.size() - first);
      OutSeries piece{series.labels,
                      {series.samples.begin() + static_cast<ptrdiff_t>(first),
                       series.samples.begin() + static_cast<ptrdiff_t>(first + count)},
                      {}};
      first += count;
      if (first == series.samples.size()) piece.exemplars = series.exemplars;
      part.Add(std::move(piece));
      if (static_cast<size_t>(part.samples()) < most) continue;
      if (flush() == Verdict::kStopped) return Verdict::kStopped;
    }
  }
  return flush();
}

// Some of the batch may have arrived before; a receiver may refuse all of a request for that. Halves of it
// are tried, down to the single sample.
Verdict Endpoint::SendHalves(const OutBatch& batch) {
  bool v2 = config_.message == kWriteV2;
  bool single = batch.samples() <= 1;
  Verdict verdict = delivery_.Send(v2 ? EncodeV2(batch, metadata_) : EncodeV1(batch), v2,
                                   {batch.floats, batch.histograms, batch.exemplars, 0}, true);
  // Receivers of 2.0 take what they can of a request.
  if (verdict != Verdict::kRefused || single || v2)
    return verdict == Verdict::kStopped ? verdict : Verdict::kTaken;
  OutBatch halves[2];
  if (batch.series.size() > 1) {
    size_t middle = batch.series.size() / 2;
    for (size_t i = 0; i < batch.series.size(); ++i) halves[i >= middle].Add(batch.series[i]);
  } else {
    const OutSeries& series = batch.series[0];
    auto middle = series.samples.begin() + static_cast<ptrdiff_t>(series.samples.size() / 2);
    halves[0].Add({series.labels, {series.samples.begin(), middle}, {}});
    halves[1].Add({series.labels, {middle, series.samples.end()}, series.exemplars});
  }
  for (const OutBatch& half : halves) {
    if (SendHalves(half) == Verdict::kStopped) return Verdict::kStopped;
  }
  return Verdict::kTaken;
}

void Endpoint::SendMetadata(int64_t now) {
  if (!options_.metadata ||
      (metadata_sent_ms_ != 0 && now - metadata_sent_ms_ < config_.metadata_interval_ms))
    return;
  metadata_sent_ms_ = now;
  std::vector<MetricMetadata> all = options_.metadata();
  metadata_.clear();
  for (MetricMetadata& one : all) {
    std::string name = one.metric;
    metadata_.emplace(std::move(name), std::move(one));
  }
  if (config_.message == kWriteV2) return;
  size_t most = static_cast<size_t>(std::max<int64_t>(1, config_.metadata_per_send));
  std::vector<MetricMetadata> batch;
  for (auto it = metadata_.begin(); it != metadata_.end();) {
    batch.push_back(it->second);
    if (++it != metadata_.end() && batch.size() < most) continue;
    Load load;
    load.metadata = static_cast<int64_t>(batch.size());
    if (delivery_.Send(EncodeMetadataV1(batch), false, load, false) == Verdict::kStopped) return;
    batch.clear();
  }
}

// Series whose last sample is older than what is read again are forgotten.
void Endpoint::Forget(int64_t before) {
  absl::erase_if(last_sent_, [before](const auto& entry) { return entry.second < before; });
  absl::erase_if(last_exemplar_, [before](const auto& entry) { return entry.second < before; });
}

}  // namespace narthex::remote
