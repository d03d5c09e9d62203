// Maintenance: retention by time and size, dead series, gauges.
#include <algorithm>
#include <filesystem>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/format/stripe.h"

namespace narthex::tsdb {

absl::Status DbImpl::Maintain(bool force_seal) {
  MutexLock lock(&maintain_mutex_);
  absl::Status written = RetryUnsaved();
  if (journal_failing_) store_->Resume();
  if (written.ok()) written = Seal(force_seal);
  if (written.ok()) written = SealForRoom();
  if (written.ok()) written = MergeDueDay();
  // Retention may be what makes room.
  const absl::Status retained = Retain();
  cursors_.Clear();  // they keep files that were dropped
  Measure(/*may_flush=*/true);
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(retained);
  RETURN_IF_ERROR(RemoveDead(force_seal));
  UpdateGauges();
  return absl::OkStatus();
}

absl::Status DbImpl::ApplyRetention(int64_t retention_ms, int64_t retention_bytes,
                                    int64_t out_of_order_window_ms) {
  MutexLock lock(&maintain_mutex_);
  options_.retention_ms = retention_ms;
  options_.retention_bytes = retention_bytes;
  ooo_window_ms_ = out_of_order_window_ms;
  UpdateGauges();
  return absl::OkStatus();
}

// The time that retention goes by: never ahead of the wall clock or the newest sample, and never jumping
// forward faster than four times the time that has really passed (a clock set ten years ahead deletes
// nothing).
int64_t DbImpl::SaneNow() {
  const int64_t newest = max_t_;
  if (newest == INT64_MIN) return INT64_MIN;
  const int64_t now = std::min(options_.clock->NowMs(), newest);
  const int64_t mono = options_.clock->MonotonicNs();
  if (sane_now_ == INT64_MIN) {
    const absl::StatusOr<std::string> saved = store_->Get("Y");
    if (saved.ok() && saved->size() == 8) sane_now_ = static_cast<int64_t>(GetBig64(saved->data()));
  }
  if (sane_now_ == INT64_MIN) {
    sane_now_ = now;
  } else if (now > sane_now_) {
    const int64_t passed = (mono - sane_mono_ns_) / 1'000'000;
    sane_now_ = std::min(now, sane_now_ + std::max<int64_t>(4 * passed, 0) + options_.window_ms);
  }
  sane_mono_ns_ = mono;
  IndexBatch batch;
  std::string value;
  PutBig64(&value, static_cast<uint64_t>(sane_now_));
  batch.puts.emplace_back("Y", value);
  (void)store_->Write(batch, false);
  return std::min(sane_now_, now);
}

absl::Status DbImpl::Retain() {
  const int64_t now = SaneNow();
  int64_t oldest = INT64_MAX;
  {
    MutexLock lock(&windows_mutex_);
    if (windows_.empty()) return absl::OkStatus();
    oldest = windows_.begin()->first;
  }
  if (options_.retention_ms > 0 && now != INT64_MIN) {
    const int64_t horizon = WindowOf(now - options_.retention_ms, options_.window_ms);
    if (oldest < horizon) {
      ASSIGN_OR_RETURN(const bool dropped, DropWindows(horizon));
      if (dropped) metrics_.time_retentions->Add();
    }
  }
  if (options_.retention_bytes <= 0) return absl::OkStatus();
  int64_t over = static_cast<int64_t>(DirectoryBytes()) - options_.retention_bytes;
  if (over <= 0) return absl::OkStatus();
  const int64_t before = OldestToDrop(over);
  if (before == INT64_MIN) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool dropped, DropWindows(before));
  if (dropped) metrics_.size_retentions->Add();
  return absl::OkStatus();
}

// Up to where to drop, so that `over` bytes go: whole days where they are merged, else windows. The newest
// stays: without it there is nothing to answer from.
int64_t DbImpl::OldestToDrop(int64_t over) const {
  std::map<int64_t, uint64_t> bytes;  // by the end of what goes at once
  ReaderMutexLock lock(&windows_mutex_);
  for (const auto& [day, generation] : days_) {
    bytes[day + DayMs()] += store_->Bytes(Family::kDays, DayPrefix(day), DayPrefix(day + 1));
  }
  for (int64_t window : hourly_) {
    const int64_t day = WindowOf(window, DayMs()), end = window + options_.window_ms;
    // Late samples of a merged day go with it.
    bytes[days_.contains(day) ? day + DayMs() : end] +=
        store_->Bytes(Family::kHours, StripeWindowPrefix(window), StripeWindowPrefix(end));
  }
  int64_t before = INT64_MIN;
  for (auto it = bytes.begin(); it != bytes.end() && std::next(it) != bytes.end() && over > 0; ++it) {
    over -= static_cast<int64_t>(it->second);
    before = it->first;
  }
  return before;
}

