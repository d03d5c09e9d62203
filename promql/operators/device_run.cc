#include "promql/operators/device_run.h"

#include <algorithm>
#include <atomic>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"
#include "promql/query_threads.h"

namespace narthex::promql {
namespace {

constexpr size_t kCellsAtOnce = 8 << 20;
constexpr size_t kMostSeriesAtOnce = 32768, kFewestSeriesAtOnce = 64;
// From so many series the rest is extrapolated.
constexpr size_t kSampled = 64;
// What the groups may take of the device, and of the host when they come back.
constexpr size_t kMostCells = size_t{1} << 28;

// Labels that go with the name: without them, series could become equal.
bool HasMetadata(const Labels& labels) { return labels.Has("__type__") || labels.Has("__unit__"); }

}  // namespace

bool LooksLikeCounterName(std::string_view name) {
  return name.empty() || name.ends_with("_total") || name.ends_with("_sum") || name.ends_with("_count") ||
         name.ends_with("_bucket");
}

DeviceRun::DeviceRun(const DeviceExpr& expr, QueryState* state, Steps steps)
    : expr_(expr),
      state_(state),
      devices_(state->devices),
      steps_(steps),
      shift_(ShiftOf(*expr.selector, state->steps)),
      columns_(static_cast<size_t>(steps.count)),
      batch_(state->use_start_timestamps),
      held_(state),
      counts_(state->counts) {
  helpers_.context = this;
  helpers_.run = [](void* run, uint32_t tasks, void (*task)(void*, uint32_t), void* argument) {
    static_cast<DeviceRun*>(run)->RunTasks(tasks, task, argument);
  };
}

absl::StatusOr<bool> DeviceRun::Choose() {
  if (devices_ == nullptr || !devices_->available() || steps_.count < 1) return false;
  begin_ns_ = devices_->Now();
  const int64_t first = shift_.Reference(steps_.Time(0)),
                last = shift_.Reference(steps_.Time(steps_.count - 1));
  tsdb::SelectHints hints;
  hints.start = first - expr_.matrix->range_ms + 1;
  hints.end = last;
  hints.range = expr_.matrix->range_ms;
  hints.step = steps_.step_ms;
  ASSIGN_OR_RETURN(set_, state_->Select(expr_.selector->matchers, &hints));
  if (set_->size() > 0 && set_->size() < kNoSeries) {
    ASSIGN_OR_RETURN(DeviceWork work, Estimate());
    choice_ = devices_->Choose(work);
    asked_ = true;
  }
  if (choice_.device) return true;
  state_->selected[expr_.selector] = std::move(set_);
  return false;
}

// From the first series: they are alike.
absl::StatusOr<DeviceWork> DeviceRun::Estimate() {
  const size_t count = std::min(kSampled, set_->size());
  RETURN_IF_ERROR(ReadStored(0, count, HasOnDevice()));
  batch_.Begin(block_.stripes);
  for (const tsdb::StoredRow& row : block_.rows) (void)batch_.Add(row, 0);
  (void)batch_.View();  // the sizes of what is in no stripe
  const double n = static_cast<double>(set_->size()), scale = n / static_cast<double>(count);
  DeviceWork work;
  work.series = n;
  work.samples = static_cast<double>(batch_.samples()) * scale;
  work.bytes = static_cast<double>(batch_.compressed_bytes()) * scale;
  const std::vector<DeviceStripe>& stripes = batch_.stripes();
  double all = 0, there = 0;
  for (const DeviceStripe& s : stripes) {
    all += static_cast<double>(s.size);
    if (s.bytes == nullptr || devices_->api().resident(devices_->device(), &s, 1) == 1)
      there += static_cast<double>(s.size);
  }
  work.resident = all > 0 ? work.bytes * there / all : 0;
  work.outputs = n * static_cast<double>(columns_);
  work.results = expr_.aggregate->grouping.empty() ? static_cast<double>(columns_) : work.outputs / 10;
  return work;
}

tsdb::HasStripe DeviceRun::HasOnDevice() const {
  return [this](const uint64_t id[2], uint64_t size) {
    DeviceStripe stripe;
    stripe.key[0] = id[0];
    stripe.key[1] = id[1];
    stripe.size = size;
    return devices_->api().resident(devices_->device(), &stripe, 1) == 1;
  };
}

absl::Status DeviceRun::ReadStored(size_t first, size_t count, const tsdb::HasStripe& has) {
  if (stored_) {
    ASSIGN_OR_RETURN(stored_, set_->ReadStored(first, count, has, &block_));
  }
  if (stored_) return absl::OkStatus();
  RETURN_IF_ERROR(set_->ReadBlock(first, count, &rows_));
  block_.stripes.clear();
  block_.rows.assign(count, tsdb::StoredRow());
  for (size_t i = 0; i < count; ++i) {
    block_.rows[i].decoded = true;
    block_.rows[i].row = rows_[i];
  }
  return absl::OkStatus();
}

// first_over_time and last_over_time leave names where they are.
bool DeviceRun::TakesNames() const { return expr_.function != kDeviceFirst && expr_.function != kDeviceLast; }

absl::Status DeviceRun::TakeSeries() {
  series_.resize(set_->size());
  const bool drop_name = TakesNames();
  for (size_t i = 0; i < series_.size(); ++i) series_[i] = {set_->TakeLabels(i), drop_name};
  groups_ = GroupSeries(series_, expr_.aggregate->grouping, expr_.aggregate->without);
  const size_t cells = groups_.series.size() * columns_ * std::max(expr_.k, 1u);
  return held_.Add(static_cast<int64_t>(cells));
}

size_t DeviceRun::SeriesAtOnce() const {
  return std::clamp(kCellsAtOnce / columns_, kFewestSeriesAtOnce, kMostSeriesAtOnce);
}

// What the device asks of other threads: the query's own takes part, and the others as they are free.
void DeviceRun::RunTasks(uint32_t tasks, void (*task)(void*, uint32_t), void* argument) {
  std::atomic<uint32_t> next{0}, done{0};
  const auto work = [&] {
    for (uint32_t i = next++; i < tasks; i = next++) {
      task(argument, i);
      ++done;
    }
  };
  if (state_->threads == nullptr || tasks < 2) return work();
  QueryThreads::Lane lane(state_->threads);
  const uint32_t others = std::min(static_cast<uint32_t>(state_->threads->count()), tasks - 1);
  for (uint32_t i = 0; i < others; ++i) lane.Submit(work);
  work();
  lane.Await([&] { return done == tasks; });
}

absl::StatusOr<bool> DeviceRun::Execute() {
  RETURN_IF_ERROR(TakeSeries());
  if (groups_.series.size() > kMostCells / columns_ / std::max(expr_.k, 1u))
    return Fall(DeviceFallback::kMemory);
  if (std::any_of(series_.begin(), series_.end(),
                  [](const SeriesMeta& m) { return HasMetadata(m.labels); })) {
    return Fall(DeviceFallback::kData);
  }
  devices_->ForgetOld();
  DevicePlan plan;
  plan.function = expr_.function;
  plan.aggregation = expr_.aggregation;
  plan.first_end_ms = shift_.Reference(steps_.Time(0));
  plan.step_ms = steps_.count > 1 ? shift_.Reference(steps_.Time(1)) - plan.first_end_ms : 0;
  plan.range_ms = expr_.matrix->range_ms;
  plan.steps = static_cast<uint32_t>(columns_);
  plan.groups = static_cast<uint32_t>(groups_.series.size());
  plan.k = expr_.k;
  const DeviceApi& api = devices_->api();
  if (Failed(api.begin(devices_->device(), &plan, &helpers_, &query_))) return false;
  const size_t at_once = SeriesAtOnce();
  looked_at_ = {0, std::vector<int64_t>(counts_->per_step.size(), 0)};
  for (size_t first = 0; first < series_.size(); first += at_once) {
    RETURN_IF_ERROR(state_->Check());
    const size_t count = std::min(at_once, series_.size() - first);
    ASSIGN_OR_RETURN(int32_t status, AddBatch(first, count, HasOnDevice()));
    if (status == kDeviceMissing) {
      // Evicted since it was asked for.
      ASSIGN_OR_RETURN(status, AddBatch(first, count, [](const uint64_t*, uint64_t) { return false; }));
    }
    if (Failed(status)) return false;
    batch_.CountWindows(plan, &looked_at_);
  }
  return true;
}

absl::StatusOr<int32_t> DeviceRun::AddBatch(size_t first, size_t count, const tsdb::HasStripe& has) {
  RETURN_IF_ERROR(ReadStored(first, count, has));
  batch_.Begin(block_.stripes);
  for (size_t i = 0; i < count; ++i) {
    if (!batch_.Add(block_.rows[i], static_cast<uint32_t>(groups_.of[first + i]))) return kDeviceUnsuitable;
  }
  const DeviceBatch view = batch_.View();
  const int64_t held = static_cast<int64_t>(batch_.compressed_bytes()) / kSampleBytes;
  RETURN_IF_ERROR(held_.Add(held));
  const int32_t status = devices_->api().add(query_, &view);
  held_.Release(held);
  return status;
}

absl::StatusOr<bool> DeviceRun::Finish() {
  values_.resize(groups_.series.size() * columns_);
  present_.resize(values_.size());
  if (Failed(devices_->api().finish(query_, values_.data(), present_.data()))) return false;
  Done();
  return true;
}

absl::StatusOr<bool> DeviceRun::Quantile(const DeviceHistograms& histograms, bool* forced) {
  values_.resize(size_t{histograms.histograms} * columns_);
  present_.resize(values_.size());
  int32_t any = 0;
  if (Failed(devices_->api().quantile(query_, &histograms, values_.data(), present_.data(), &any)))
    return false;
  *forced = any != 0;
  Done();
  return true;
}

absl::StatusOr<bool> DeviceRun::Best() {
  values_.resize(groups_.series.size() * columns_ * expr_.k);
  best_.resize(values_.size());
  if (Failed(devices_->api().best(query_, best_.data(), values_.data()))) return false;
  present_.resize(values_.size());
  for (size_t i = 0; i < best_.size(); ++i) present_[i] = best_[i] == kNoSeries ? 0 : 1;
  Done();
  return true;
}

// The query has its answer: what else it tells. All series have one name.
void DeviceRun::Done() {
  done_ = true;
  counts_->Add(looked_at_.per_step, looked_at_.total);
  if (expr_.function != kDeviceRate && expr_.function != kDeviceIncrease) return;
  const std::string_view name = series_[0].labels.MetricName();
  if (LooksLikeCounterName(name)) return;
  if (std::find(present_.begin(), present_.end(), 1) == present_.end()) return;
  state_->annotations.Add(PossibleNonCounterText(name), expr_.call->children[0]->pos);
}

void DeviceRun::End() {
  if (query_ != nullptr) devices_->api().end(query_);
  query_ = nullptr;
  held_.Release();
  if (!done_ || begin_ns_ == 0) return;
  devices_->Report(choice_, /*on_device=*/true, static_cast<double>(devices_->Now() - begin_ns_) / 1e9);
  begin_ns_ = 0;
}

bool DeviceRun::Failed(int32_t status) {
  if (status == kDeviceOk) return false;
  (void)Fall(status == kDeviceOutOfMemory                              ? DeviceFallback::kMemory
             : status == kDeviceUnsuitable || status == kDeviceMissing ? DeviceFallback::kData
                                                                       : DeviceFallback::kLost);
  return true;
}

bool DeviceRun::Fall(DeviceFallback why) {
  fell_ = true;
  devices_->Fell(why);
  return false;
}

std::string DeviceRun::Outcome() const {
  if (!asked_) return "";
  const auto ms = [](double seconds) { return StrCat(FormatFloat(seconds * 1e3, 'f', 3), "ms"); };
  return StrCat(fell_            ? "fell back to the CPU"
                : choice_.device ? StrCat("on ", devices_->Name())
                                 : std::string("on the CPU"),
                "; predicted ", ms(choice_.device_seconds), " there, ", ms(choice_.cpu_seconds),
                " on the CPU");
}

}  // namespace narthex::promql
