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
  RETURN_IF_ERROR(RetryUnsaved());
  if (journal_failing_) store_->Resume();
  RETURN_IF_ERROR(Seal(force_seal));
  RETURN_IF_ERROR(Retain());
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
      metrics_.time_retentions->Add();
      RETURN_IF_ERROR(DropWindows(horizon));
    }
  }
  if (options_.retention_bytes <= 0) return absl::OkStatus();
  int64_t over = static_cast<int64_t>(DirectoryBytes()) - options_.retention_bytes;
  if (over <= 0) return absl::OkStatus();
  // The newest window stays: without it there is nothing to answer from.
  int64_t before = INT64_MIN;
  {
    MutexLock lock(&windows_mutex_);
    for (auto it = windows_.begin(); it != windows_.end() && std::next(it) != windows_.end() && over > 0;
         ++it) {
      const int64_t end = it->first + options_.window_ms;
      over -=
          static_cast<int64_t>(store_->StripeBytes(StripeWindowPrefix(it->first), StripeWindowPrefix(end)));
      before = end;
    }
  }
  if (before == INT64_MIN) return absl::OkStatus();
  metrics_.size_retentions->Add();
  return DropWindows(before);
}

absl::Status DbImpl::DropWindows(int64_t before) {
  IndexBatch batch;
  {
    MutexLock lock(&windows_mutex_);
    for (auto it = windows_.begin(); it != windows_.end() && it->first < before;) {
      batch.deletes.push_back(WindowKey(it->first));
      it = windows_.erase(it);
    }
  }
  const size_t windows = batch.deletes.size();
  if (batch.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_->Scan("B", [&](std::string_view key, std::string_view) {
    StripeKey first;
    if (!DecodeLeadersKey(key, &first)) return true;
    if (first.window < before) batch.deletes.emplace_back(key);
    return first.window < before;
  }));
  RETURN_IF_ERROR(store_->DropStripes(StripeWindowPrefix(INT64_MIN), StripeWindowPrefix(before)));
  RETURN_IF_ERROR(store_->Write(batch, true));
  directory_->Forget();
  seal_epoch_.fetch_add(1);
  min_t_ = std::max(min_t_.load(), before);
  options_.logger->Info("Deleted old samples",
                        {{"before", std::to_string(before)}, {"windows", std::to_string(windows)}});
  return absl::OkStatus();
}

uint64_t DbImpl::DirectoryBytes() const {
  uint64_t total = 0;
  std::error_code ec;
  for (auto it = std::filesystem::recursive_directory_iterator(options_.path, ec);
       !ec && it != std::filesystem::recursive_directory_iterator(); it.increment(ec)) {
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
    chunks += loose_->columns().size();
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
  metrics_.block_bytes->Set(
      static_cast<double>(store_->StripeBytes(StripeWindowPrefix(INT64_MIN), StripeWindowPrefix(INT64_MAX))));
}

}  // namespace narthex::tsdb
