#include "cuda/query.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace narthex::cuda {
namespace {

using promql::DeviceBatch;
using promql::kDeviceOk;
using promql::kDeviceOutOfMemory;
using promql::kDeviceUnsuitable;

constexpr uint64_t kAlign = 16;

uint64_t Aligned(uint64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// Lays arrays out one behind the other.
class Layout {
 public:
  uint64_t Add(uint64_t bytes) {
    const uint64_t at = size_;
    size_ += Aligned(bytes);
    return at;
  }
  uint64_t size() const { return size_; }

 private:
  uint64_t size_ = 0;
};

// The series of each group that occurs in a batch.
struct Membership {
  std::vector<uint32_t> groups, begin, members;
};

Membership MembersOf(const DeviceBatch& batch, std::vector<uint32_t>* place_of_group) {
  Membership out;
  for (uint32_t s = 0; s < batch.series_count; ++s) {
    uint32_t& place = (*place_of_group)[batch.series[s].group];
    if (place == promql::kNoSeries) {
      place = static_cast<uint32_t>(out.groups.size());
      out.groups.push_back(batch.series[s].group);
      out.begin.push_back(0);
    }
    ++out.begin[place];
  }
  uint32_t sum = 0;
  for (uint32_t& b : out.begin) sum += std::exchange(b, sum);
  out.begin.push_back(sum);
  out.members.resize(sum);
  std::vector<uint32_t> next = out.begin;
  for (uint32_t s = 0; s < batch.series_count; ++s) {
    out.members[next[(*place_of_group)[batch.series[s].group]]++] = s;
  }
  for (uint32_t g : out.groups) (*place_of_group)[g] = promql::kNoSeries;
  return out;
}

}  // namespace

void* DeviceBuffer::Reserve(uint64_t bytes) {
  if (bytes <= size_) return at_;
  if (at_ != nullptr) backend_->Free(at_);
  at_ = backend_->Allocate(bytes);
  size_ = at_ == nullptr ? 0 : bytes;
  return at_;
}

Query::Query(Backend* backend, StripeCache* cache, const promql::DevicePlan& plan,
             const promql::DeviceHelpers& helpers)
    : backend_(backend),
      cache_(cache),
      plan_(plan),
      helpers_(helpers),
      ranking_(IsRanking(plan.aggregation)),
      cells_(static_cast<uint64_t>(plan.groups) * plan.steps),
      state_memory_(backend),
      results_(backend) {}

Query::~Query() {
  // Nothing may run on memory that is given back.
  const bool uploaded = stream_ == nullptr || stream_->Wait() == kDeviceOk;
  for (auto& slot : slots_) LetGo(slot.get(), uploaded);
}

int32_t Query::Begin() {
  stream_ = backend_->NewStream();
  if (stream_ == nullptr) return promql::kDeviceLost;
  for (uint32_t i = 0; i < Stream::kSlots; ++i) slots_.push_back(std::make_unique<Slot>(backend_));
  place_of_group_.assign(plan_.groups, promql::kNoSeries);
  Layout layout;
  const uint64_t faults = layout.Add(sizeof(uint32_t));
  // What Finish() brings back lies together.
  const uint64_t value = layout.Add(ranking_ ? 0 : cells_ * sizeof(double));
  const uint64_t any = layout.Add(ranking_ ? 0 : cells_);
  const uint64_t low = layout.Add(ranking_ ? 0 : cells_ * sizeof(double));
  const uint64_t count = layout.Add(ranking_ ? 0 : cells_ * sizeof(double));
  const uint64_t running = layout.Add(ranking_ ? 0 : cells_);
  const uint64_t best_value = layout.Add(ranking_ ? cells_ * plan_.k * sizeof(double) : 0);
  const uint64_t best_series = layout.Add(ranking_ ? cells_ * plan_.k * sizeof(uint32_t) : 0);
  uint8_t* const base = static_cast<uint8_t*>(state_memory_.Reserve(layout.size()));
  if (base == nullptr) return kDeviceOutOfMemory;
  faults_ = reinterpret_cast<uint32_t*>(base + faults);
  state_.value = reinterpret_cast<double*>(base + value);
  state_.low = reinterpret_cast<double*>(base + low);
  state_.count = reinterpret_cast<double*>(base + count);
  state_.any = base + any;
  state_.running = base + running;
  state_.best_value = reinterpret_cast<double*>(base + best_value);
  state_.best_series = reinterpret_cast<uint32_t*>(base + best_series);
  stream_->Clear(faults_, sizeof(uint32_t));
  stream_->Init(plan_, state_, cells_);
  return stream_->Status();
}

// The kernels trust what is checked here; the insides of chunks they check themselves.
int32_t Query::Check(const DeviceBatch& batch) const {
  for (uint32_t i = 0; i < batch.timeline_count; ++i) {
    const promql::DeviceTimeline& t = batch.timelines[i];
    if (t.first > batch.time_count || t.count > batch.time_count - t.first) return kDeviceUnsuitable;
  }
  for (uint32_t i = 0; i < batch.piece_count; ++i) {
    const promql::DevicePiece& p = batch.pieces[i];
    if (p.stripe >= batch.stripe_count) return kDeviceUnsuitable;
    const uint64_t size = batch.stripes[p.stripe].size;
    if (p.offset > size || p.bytes > size - p.offset) return kDeviceUnsuitable;
    if (p.raw != 0 && (p.offset % 8 != 0 || p.bytes != p.count * uint64_t{8})) return kDeviceUnsuitable;
  }
  for (uint32_t i = 0; i < batch.series_count; ++i) {
    const promql::DeviceSeries& s = batch.series[i];
    if (s.group >= plan_.groups || s.timeline >= batch.timeline_count || s.first_piece > batch.piece_count ||
        s.pieces > batch.piece_count - s.first_piece) {
      return kDeviceUnsuitable;
    }
    uint64_t count = 0;
    for (uint32_t p = 0; p < s.pieces; ++p) count += batch.pieces[s.first_piece + p].count;
    if (count != batch.timelines[s.timeline].count) return kDeviceUnsuitable;
  }
  return kDeviceOk;
}

uint32_t Query::RingSize(const DeviceBatch& batch) const {
  uint32_t longest = 0, widest = 0;
  for (uint32_t i = 0; i < batch.timeline_count; ++i) longest = std::max(longest, batch.timelines[i].count);
  if (RingFor(longest) <= RingFor(0)) return RingFor(0);
  for (uint32_t i = 0; i < batch.timeline_count; ++i) {
    const promql::DeviceTimeline& t = batch.timelines[i];
    if (t.count > widest)
      widest = std::max(widest, WidestWindow(batch.times + t.first, t.count, plan_.range_ms));
  }
  return RingFor(widest);
}

// Its kernels are done: others may use the stripes, and the cache may drop them.
void Query::LetGo(Slot* slot, bool uploaded) {
  for (StripeCache::Entry* e : slot->filled) uploaded ? cache_->Publish(e) : cache_->Unpin(e);
  for (StripeCache::Entry* e : slot->pinned) cache_->Unpin(e);
  slot->filled.clear();
  slot->pinned.clear();
}

// False, and nothing is taken, if one that has no bytes is not there.
bool Query::TakeStripes(const DeviceBatch& batch, Slot* slot, std::vector<StripeCache::Place>* places) {
  places->resize(batch.stripe_count);
  bool missing = false;
  // Those without bytes first: room for the others is not to be made by evicting them.
  for (const bool with_bytes : {false, true}) {
    for (uint32_t i = 0; i < batch.stripe_count && !missing; ++i) {
      const promql::DeviceStripe& s = batch.stripes[i];
      if ((s.bytes != nullptr || s.size == 0) != with_bytes) continue;
      StripeCache::Place& place = (*places)[i];
      if (s.key[0] != 0 || s.key[1] != 0) place = with_bytes ? cache_->Take(s) : cache_->TakeIfThere(s);
      if (place.found == StripeCache::Found::kThere) slot->pinned.push_back(place.entry);
      if (place.found == StripeCache::Found::kRoom) slot->filled.push_back(place.entry);
      missing = !with_bytes && place.found != StripeCache::Found::kThere;
    }
  }
  if (missing) LetGo(slot, /*uploaded=*/false);
  return !missing;
}

int32_t Query::Add(const DeviceBatch& batch) {
  if (batch.series_count == 0) return stream_->Status();
  if (const int32_t bad = Check(batch); bad != kDeviceOk) return bad;
  const uint32_t number = batches_ % Stream::kSlots;
  Slot& slot = *slots_[number];
  if (const int32_t bad = stream_->BeginUpload(number); bad != kDeviceOk) return bad;
  LetGo(&slot, /*uploaded=*/true);
  std::vector<StripeCache::Place> places;
  if (!TakeStripes(batch, &slot, &places)) return promql::kDeviceMissing;
  ++batches_;

  const Membership in = MembersOf(batch, &place_of_group_);
  Layout layout;
  const uint64_t times = layout.Add(batch.time_count * sizeof(int64_t));
  const uint64_t timelines = layout.Add(batch.timeline_count * sizeof(promql::DeviceTimeline));
  const uint64_t pieces = layout.Add(batch.piece_count * sizeof(PlacedPiece));
  const uint64_t series = layout.Add(batch.series_count * sizeof(promql::DeviceSeries));
  const uint64_t groups = layout.Add(in.groups.size() * sizeof(uint32_t));
  const uint64_t begin = layout.Add(in.begin.size() * sizeof(uint32_t));
  const uint64_t members = layout.Add(in.members.size() * sizeof(uint32_t));
  // Stripes that the cache does not take go with the batch.
  std::vector<uint64_t> own(batch.stripe_count);
  for (uint32_t i = 0; i < batch.stripe_count; ++i) {
    if (places[i].found == StripeCache::Found::kNoPlace)
      own[i] = layout.Add(batch.stripes[i].size + kPadding);
  }
  const uint64_t windows = uint64_t{batch.timeline_count} * plan_.steps * sizeof(StepWindow);
  const uint64_t rows = uint64_t{batch.series_count} * plan_.steps * sizeof(double);
  uint8_t* const base = static_cast<uint8_t*>(slot.inputs.Reserve(layout.size()));
  if (base == nullptr || slot.windows.Reserve(windows) == nullptr || slot.rows.Reserve(rows) == nullptr) {
    LetGo(&slot, /*uploaded=*/false);  // nobody may take the places for filled
    return kDeviceOutOfMemory;
  }

  std::vector<Stream::Copy> copies;
  const auto upload_to = [&](uint8_t* to, const void* from, uint64_t bytes) {
    copies.push_back({to, from, bytes});
    uploaded_ += bytes;
  };
  const auto upload = [&](uint64_t offset, const void* from, uint64_t bytes) {
    upload_to(base + offset, from, bytes);
  };
  std::vector<const uint8_t*> stripe_at(batch.stripe_count);
  for (uint32_t i = 0; i < batch.stripe_count; ++i) {
    stripe_at[i] = places[i].found == StripeCache::Found::kNoPlace ? base + own[i] : places[i].at;
  }
  std::vector<PlacedPiece> placed(batch.piece_count);
  for (uint32_t i = 0; i < batch.piece_count; ++i) {
    const promql::DevicePiece& p = batch.pieces[i];
    placed[i].at = stripe_at[p.stripe] + p.offset;
    placed[i].bytes = p.bytes;
    placed[i].count = p.count;
    placed[i].raw = p.raw;
    samples_ += p.count;
  }
  // In the order of their addresses, so that neighbours become one copy.
  upload(times, batch.times, batch.time_count * sizeof(int64_t));
  upload(timelines, batch.timelines, batch.timeline_count * sizeof(promql::DeviceTimeline));
  upload(pieces, placed.data(), placed.size() * sizeof(PlacedPiece));
  upload(series, batch.series, batch.series_count * sizeof(promql::DeviceSeries));
  upload(groups, in.groups.data(), in.groups.size() * sizeof(uint32_t));
  upload(begin, in.begin.data(), in.begin.size() * sizeof(uint32_t));
  upload(members, in.members.data(), in.members.size() * sizeof(uint32_t));
  for (uint32_t i = 0; i < batch.stripe_count; ++i) {
    if (places[i].found == StripeCache::Found::kNoPlace)
      upload(own[i], batch.stripes[i].bytes, batch.stripes[i].size);
  }
  for (uint32_t i = 0; i < batch.stripe_count; ++i) {
    if (places[i].found == StripeCache::Found::kRoom)
      upload_to(places[i].at, batch.stripes[i].bytes, batch.stripes[i].size);
  }
  stream_->UploadAll(copies, helpers_);
  stream_->EndUpload();

  WindowBatch window_batch;
  window_batch.plan = plan_;
  window_batch.timelines = reinterpret_cast<const promql::DeviceTimeline*>(base + timelines);
  window_batch.times = reinterpret_cast<const int64_t*>(base + times);
  window_batch.windows = slot.windows.As<StepWindow>();
  window_batch.timeline_count = batch.timeline_count;
  stream_->Windows(window_batch);

  SeriesBatch series_batch;
  series_batch.plan = plan_;
  series_batch.pieces = reinterpret_cast<const PlacedPiece*>(base + pieces);
  series_batch.series = reinterpret_cast<const promql::DeviceSeries*>(base + series);
  series_batch.windows = window_batch.windows;
  series_batch.rows = slot.rows.As<double>();
  series_batch.faults = faults_;
  series_batch.series_count = batch.series_count;
  stream_->Series(series_batch, RingSize(batch));

  GroupBatch group_batch;
  group_batch.plan = plan_;
  group_batch.state = state_;
  group_batch.rows = series_batch.rows;
  group_batch.groups = reinterpret_cast<const uint32_t*>(base + groups);
  group_batch.begin = reinterpret_cast<const uint32_t*>(base + begin);
  group_batch.members = reinterpret_cast<const uint32_t*>(base + members);
  group_batch.group_count = static_cast<uint32_t>(in.groups.size());
  group_batch.first_series = first_series_;
  stream_->Combine(group_batch);
  stream_->EndSlot(number);
  first_series_ += batch.series_count;
  return stream_->Status();
}

int32_t Query::CheckFaults() {
  uint32_t faults = 0;
  if (const int32_t bad = stream_->Download(&faults, faults_, sizeof(faults)); bad != kDeviceOk) return bad;
  return faults == 0 ? kDeviceOk : kDeviceUnsuitable;
}

// Turns sums into results, once.
void Query::FinishGroups() {
  if (!finished_) stream_->FinishGroups(plan_, state_, cells_);
  finished_ = true;
}

// In one download: each is a wait.
int32_t Query::Finish(double* values, uint8_t* present) {
  if (ranking_) return kDeviceUnsuitable;
  FinishGroups();
  const uint8_t* const begin = reinterpret_cast<const uint8_t*>(faults_);
  const uint64_t value = static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(state_.value) - begin);
  const uint64_t any = static_cast<uint64_t>(state_.any - begin);
  std::vector<uint8_t> all(any + cells_);
  if (const int32_t bad = stream_->Download(all.data(), begin, all.size()); bad != kDeviceOk) return bad;
  uint32_t faults = 0;
  std::memcpy(&faults, all.data(), sizeof(faults));
  if (faults != 0) return kDeviceUnsuitable;
  std::memcpy(values, all.data() + value, cells_ * sizeof(double));
  std::memcpy(present, all.data() + any, cells_);
  return kDeviceOk;
}