// A merged day goes when all of it is old, its windows with it.
absl::StatusOr<bool> DbImpl::DropWindows(int64_t before) {
  IndexBatch batch;
  std::set<int64_t> windows, days;
  {
    ReaderMutexLock lock(&windows_mutex_);
    for (const auto& [window, series] : windows_) {
      const int64_t day = WindowOf(window, DayMs());
      if (window >= before || (days_.contains(day) && day + DayMs() > before)) continue;
      windows.insert(window);
      batch.deletes.push_back(WindowKey(window));
    }
    for (const auto& [day, generation] : days_) {
      if (day + DayMs() > before) break;
      days.insert(day);
      batch.deletes.push_back(DayRowKey(day));
    }
  }
  if (batch.empty()) return false;
  RETURN_IF_ERROR(store_->Write(batch, true));
  {
    MutexLock layout(&layout_mutex_);
    ++layout_version_;
    MutexLock lock(&windows_mutex_);
    for (int64_t window : windows) {
      windows_.erase(window);
      hourly_.erase(window);
    }
    for (int64_t day : days) days_.erase(day);
    if (!days.empty()) directories_.ForgetMerged(layout_version_);
  }
  for (int64_t window : windows) {
    RETURN_IF_ERROR(store_->Drop(Family::kHours, StripeWindowPrefix(window),
                                 StripeWindowPrefix(window + options_.window_ms)));
  }
  for (int64_t day : days) RETURN_IF_ERROR(store_->Drop(Family::kDays, DayPrefix(day), DayPrefix(day + 1)));
  min_t_ = std::max(min_t_.load(), before);
  options_.logger->Info("Deleted old samples",
                        {{"before", std::to_string(before)}, {"windows", std::to_string(windows.size())}});
  return true;
}

// All files of the store: journal, index, stripes, what is being written. Snapshots are the operator's.
uint64_t DbImpl::DirectoryBytes() const {
  uint64_t total = 0;
  std::error_code ec;
  for (auto it = std::filesystem::recursive_directory_iterator(options_.path, ec);
       !ec && it != std::filesystem::recursive_directory_iterator(); it.increment(ec)) {
    if (it.depth() == 0 && it->path().filename() == "snapshots") it.disable_recursion_pending();
    std::error_code size_ec;
    const uint64_t size = it->is_regular_file(size_ec) ? it->file_size(size_ec) : 0;
    if (!size_ec) total += size;
  }
  return total;
}

void DbImpl::UpdateGauges() {
  uint64_t chunks = 0;
  int64_t head_min = INT64_MAX;
  for (const auto& group : AllGroups()) {
    ReaderMutexLock lock(&group->mutex);
    for (const TilePtr& t : group->tiles) {
      chunks += t->offsets.size() - 1;
      head_min = std::min(head_min, t->times.front());
    }
    if (!group->open.rounds.empty()) {
      chunks += group->open.last.values.size();
      head_min = std::min(head_min, group->open.times.front());
    }
  }
  {
    ReaderMutexLock lock(&loose_mutex_);
    chunks += loose_->series();
    head_min = std::min(head_min, loose_->min_t());
  }
  const int64_t max_t = max_t_;
  metrics_.chunks->Set(static_cast<double>(chunks));
  metrics_.series->Set(static_cast<double>(index_.series_count()));
  metrics_.min_time->Set(static_cast<double>(head_min == INT64_MAX ? 0 : head_min));
  metrics_.max_time->Set(static_cast<double>(max_t == INT64_MIN ? 0 : max_t));
  metrics_.symbol_bytes->Set(static_cast<double>(index_.text_bytes()));
  metrics_.retention_bytes->Set(static_cast<double>(options_.retention_bytes));
  metrics_.retention_seconds->Set(static_cast<double>(options_.retention_ms) / 1000);
  metrics_.wal_bytes->Set(static_cast<double>(journal_->segment_count()) * (4 << 20));
  ReaderMutexLock lock(&windows_mutex_);
  metrics_.blocks->Set(static_cast<double>(windows_.size()));
  const int64_t lowest = windows_.empty() ? head_min : std::min(head_min, windows_.begin()->first);
  metrics_.lowest->Set(static_cast<double>(lowest == INT64_MAX ? 0 : lowest));
  metrics_.block_bytes->Set(static_cast<double>(
      store_->Bytes(Family::kHours, StripeWindowPrefix(INT64_MIN), StripeWindowPrefix(INT64_MAX)) +
      store_->Bytes(Family::kDays, DayPrefix(INT64_MIN), DayPrefix(INT64_MAX))));
}

}  // namespace narthex::tsdb
