#include "promql/operators/batch_stream.h"

#include <algorithm>
#include <utility>

namespace narthex::promql {
namespace {

constexpr int64_t kTypicalIntervalMs = 15'000;
constexpr int64_t kCellBytes = sizeof(double) + sizeof(uint8_t);

}  // namespace

BatchStream::BatchStream(QueryState* state, SampleCounts* counts, size_t series, Steps steps,
                         std::vector<std::unique_ptr<BatchFiller>> fillers)
    : state_(state),
      counts_(counts),
      series_(series),
      steps_(steps),
      fillers_(std::move(fillers)),
      max_ahead_(fillers_.size() > 1 ? 2 * fillers_.size() : 0) {}

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

absl::Status BatchStream::StartThreads() {
  const int64_t bytes =
      static_cast<int64_t>(max_ahead_ * kBatchSeries * static_cast<size_t>(steps_.count)) * kCellBytes;
  if (state_->budget != nullptr) {
    RETURN_IF_ERROR(state_->budget->Charge(bytes));
    charged_ = bytes;
  }
  while (slots_.size() < max_ahead_) slots_.push_back(std::make_unique<Slot>());
  lane_.emplace(state_->threads);
  return absl::OkStatus();
}

absl::Status BatchStream::FillSlot(size_t number, Slot* slot) {
  const size_t first = number * kBatchSeries, count = std::min(kBatchSeries, series_ - first);
  slot->batch.Reset(count, static_cast<size_t>(steps_.count));
  slot->notes.annotations = {};
  slot->notes.held = 0;
  slot->notes.counts.total = 0;
  slot->notes.counts.per_step.assign(counts_->per_step.size(), 0);
  std::unique_ptr<BatchFiller> filler;
  {
    MutexLock lock(&mutex_);
    filler = std::move(fillers_.back());
    fillers_.pop_back();
  }
  absl::Status status = filler->Fill(first, count, &slot->batch, &slot->notes);
  MutexLock lock(&mutex_);
  fillers_.push_back(std::move(filler));
  return status;
}

absl::Status BatchStream::Take(FillNotes* notes) {
  for (const Annotations::Entry& entry : notes->annotations.entries()) {
    state_->annotations.Add(entry.text, entry.pos);
  }
  counts_->Add(notes->counts.per_step, notes->counts.total);
  RETURN_IF_ERROR(state_->Hold(notes->held));
  state_->Release(notes->held);
  return absl::OkStatus();
}

void BatchStream::SubmitMore() {
  for (; submitted_ < std::min(next_ + max_ahead_, BatchCount()); ++submitted_) {
    Slot* const slot = slots_[submitted_ % max_ahead_].get();
    slot->done = false;
    lane_->Submit([this, slot, number = submitted_] {
      slot->status = FillSlot(number, slot);
      slot->done = true;
    });
  }
}

absl::StatusOr<bool> BatchStream::Next(Batch* batch) {
  if (next_ == BatchCount()) return false;
  RETURN_IF_ERROR(state_->Check());
  Slot* slot = &here_;
  if (max_ahead_ == 0) {
    std::swap(*batch, slot->batch);
    slot->status = FillSlot(next_, slot);
  } else {
    if (!lane_) RETURN_IF_ERROR(StartThreads());
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
