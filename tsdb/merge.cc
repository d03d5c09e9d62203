// The daily merge and what it is for besides order on the disk: deleted samples leave it.
#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/day_merge.h"
#include "tsdb/db_impl.h"
#include "tsdb/manifest.h"

namespace narthex::tsdb {

namespace {
constexpr int64_t kRetryMs = 600'000;  // after a merge that failed
}

absl::Status DbImpl::MergeDay(int64_t day) {
  LeanWork lean;
  std::unique_ptr<ReadView> view = Pin({}, day, day + DayMs() - 1);
  const uint32_t old_generation = view->merged.empty() ? 0 : view->merged.front().second;
  const uint32_t generation = old_generation + 1;
  DayMerge merge(view.get(), &index_, day, generation);
  ASSIGN_OR_RETURN(std::unique_ptr<StripeFile> file, store_->NewFile(Family::kDays));
  RETURN_IF_ERROR(merge.WriteTo(file.get(), &lean));
  const bool empty = file->empty();
  lean.Turn();
  RETURN_IF_ERROR(store_->Ingest(std::move(file)));
  lean.Turn();
  absl::Status s = NoteMerge(day, empty ? 0 : generation, merge.members());
  if (!s.ok()) {
    (void)store_->Drop(Family::kDays, DayGenerationPrefix(day, generation),
                       DayGenerationPrefix(day, generation + 1));
    return s;
  }
  view.reset();
  RETURN_IF_ERROR(store_->Drop(Family::kHours, StripeWindowPrefix(day), StripeWindowPrefix(day + DayMs())));
  if (old_generation > 0) {
    RETURN_IF_ERROR(store_->Drop(Family::kDays, DayGenerationPrefix(day, old_generation),
                                 DayGenerationPrefix(day, generation)));
  }
  metrics_.merges->Add();
  return absl::OkStatus();
}

// From here on the merge counts. Generation 0: nothing is left of the day.
absl::Status DbImpl::NoteMerge(int64_t day, uint32_t generation, const std::map<int64_t, Roaring>& members) {
  IndexBatch batch;
  std::string value;
  PutBig32(&value, generation);
  if (generation > 0)
    batch.puts.emplace_back(DayRowKey(day), value);
  else
    batch.deletes.push_back(DayRowKey(day));
  for (const auto& [window, series] : members) {
    batch.puts.emplace_back(WindowKey(window), EncodeSeriesSet(series));
  }
  {
    ReaderMutexLock lock(&windows_mutex_);
    const auto end = windows_.lower_bound(day + DayMs());
    for (auto it = windows_.lower_bound(day); it != end; ++it) {
      if (!members.contains(it->first)) batch.deletes.push_back(WindowKey(it->first));
    }
  }
  RETURN_IF_ERROR(store_->Write(batch, /*sync=*/true));
  MutexLock layout(&layout_mutex_);
  ++layout_version_;
  MutexLock lock(&windows_mutex_);
  windows_.erase(windows_.lower_bound(day), windows_.lower_bound(day + DayMs()));
  for (const auto& [window, series] : members) windows_[window] = std::make_shared<const Roaring>(series);
  hourly_.erase(hourly_.lower_bound(day), hourly_.lower_bound(day + DayMs()));
  if (generation > 0)
    days_[day] = generation;
  else
    days_.erase(day);
  if (generation == 0) directories_.ForgetMerged(layout_version_);
  return absl::OkStatus();
}

// The oldest day that is over and has stripes as they were sealed.
absl::Status DbImpl::MergeDueDay() {
  const int64_t newest = max_t_;
  if (newest == INT64_MIN) return absl::OkStatus();
  const int64_t now = std::min(options_.clock->NowMs(), newest);
  const int64_t mono_ms = options_.clock->MonotonicNs() / 1'000'000;
  int64_t due = INT64_MIN;
  {
    ReaderMutexLock lock(&windows_mutex_);
    for (int64_t window : hourly_) {
      const int64_t day = WindowOf(window, DayMs());
      // An hour later nothing of the day comes from scrapes any more.
      if (day + DayMs() + options_.window_ms > now) break;
      const auto retry = merge_retry_ms_.find(day);
      if (retry != merge_retry_ms_.end() && mono_ms < retry->second) continue;
      due = day;
      break;
    }
  }
  if (due == INT64_MIN) return absl::OkStatus();
  absl::Status s = MergeDay(due);
  if (s.ok()) {
    merge_retry_ms_.erase(due);
    return s;
  }
  // The stripes stay as they were sealed and are read from there.
  merge_retry_ms_[due] = mono_ms + kRetryMs;
  metrics_.seal_failures->Add();
  options_.logger->Error("Merging a day failed, it stays as it is",
                         {{"day", std::to_string(due)}, {"err", std::string(s.message())}});
  return absl::OkStatus();
}

absl::Status DbImpl::CleanTombstones() {
  MutexLock lock(&maintain_mutex_);
  const std::shared_ptr<const Tombstones> dead = tombstones();
  if (dead->empty()) return absl::OkStatus();
  RETURN_IF_ERROR(Seal(/*force=*/true));
  std::set<int64_t> affected;
  {
    ReaderMutexLock windows(&windows_mutex_);
    for (const auto& [window, series] : windows_) {
      for (const auto& [id, intervals] : *dead) {
        const bool hit =
            series->contains(id) &&
            std::any_of(intervals.begin(), intervals.end(), [&, window = window](const Interval& i) {
              return i.first < window + options_.window_ms && i.second >= window;
            });
        if (hit) affected.insert(WindowOf(window, DayMs()));
      }
    }
  }
  for (int64_t day : affected) RETURN_IF_ERROR(MergeDay(day));
  return ForgetTombstones(*dead);
}

// Deletions that came meanwhile stay.
absl::Status DbImpl::ForgetTombstones(const Tombstones& done) {
  MutexLock lock(&windows_mutex_);
  auto next = std::make_shared<Tombstones>();
  IndexBatch batch;
  for (const auto& [id, intervals] : *tombstones_) {
    const auto gone = done.find(id);
    std::vector<Interval> rest;
    for (const Interval& i : intervals) {
      const bool cleaned =
          gone != done.end() && std::find(gone->second.begin(), gone->second.end(), i) != gone->second.end();
      if (!cleaned) rest.push_back(i);
    }
    if (rest.empty()) {
      batch.deletes.push_back(TombstoneKey(id));
      continue;
    }
    if (rest.size() < intervals.size()) batch.puts.emplace_back(TombstoneKey(id), EncodeIntervals(rest));
    (*next)[id] = std::move(rest);
  }
  RETURN_IF_ERROR(store_->Write(batch, /*sync=*/true));
  tombstones_ = std::move(next);
  return absl::OkStatus();
}

// What merges that were cut short have left.
absl::Status DbImpl::LoadLayout() {
  MutexLock lock(&windows_mutex_);
  RETURN_IF_ERROR(store_->Scan("E", [&](std::string_view key, std::string_view value) {
    if (key.size() == 9 && value.size() == 4) days_[ParseTimeKey(key.substr(1))] = GetBig32(value.data());
    return true;
  }));
  std::unique_ptr<Cursor> days = store_->NewCursor(Family::kDays, /*keep=*/false);
  DayKey key;
  for (days->Seek(""); days->Valid() && DecodeDayKey(days->key(), &key);) {
    const std::string next = DayGenerationPrefix(key.day, key.generation + 1);
    const auto known = days_.find(key.day);
    if (known == days_.end() || known->second != key.generation) {
      RETURN_IF_ERROR(store_->Drop(Family::kDays, DayGenerationPrefix(key.day, key.generation), next));
    }
    days->Seek(next);
  }
  std::unique_ptr<Cursor> hours = store_->NewCursor(Family::kHours, /*keep=*/false);
  StripeKey stripe;
  for (hours->Seek(""); hours->Valid() && DecodeStripeKey(hours->key(), &stripe);) {
    hourly_.insert(stripe.window);
    hours->Seek(StripeWindowPrefix(stripe.window + 1));
  }
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
