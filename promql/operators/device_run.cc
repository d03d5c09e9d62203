#include "promql/operators/device_run.h"

#include <algorithm>
#include <atomic>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"
#include "promql/operators/batch_stream.h"
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

DeviceRun::DeviceRun(const DeviceExpr& expr, QueryState* state, Steps steps)
    : expr_(expr),
      state_(state),
      devices_(state->devices),
      steps_(steps),
      shift_(ShiftOf(*expr.selector, state->steps)),
      columns_(static_cast<size_t>(steps.count)),
      held_(state),
      counts_(state->counts) {
  helpers_.context = this;
  helpers_.run = [](void* run, uint32_t tasks, void (*task)(void*, uint32_t), void* argument) {
    static_cast<DeviceRun*>(run)->RunTasks(tasks, [&](uint32_t i) { task(argument, i); });
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
  // For the CPU too, if the selection goes on to it.
  hints.readers = BatchStream::ReadersWanted(*state_, hints.end - hints.start);
  wanted_readers_ = static_cast<size_t>(hints.readers);
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set, state_->Select(expr_.selector->matchers, &hints));
  const size_t size = set->size();
  readers_.push_back(std::make_unique<DeviceReader>(std::move(set), state_->use_start_timestamps));
  if (size > 0 && size < kNoSeries) {
    ASSIGN_OR_RETURN(DeviceWork work, Estimate());
    choice_ = devices_->Choose(work);
    asked_ = true;
  }
  if (choice_.device) return true;
  state_->selected[expr_.selector] = readers_[0]->TakeSet();
  return false;
}

// From the first series: they are alike.
absl::StatusOr<DeviceWork> DeviceRun::Estimate() {
  DeviceReader& reader = *readers_[0];
  const size_t size = reader.set()->size(), count = std::min(kSampled, size);
  // Whether they fit shows when all are read.
  RETURN_IF_ERROR(reader.Read(0, count, HasOnDevice(), std::vector<size_t>(count, 0)).status());
  DeviceBatchBuilder& batch = reader.batch();
  (void)batch.View();  // the sizes of what is in no stripe
  const double n = static_cast<double>(size), scale = n / static_cast<double>(count);
  DeviceWork work;
  work.series = n;
  work.samples = static_cast<double>(batch.samples()) * scale;
  work.bytes = static_cast<double>(batch.compressed_bytes()) * scale;
  const std::vector<DeviceStripe>& stripes = batch.stripes();
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

// first_over_time and last_over_time leave names where they are.
bool DeviceRun::TakesNames() const { return expr_.function != kDeviceFirst && expr_.function != kDeviceLast; }

absl::Status DeviceRun::TakeSeries() {
  tsdb::SeriesSet* const set = readers_[0]->set();
  series_.resize(set->size());
  const bool drop_name = TakesNames();
  for (size_t i = 0; i < series_.size(); ++i) series_[i] = {set->TakeLabels(i), drop_name};
  groups_ = GroupSeries(series_, expr_.aggregate->grouping, expr_.aggregate->without);
  const size_t cells = groups_.series.size() * columns_ * std::max(expr_.k, 1u);
  return held_.Add(static_cast<int64_t>(cells));
}

// The query's own thread takes part, and the others as they are free.
void DeviceRun::RunTasks(uint32_t tasks, const std::function<void(uint32_t)>& task) {
  std::atomic<uint32_t> next{0}, done{0};
  const auto work = [&] {
    for (uint32_t i = next++; i < tasks; i = next++) {
      task(i);
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
  looked_at_ = {0, std::vector<int64_t>(counts_->per_step.size(), 0)};
  const size_t at_once = MakeReaders();
  for (size_t first = 0; first < series_.size(); first += at_once * readers_.size()) {
    RETURN_IF_ERROR(state_->Check());
    ASSIGN_OR_RETURN(const bool added, AddBatches(plan, first, at_once));
    if (!added) return false;
  }
  return true;
}

// How many series each of them reads at once.
size_t DeviceRun::MakeReaders() {
  const size_t at_once = std::clamp(kCellsAtOnce / columns_, kFewestSeriesAtOnce, kMostSeriesAtOnce);
  const size_t shared = std::max(at_once / 4, kFewestSeriesAtOnce);
  while (readers_.size() < wanted_readers_ && readers_.size() * shared < series_.size()) {
    std::unique_ptr<tsdb::SeriesSet> another = readers_[0]->set()->NewReader();
    if (another == nullptr) break;
    readers_.push_back(std::make_unique<DeviceReader>(std::move(another), state_->use_start_timestamps));
  }
  return readers_.size() > 1 ? shared : at_once;
}

// One batch a reader: they are read side by side and added in order.
absl::StatusOr<bool> DeviceRun::AddBatches(const DevicePlan& plan, size_t begin, size_t at_once) {
  const size_t left = series_.size() - begin;
  const size_t batches = std::min(readers_.size(), (left + at_once - 1) / at_once);
  const auto read = [&](size_t i, const tsdb::HasStripe& has) {
    const size_t first = begin + i * at_once, count = std::min(at_once, series_.size() - first);
    return readers_[i]->Read(first, count, has, std::span(groups_.of).subspan(first, count));
  };
  std::vector<absl::StatusOr<bool>> done(batches, false);
  RunTasks(static_cast<uint32_t>(batches), [&](uint32_t i) { done[i] = read(i, HasOnDevice()); });
  int64_t held = 0;
  for (size_t i = 0; i < batches; ++i)
    held += static_cast<int64_t>(readers_[i]->batch().compressed_bytes()) / kSampleBytes;
  RETURN_IF_ERROR(held_.Add(held));
  for (size_t i = 0; i < batches; ++i) {
    ASSIGN_OR_RETURN(const bool fits, std::move(done[i]));
    if (!fits) return Fall(DeviceFallback::kData);
    int32_t status = AddBatch(&readers_[i]->batch());
    if (status == kDeviceMissing) {
      // Evicted since it was asked for.
      RETURN_IF_ERROR(read(i, [](const uint64_t*, uint64_t) { return false; }).status());
      status = AddBatch(&readers_[i]->batch());
    }
    if (Failed(status)) return false;
    readers_[i]->batch().CountWindows(plan, &looked_at_);
  }
  held_.Release(held);
  return true;
}

int32_t DeviceRun::AddBatch(DeviceBatchBuilder* batch) {
  const DeviceBatch view = batch->View();
  return devices_->api().add(query_, &view);
}

absl::StatusOr<bool> DeviceRun::Finish() {
  values_.resize(groups_.series.size() * columns_);
  present_.resize(values_.size());
  if (Failed(devices_->api().finish(query_, values_.data(), present_.data()))) return false;
  Done();
  return true;
}

absl::StatusOr<bool> DeviceRun::Quantile(const DeviceHistograms& histograms) {
  values_.resize(size_t{histograms.histograms} * columns_);
  present_.resize(values_.size());
  int32_t any = 0;
  if (Failed(devices_->api().quantile(query_, &histograms, values_.data(), present_.data(), &any)))
    return false;
  if (any != 0) return Fall(DeviceFallback::kData);  // the CPU can tell more of it
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
  std::string text = NonCounterText(series_[0].labels, state_->type_and_unit_labels);
  if (text.empty() || std::find(present_.begin(), present_.end(), 1) == present_.end()) return;
  state_->annotations.Add(std::move(text), ArgumentPosition(*expr_.call->children[0]), expr_.call->pos);
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
