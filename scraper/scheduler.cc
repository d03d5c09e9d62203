#include "scraper/scheduler.h"

#include <algorithm>
#include <cstdlib>

#include "absl/time/time.h"
#include "base/go_format.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

// The longest sleep: bounds how late a stepped clock is noticed.
constexpr int64_t kMaxSleepNs = 1'000'000'000;
constexpr int64_t kNothingDueNs = 60'000'000'000;  // until a target is added
constexpr int64_t kQuickNs = 1'000'000;
constexpr int64_t kClockSlackNs = 10'000'000;

}  // namespace

void Scheduler::Start() {
  ticker_ = options_.http->AddTicker([this] { return Tick(); });
}

void Scheduler::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (ticker_ != 0) options_.http->RemoveTicker(ticker_);
  MutexLock lock(&mutex_);
  while (working_ > 0) wake_.Wait(&mutex_);
  // Requests in flight keep their loops alive, but must not keep storage open.
  for (; !heap_.empty(); heap_.pop()) {
    if (std::shared_ptr<Runner> runner = heap_.top().runner.lock()) runner->loop->ReleaseGroup();
  }
}

void Scheduler::Push(const std::shared_ptr<Runner>& runner, const Target& target) {
  const int64_t now = options_.clock->MonotonicNs();
  const int64_t origin = options_.clock->NowMs() * 1'000'000 - now;
  if (std::abs(origin - wall_origin_ns_) > kClockSlackNs) wall_origin_ns_ = origin;
  const int64_t delay = FirstScrapeDelayNs(target, wall_origin_ns_ + now, seed_);
  heap_.push({now + delay, runner->generation, runner});
  options_.http->Wake();
}

std::shared_ptr<Runner> Scheduler::Add(std::shared_ptr<ScrapeLoop> loop, const std::string& forced_error) {
  auto runner = std::make_shared<Runner>();
  const Target target = loop->target();
  runner->loop = std::move(loop);
  runner->interval_ns = target.interval_ms * 1'000'000;
  runner->forced_error = forced_error;
  MutexLock lock(&mutex_);
  Push(runner, target);
  return runner;
}

void Scheduler::Remove(const std::shared_ptr<Runner>& runner) {
  {
    MutexLock lock(&mutex_);
    if (runner->removed) return;
    runner->removed = true;
    if (runner->in_flight || stopping_) return;  // Finish() sees to it
    runner->in_flight = true;
    ++working_;
  }
  runner->loop->WriteStaleMarkers();
  MutexLock lock(&mutex_);
  --working_;
  wake_.SignalAll();
}

void Scheduler::ApplyChange(Runner* runner, Runner::Change change) {
  runner->interval_ns = change.target.interval_ms * 1'000'000;
  runner->loop->Reconfigure(std::move(change.config), std::move(change.target));
  runner->request = nullptr;
}

void Scheduler::Change(const std::shared_ptr<Runner>& runner, std::shared_ptr<const ScrapeConfig> config,
                       Target target) {
  MutexLock lock(&mutex_);
  if (target.interval_ms * 1'000'000 != runner->interval_ns) {
    ++runner->generation;
    runner->interval_ns = target.interval_ms * 1'000'000;
    Push(runner, target);
  }
  Runner::Change change{std::move(config), std::move(target)};
  if (runner->in_flight) {
    runner->pending = std::move(change);
  } else {
    ApplyChange(runner.get(), std::move(change));
  }
}

void Scheduler::SetForcedError(const std::shared_ptr<Runner>& runner, const std::string& error) {
  MutexLock lock(&mutex_);
  runner->forced_error = error;
}

std::vector<std::shared_ptr<Runner>> Scheduler::TakeDue() {
  std::vector<std::shared_ptr<Runner>> due;
  const int64_t now = options_.clock->MonotonicNs();
  while (!heap_.empty() && heap_.top().at_ns <= now) {
    Due top = heap_.top();
    heap_.pop();
    std::shared_ptr<Runner> runner = top.runner.lock();
    if (runner == nullptr || runner->removed || top.generation != runner->generation) continue;
    // Missed slots are left out, not made up for.
    int64_t next = top.at_ns + ((now - top.at_ns) / runner->interval_ns + 1) * runner->interval_ns;
    heap_.push({next, top.generation, runner});
    if (runner->in_flight) continue;
    runner->in_flight = true;
    due.push_back(std::move(runner));
  }
  return due;
}

