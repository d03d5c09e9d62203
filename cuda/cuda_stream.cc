#include "cuda/cuda_stream.h"

#include <algorithm>
#include <cstring>

namespace narthex::cuda {

CudaStream::~CudaStream() {
  const int32_t status = Wait();
  if (wide_ != nullptr) memory_->Free(wide_);
  if (status == promql::kDeviceOk) memory_->ReturnQueues(std::move(queues_));
}

int32_t CudaStream::BeginUpload(uint32_t slot) {
  if (slot_used_[slot]) Note(cudaEventSynchronize(queues_->slot_done[slot]));
  return status_;
}

void CudaStream::Upload(void* to, const void* from, uint64_t bytes) {
  Append({to, from, bytes}, {});
  Fill({});
}

void CudaStream::UploadAll(const std::vector<Copy>& copies, const promql::DeviceHelpers& helpers) {
  for (const Copy& c : copies) Append(c, helpers);
  Fill(helpers);
}

// Gives the bytes their places in the ring. Where a chunk is full it is filled and sent on its way.
void CudaStream::Append(const Copy& copy, const promql::DeviceHelpers& helpers) {
  uint8_t* at = static_cast<uint8_t*>(copy.to);
  const uint8_t* source = static_cast<const uint8_t*>(copy.from);
  for (uint64_t bytes = copy.bytes; bytes > 0 && status_ == promql::kDeviceOk;) {
    Join(at);
    if (fill_ == Queues::kChunk) {
      NextChunk(helpers);
      continue;
    }
    const uint64_t n = std::min(bytes, Queues::kChunk - fill_);
    const uint64_t first = slices_.empty() ? 0 : slices_.back().first + slices_.back().bytes;
    slices_.push_back({queues_->chunks[chunk_] + fill_, source, n, first});
    fill_ += n;
    pending_ += n;
    at += n;
    source += n;
    bytes -= n;
  }
}

// Continues the copy under way if `to` follows it closely: what lies between is padding of what is before.
void CudaStream::Join(uint8_t* to) {
  const int64_t gap = to - (pending_to_ + pending_);
  if (pending_ > 0 && gap >= 0 && gap < 32 && fill_ + static_cast<uint64_t>(gap) < Queues::kChunk) {
    std::memset(queues_->chunks[chunk_] + fill_, 0, static_cast<uint64_t>(gap));
    fill_ += static_cast<uint64_t>(gap);
    pending_ += static_cast<uint64_t>(gap);
    return;
  }
  EndCopy();
  pending_to_ = to;
  pending_at_ = fill_;
}

void CudaStream::EndCopy() {
  if (pending_ > 0) copies_.push_back({pending_to_, queues_->chunks[chunk_] + pending_at_, pending_});
  pending_ = 0;
}

// One thread does not fill the ring as fast as the device empties it.
void CudaStream::Fill(const promql::DeviceHelpers& helpers) {
  constexpr uint64_t kPart = 256 << 10;
  if (slices_.empty()) return;
  const uint64_t bytes = slices_.back().first + slices_.back().bytes;
  if (helpers.run == nullptr || bytes < 2 * kPart) {
    FillPart(0, bytes);
  } else {
    helpers.run(
        helpers.context, static_cast<uint32_t>((bytes + kPart - 1) / kPart),
        [](void* stream, uint32_t i) {
          static_cast<const CudaStream*>(stream)->FillPart(i * kPart, (i + uint64_t{1}) * kPart);
        },
        this);
  }
  slices_.clear();
}

// Bytes [begin, end) of all slices, one behind the other.
void CudaStream::FillPart(uint64_t begin, uint64_t end) const {
  auto slice = std::upper_bound(slices_.begin(), slices_.end(), begin,
                                [](uint64_t at, const Slice& s) { return at < s.first; }) -
               1;
  for (; slice != slices_.end() && slice->first < end; ++slice) {
    const uint64_t from = std::max(begin, slice->first) - slice->first;
    const uint64_t to = std::min(end - slice->first, slice->bytes);
    std::memcpy(slice->to + from, slice->from + from, to - from);
  }
}

void CudaStream::Flush(const promql::DeviceHelpers& helpers) {
  Fill(helpers);
  EndCopy();
  for (const Copy& c : copies_) {
    if (status_ != promql::kDeviceOk) break;
    Note(cudaMemcpyAsync(c.to, c.from, c.bytes, cudaMemcpyHostToDevice, queues_->copy));
  }
  copies_.clear();
}

void CudaStream::NextChunk(const promql::DeviceHelpers& helpers) {
  Flush(helpers);
  Note(cudaEventRecord(queues_->chunk_done[chunk_], queues_->copy));
  chunk_ = (chunk_ + 1) % Queues::kChunks;
  Note(cudaEventSynchronize(queues_->chunk_done[chunk_]));
  fill_ = 0;
}

void CudaStream::EndUpload() {
  Flush();
  Note(cudaEventRecord(queues_->uploaded, queues_->copy));
  Note(cudaStreamWaitEvent(queues_->compute, queues_->uploaded, 0));
}

void CudaStream::EndSlot(uint32_t slot) {
  Note(cudaEventRecord(queues_->slot_done[slot], queues_->compute));
  slot_used_[slot] = true;
}

void CudaStream::Windows(const WindowBatch& batch) {
  if (Go(uint64_t{batch.timeline_count} * batch.plan.steps)) Note(LaunchWindows(batch, queues_->compute));
}

void CudaStream::Series(const SeriesBatch& batch, uint32_t ring_size) {
  if (!Go(batch.series_count)) return;
  const uint64_t shared = uint64_t{kSeriesWarps} * ring_size * sizeof(double);
  const bool fits = shared <= limits_.shared_bytes;
  int in_processor = 1;  // rings in global memory should stay in the cache
  if (fits) {
    int& known = queues_->series_blocks[IsScan(batch.plan) ? 1 : 0][HighestBit(ring_size)];
    if (known == 0) Note(SeriesOccupancy(IsScan(batch.plan), shared, &known));
    in_processor = known;
  }
  const uint32_t most = limits_.processors * static_cast<uint32_t>(std::max(in_processor, 1));
  const uint32_t blocks = std::min((batch.series_count + kSeriesWarps - 1) / kSeriesWarps, most);
  if (!fits && !ReserveWide(uint64_t{blocks} * shared)) return;
  if (status_ != promql::kDeviceOk) return;
  Note(LaunchSeries(batch, ring_size, blocks, fits ? shared : 0, fits ? nullptr : wide_, queues_->compute));
}

void CudaStream::Init(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) {
  if (Go(cells)) Note(LaunchInit(plan, state, cells, queues_->compute));
}

void CudaStream::Combine(const GroupBatch& batch) {
  if (Go(uint64_t{batch.group_count} * batch.plan.steps)) Note(LaunchCombine(batch, queues_->compute));
}

void CudaStream::FinishGroups(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) {
  if (Go(cells)) Note(LaunchFinish(plan, state, cells, queues_->compute));
}

void CudaStream::Histogram(const HistogramBatch& batch) {
  if (Go(uint64_t{batch.histograms.histograms} * batch.steps)) Note(LaunchHistogram(batch, queues_->compute));
}

void CudaStream::Clear(void* at, uint64_t bytes) {
  if (Go(bytes)) Note(cudaMemsetAsync(at, 0, bytes, queues_->compute));
}

// Through pinned memory; one chunk is on its way while the one before is copied out.
int32_t CudaStream::Download(void* to, const void* from, uint64_t bytes) {
  // The pinned chunks must be free; the kernels before it are waited for by the copies.
  if (status_ == promql::kDeviceOk) Flush();
  Note(cudaStreamSynchronize(queues_->copy));
  fill_ = 0;
  if (status_ != promql::kDeviceOk) return status_;
  uint8_t* out = static_cast<uint8_t*>(to);
  const uint8_t* source = static_cast<const uint8_t*>(from);
  const uint64_t chunks = (bytes + Queues::kChunk - 1) / Queues::kChunk;
  const auto size = [&](uint64_t i) { return std::min(Queues::kChunk, bytes - i * Queues::kChunk); };
  for (uint64_t i = 0; i <= chunks && status_ == promql::kDeviceOk; ++i) {
    if (i < chunks) {
      Note(cudaMemcpyAsync(queues_->chunks[i % 2], source + i * Queues::kChunk, size(i),
                           cudaMemcpyDeviceToHost, queues_->compute));
      Note(cudaEventRecord(queues_->chunk_done[i % 2], queues_->compute));
    }
    if (i == 0) continue;
    Await(queues_->chunk_done[(i - 1) % 2]);
    std::memcpy(out + (i - 1) * Queues::kChunk, queues_->chunks[(i - 1) % 2], size(i - 1));
  }
  return status_;
}

// To be woken takes longer than a small query's kernels: it is asked for a moment before.
void CudaStream::Await(cudaEvent_t event) {
  cudaError_t state = cudaErrorNotReady;
  for (int i = 0; i < 100 && state == cudaErrorNotReady; ++i) {
    state = cudaEventQuery(event);
    if (state == cudaErrorNotReady) (void)cudaGetLastError();  // it would be taken for a kernel's
  }
  Note(state == cudaErrorNotReady ? cudaEventSynchronize(event) : state);
}

int32_t CudaStream::Wait() {
  if (status_ == promql::kDeviceOk) Flush();
  Note(cudaStreamSynchronize(queues_->copy));
  Note(cudaStreamSynchronize(queues_->compute));
  fill_ = 0;
  return status_;
}

bool CudaStream::ReserveWide(uint64_t bytes) {
  if (bytes <= wide_size_) return true;
  if (wide_ != nullptr) {
    Note(cudaStreamSynchronize(queues_->compute));
    memory_->Free(wide_);
  }
  wide_ = static_cast<double*>(memory_->Allocate(bytes));
  wide_size_ = wide_ == nullptr ? 0 : bytes;
  if (wide_ == nullptr && status_ == promql::kDeviceOk) status_ = promql::kDeviceOutOfMemory;
  return wide_ != nullptr;
}

}  // namespace narthex::cuda