int32_t Query::Quantile(const promql::DeviceHistograms& h, double* values, uint8_t* present,
                        int32_t* forced) {
  if (ranking_) return kDeviceUnsuitable;
  if (const int32_t bad = CheckFaults(); bad != kDeviceOk) return bad;
  FinishGroups();
  const uint32_t buckets = h.bucket_begin[h.histograms];
  for (uint32_t i = 0; i < buckets; ++i) {
    if (h.bucket_group[i] >= plan_.groups) return kDeviceUnsuitable;
  }
  const uint64_t cells = uint64_t{h.histograms} * plan_.steps;
  Layout layout;
  const uint64_t begin = layout.Add((h.histograms + uint64_t{1}) * sizeof(uint32_t));
  const uint64_t group = layout.Add(buckets * sizeof(uint32_t));
  const uint64_t bound = layout.Add(buckets * sizeof(double));
  const uint64_t low = layout.Add(plan_.steps * sizeof(double));
  const uint64_t high = layout.Add(plan_.steps * sizeof(double));
  const uint64_t out = layout.Add(cells * sizeof(double));
  const uint64_t any = layout.Add(cells);
  const uint64_t notes = layout.Add(sizeof(uint32_t));
  uint8_t* const base = static_cast<uint8_t*>(results_.Reserve(layout.size()));
  if (base == nullptr) return kDeviceOutOfMemory;
  const uint32_t slot = batches_++ % Stream::kSlots;
  if (const int32_t bad = stream_->BeginUpload(slot); bad != kDeviceOk) return bad;
  stream_->Upload(base + begin, h.bucket_begin, (h.histograms + uint64_t{1}) * sizeof(uint32_t));
  stream_->Upload(base + group, h.bucket_group, buckets * sizeof(uint32_t));
  stream_->Upload(base + bound, h.bucket_bound, buckets * sizeof(double));
  stream_->Upload(base + low, h.low, plan_.steps * sizeof(double));
  if (h.high != nullptr) stream_->Upload(base + high, h.high, plan_.steps * sizeof(double));
  stream_->EndUpload();
  HistogramBatch batch;
  batch.histograms.bucket_begin = reinterpret_cast<const uint32_t*>(base + begin);
  batch.histograms.bucket_group = reinterpret_cast<const uint32_t*>(base + group);
  batch.histograms.bucket_bound = reinterpret_cast<const double*>(base + bound);
  batch.histograms.low = reinterpret_cast<const double*>(base + low);
  batch.histograms.high = h.high == nullptr ? nullptr : reinterpret_cast<const double*>(base + high);
  batch.histograms.histograms = h.histograms;
  batch.counts = state_.value;
  batch.present = state_.any;
  batch.values = reinterpret_cast<double*>(base + out);
  batch.any = base + any;
  batch.forced = reinterpret_cast<uint32_t*>(base + notes);
  batch.steps = plan_.steps;
  stream_->Clear(batch.forced, sizeof(uint32_t));
  stream_->Histogram(batch);
  stream_->EndSlot(slot);
  uint32_t was_forced = 0;
  if (const int32_t bad = stream_->Download(values, batch.values, cells * sizeof(double)); bad != kDeviceOk) {
    return bad;
  }
  if (const int32_t bad = stream_->Download(present, batch.any, cells); bad != kDeviceOk) return bad;
  const int32_t status = stream_->Download(&was_forced, batch.forced, sizeof(was_forced));
  *forced = was_forced != 0 ? 1 : 0;
  return status;
}

int32_t Query::Best(uint32_t* series, double* values) {
  if (const int32_t bad = CheckFaults(); bad != kDeviceOk) return bad;
  const uint64_t places = cells_ * plan_.k;
  if (const int32_t bad = stream_->Download(series, state_.best_series, places * sizeof(uint32_t));
      bad != 0) {
    return bad;
  }
  return stream_->Download(values, state_.best_value, places * sizeof(double));
}

}  // namespace narthex::cuda