int64_t Scheduler::Tick() {
  std::vector<std::shared_ptr<Runner>> due;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return kNothingDueNs;
    due = TakeDue();
  }
  for (const auto& runner : due) Scrape(runner);
  MutexLock lock(&mutex_);
  if (heap_.empty()) return kNothingDueNs;
  return std::min(kMaxSleepNs, heap_.top().at_ns - options_.clock->MonotonicNs());
}

std::shared_ptr<const HttpClientRequest> Scheduler::MakeRequest(const std::shared_ptr<Runner>& runner) {
  HttpClientRequest request = runner->loop->Request();
  request.on_piece = [self = weak_from_this(), weak = std::weak_ptr(runner)](HttpClientResponse piece,
                                                                             std::function<void()> resume) {
    const std::shared_ptr<Scheduler> scheduler = self.lock();
    const std::shared_ptr<Runner> runner = weak.lock();
    if (scheduler == nullptr || runner == nullptr) return resume();
    scheduler->HandlePiece(runner, std::move(piece), std::move(resume));
  };
  return std::make_shared<const HttpClientRequest>(std::move(request));
}

void Scheduler::Scrape(const std::shared_ptr<Runner>& runner) {
  runner->start_ms = options_.clock->NowMs();
  runner->start_ns = options_.clock->MonotonicNs();
  std::string forced;
  {
    MutexLock lock(&mutex_);
    forced = runner->forced_error;
    if (forced.empty() && runner->request == nullptr) runner->request = MakeRequest(runner);
  }
  if (!forced.empty()) return Handle(runner, absl::InvalidArgumentError(forced));
  options_.http->Start(runner->request,
                       [self = shared_from_this(), runner](absl::StatusOr<HttpClientResponse> response) {
                         self->Handle(runner, std::move(response));
                       });
}

void Scheduler::Handle(const std::shared_ptr<Runner>& runner, absl::StatusOr<HttpClientResponse> response) {
  bool quick = false;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
    ++working_;
    quick = runner->quick;
  }
  if (quick) return WorkOff(runner, std::move(response));
  auto shared = std::make_shared<absl::StatusOr<HttpClientResponse>>(std::move(response));
  bool accepted = options_.pool->Submit(
      [self = shared_from_this(), runner, shared] { self->WorkOff(runner, std::move(*shared)); });
  if (!accepted) Finish(runner, false);
}

void Scheduler::WorkOff(const std::shared_ptr<Runner>& runner, absl::StatusOr<HttpClientResponse> response) {
  const bool whole = response.ok();
  const int64_t begin = options_.clock->MonotonicNs();
  runner->loop->Process(std::move(response), runner->start_ms, runner->start_ns);
  const int64_t took = options_.clock->MonotonicNs() - begin;
  Finish(runner, whole && took < kQuickNs);
}

void Scheduler::HandlePiece(const std::shared_ptr<Runner>& runner, HttpClientResponse piece,
                            std::function<void()> resume) {
  {
    MutexLock lock(&mutex_);
    if (stopping_) return resume();
    ++working_;
  }
  auto shared = std::make_shared<HttpClientResponse>(std::move(piece));
  auto done = [self = shared_from_this(), resume] {
    resume();
    MutexLock lock(&self->mutex_);
    --self->working_;
    self->wake_.SignalAll();
  };
  bool accepted = options_.pool->Submit([runner, shared, done] {
    runner->loop->ProcessPiece(std::move(*shared), runner->start_ms, runner->start_ns);
    done();
  });
  if (!accepted) done();
}

void Scheduler::Finish(const std::shared_ptr<Runner>& runner, bool quick) {
  bool removed;
  {
    MutexLock lock(&mutex_);
    removed = runner->removed && !stopping_;
    if (!removed) {
      if (runner->pending) ApplyChange(runner.get(), *std::exchange(runner->pending, std::nullopt));
      runner->in_flight = false;
      runner->quick = quick;
    }
  }
  if (removed) runner->loop->WriteStaleMarkers();
  MutexLock lock(&mutex_);
  --working_;
  wake_.SignalAll();
}

}  // namespace narthex::scraper
