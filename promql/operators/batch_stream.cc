#include "promql/operators/batch_stream.h"

#include <algorithm>
#include <utility>

namespace narthex::promql {
namespace {

constexpr size_t kCellBytes = sizeof(double) + sizeof(uint8_t);

size_t BatchBytes(const Steps& steps) { return kBatchSeries * static_cast<size_t>(steps.count) * kCellBytes; }
size_t RunLength(const Steps& steps) {
  constexpr size_t kRunBytes = 1 << 20, kLongest = 4;
  // A subquery may have no step at all.
  return std::clamp<size_t>(kRunBytes / std::max<size_t>(BatchBytes(steps), 1), 1, kLongest);
}

}  // namespace

BatchStream::BatchStream(QueryState* state, SampleCounts* counts, size_t series, Steps steps,
                         std::vector<std::unique_ptr<BatchFiller>> fillers)
    : state_(state),
      counts_(counts),
      series_(series),
      steps_(steps),
      fillers_(std::move(fillers)),
      run_(RunLength(steps)),
      max_ahead_(fillers_.size() > 1 ? 2 * fillers_.size() * run_ : 0) {}

BatchStream::~BatchStream() {
  lane_.reset();
  if (charged_ > 0) state_->budget->Release(charged_);
}

int BatchStream::ReadersWanted(const QueryState& state, int64_t span_ms) {
  constexpr int64_t kManySeries = 10'000;
  if (state.threads == nullptr) return 1;
  return span_ms / kTypicalIntervalMs * kManySeries < state.min_shared_samples ? 1
                                                                               : state.threads->count() + 1;
}

int BatchStream::FillersWanted(const QueryState& state, size_t series, int64_t span_ms) {
  if (state.threads == nullptr || series <= 2 * kBatchSeries) return 1;
  const double samples = static_cast<double>(series) * static_cast<double>(span_ms) / kTypicalIntervalMs;
  return samples < static_cast<double>(state.min_shared_samples) ? 1 : state.threads->count() + 1;
}

void BatchStream::StartThreads() {
  state_->ExpectLong();  // the threads must not find that out
  const int64_t bytes = static_cast<int64_t>(max_ahead_ * BatchBytes(steps_));
  if (state_->budget != nullptr) {
    if (!state_->budget->Charge(bytes).ok()) {
      max_ahead_ = 0;  // there is no room for it; one thread may still do
      return;
    }
    charged_ = bytes;
  }
  while (slots_.size() < max_ahead_) slots_.push_back(std::make_unique<Slot>());
  lane_.emplace(state_->threads);
}

void BatchStream::FillSlot(size_t number, BatchFiller* filler, Slot* slot) {
  const size_t first = number * kBatchSeries, count = std::min(kBatchSeries, series_ - first);
  slot->batch.Reset(count, static_cast<size_t>(steps_.count));
  slot->notes.annotations = {};
  slot->notes.held = 0;
  slot->notes.counts.total = 0;
  slot->notes.counts.per_step.assign(counts_->per_step.size(), 0);
  slot->status = filler->Fill(first, count, &slot->batch, &slot->notes);
}

void BatchStream::FillRun(size_t first, size_t end) {
  std::unique_ptr<BatchFiller> filler;
  {
    MutexLock lock(&mutex_);
    filler = std::move(fillers_.back());
    fillers_.pop_back();
  }
  for (size_t number = first; number < end; ++number) {
    Slot* const slot = slots_[number % max_ahead_].get();
    FillSlot(number, filler.get(), slot);
    const bool ok = slot->status.ok();
    slot->done = true;
    if (!ok) break;  // nobody asks for what comes behind it
  }
  MutexLock lock(&mutex_);
  fillers_.push_back(std::move(filler));
}

absl::Status BatchStream::Take(FillNotes* notes) {
  for (const Annotations::Entry& entry : notes->annotations.entries()) {
    state_->annotations.Add(entry);
  }
  counts_->Add(notes->counts.per_step, notes->counts.total);
  RETURN_IF_ERROR(state_->Hold(notes->held));
  state_->Release(notes->held);
  return absl::OkStatus();
}

void BatchStream::SubmitMore() {
  // Whole runs only: the slots of one are free together.
  while (submitted_ < BatchCount() && submitted_ + run_ <= next_ + max_ahead_) {
    const size_t first = submitted_, end = std::min(first + run_, BatchCount());
    for (; submitted_ < end; ++submitted_) slots_[submitted_ % max_ahead_]->done = false;
    lane_->Submit([this, first, end] { FillRun(first, end); });
  }
}

absl::StatusOr<bool> BatchStream::Next(Batch* batch) {
  if (next_ == BatchCount()) return false;
  RETURN_IF_ERROR(state_->Check());
  Slot* slot = &here_;
  if (max_ahead_ > 0 && !lane_) StartThreads();
  if (max_ahead_ == 0) {
    std::swap(*batch, slot->batch);
    FillSlot(next_, OnlyFiller(), slot);
  } else {
    SubmitMore();
    slot = slots_[next_ % max_ahead_].get();
    while (!slot->done) {
      if (!lane_->RunOne()) lane_->Await([slot] { return slot->done.load(); });
    }
  }
  RETURN_IF_ERROR(slot->status);
  RETURN_IF_ERROR(Take(&slot->notes));
  std::swap(*batch, slot->batch);
  ++next_;
  return true;
}

}  // namespace narthex::promql
