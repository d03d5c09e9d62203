// The CUDA device, and the one name that the library exports.
#include <cstdio>
#include <new>
#include <vector>

#include "cuda/cuda_stream.h"

namespace narthex::cuda {
namespace {

class CudaBackend : public Backend {
 public:
  // nullptr: no driver, no device, or one that the kernels do not run on.
  static std::unique_ptr<CudaBackend> Make(char* error, uint32_t error_size) {
    int devices = 0;
    cudaError_t failed = cudaGetDeviceCount(&devices);
    if (failed == cudaSuccess && devices == 0) failed = cudaErrorNoDevice;
    if (failed == cudaSuccess) failed = cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync);
    auto made = std::unique_ptr<CudaBackend>(new CudaBackend());
    if (failed == cudaSuccess) failed = cudaGetDeviceProperties(&made->properties_, 0);
    int blocks = 0;  // fails if there is no code for the device
    if (failed == cudaSuccess) failed = SeriesOccupancy(/*scan=*/false, 0, &blocks);
    if (failed != cudaSuccess) {
      std::snprintf(error, error_size, "%s", cudaGetErrorString(failed));
      return nullptr;
    }
    made->limits_.processors = static_cast<uint32_t>(made->properties_.multiProcessorCount);
    made->limits_.shared_bytes = made->properties_.sharedMemPerBlockOptin;
    if (!made->Calibrate()) {
      std::snprintf(error, error_size, "the device failed while it was measured: %s",
                    cudaGetErrorString(cudaPeekAtLastError()));
      return nullptr;
    }
    return made;
  }

  promql::DeviceInfo Info() override {
    promql::DeviceInfo out = measured_;
    std::snprintf(out.backend, sizeof(out.backend), "cuda");
    std::snprintf(out.name, sizeof(out.name), "%.100s", properties_.name);
    cudaDriverGetVersion(&out.driver);
    cudaRuntimeGetVersion(&out.runtime);
    out.capability = properties_.major * 10 + properties_.minor;
    out.processors = properties_.multiProcessorCount;
    out.integrated = properties_.integrated;
    out.memory_total = properties_.totalGlobalMem;
    out.memory_free = memory_.FreeBytes();
    return out;
  }
  uint64_t FreeBytes() override { return memory_.FreeBytes(); }
  void* Allocate(uint64_t bytes) override { return memory_.Allocate(bytes); }
  void Free(void* at) override { memory_.Free(at); }
  void SetReserve(uint64_t bytes) override { memory_.SetReserve(bytes); }
  void Trim() override { memory_.Trim(); }
  std::unique_ptr<Stream> NewStream() override { return NewCudaStream(); }

 private:
  CudaBackend() = default;

  std::unique_ptr<CudaStream> NewCudaStream() {
    std::unique_ptr<Queues> queues = memory_.TakeQueues();
    if (queues == nullptr) return nullptr;
    return std::make_unique<CudaStream>(&memory_, std::move(queues), limits_);
  }

  // Seconds that `work` keeps the stream's kernels busy; negative if it failed.
  template <typename Work>
  static double Time(CudaStream* stream, Work work) {
    cudaEvent_t begin = nullptr, end = nullptr;
    cudaEventCreate(&begin);
    cudaEventCreate(&end);
    cudaEventRecord(begin, stream->compute());
    work();
    cudaEventRecord(end, stream->compute());
    const int32_t status = stream->Wait();
    float ms = -1;
    if (status != promql::kDeviceOk || cudaEventElapsedTime(&ms, begin, end) != cudaSuccess) ms = -1;
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    return static_cast<double>(ms) / 1e3;
  }

  bool Calibrate();
  bool MeasureRates(CudaStream* stream);
  double MeasureSamples(CudaStream* stream);

  CudaMemory memory_;
  cudaDeviceProp properties_{};
  LaunchLimits limits_;
  promql::DeviceInfo measured_;
};

// What the cost model goes by; takes some milliseconds.
bool CudaBackend::Calibrate() {
  const std::unique_ptr<CudaStream> stream = NewCudaStream();
  if (stream == nullptr) return false;
  bool ok = false;
  // From the first event to the last one: the host's part is in it.
  measured_.calibration_seconds = Time(stream.get(), [&] { ok = MeasureRates(stream.get()); });
  return ok && measured_.calibration_seconds > 0;
}

bool CudaBackend::MeasureRates(CudaStream* stream) {
  constexpr uint64_t kBytes = Queues::kChunk;
  std::unique_ptr<Queues> ring = memory_.TakeQueues();
  uint8_t* const a = static_cast<uint8_t*>(memory_.Allocate(2 * kBytes));
  bool ok = ring != nullptr && a != nullptr;
  const auto copy = [&](const void* from, cudaMemcpyKind kind) {
    const auto work = [&] {
      for (int i = 0; i < 4; ++i) cudaMemcpyAsync(a, from, kBytes, kind, stream->compute());
    };
    (void)Time(stream, work);
    return 4.0 * kBytes / Time(stream, work);
  };
  if (ok) {
    measured_.copy_rate = copy(ring->chunks[0], cudaMemcpyHostToDevice);
    measured_.device_rate = copy(a + kBytes, cudaMemcpyDeviceToDevice);
    const auto launches = [&] {
      for (int i = 0; i < 200; ++i) {
        stream->Clear(a, 4);
        if (i % 20 == 19) stream->Wait();
      }
    };
    measured_.launch_seconds = Time(stream, launches) / 200;  // a small query is about 20 and one wait
    measured_.sample_rate = MeasureSamples(stream);
    ok = measured_.copy_rate > 0 && measured_.device_rate > 0 && measured_.launch_seconds > 0 &&
         measured_.sample_rate > 0;
  }
  if (ring != nullptr) memory_.ReturnQueues(std::move(ring));
  if (a != nullptr) memory_.Free(a);
  return ok;
}

// rate() over many series that are all the same chunk: 241 samples, each 4 bits.
double CudaBackend::MeasureSamples(CudaStream* stream) {
  constexpr uint32_t kSamples = 241, kSteps = 60;
  const uint32_t many = 1024 * limits_.processors;  // enough to fill them, a fraction of a millisecond
  std::vector<uint8_t> chunk = {kNxMonotonic, 0, 1};
  for (uint32_t i = 1; i < kSamples; i += kNxBlock) {
    const uint32_t n = kSamples - i < kNxBlock ? kSamples - i : kNxBlock;
    chunk.push_back(4);
    for (uint32_t b = 0; b < n / 2; ++b) chunk.push_back(static_cast<uint8_t>(0x21 + 37 * b));
  }
  std::vector<int64_t> times;
  for (uint32_t i = 0; i < kSamples; ++i) times.push_back(int64_t{15000} * i);
  const promql::DeviceTimeline timeline{0, kSamples};
  const std::vector<promql::DeviceSeries> series(many, {0, 1, 0, 0});

  SeriesBatch batch;
  batch.plan.function = promql::kDeviceRate;
  batch.plan.range_ms = 300'000;
  batch.plan.step_ms = 60'000;
  batch.plan.steps = kSteps;
  batch.series_count = many;
  const uint64_t rows = uint64_t{many} * kSteps * sizeof(double);
  const uint64_t windows = kSteps * sizeof(StepWindow), inputs = 64 << 10;
  uint8_t* const base =
      static_cast<uint8_t*>(memory_.Allocate(rows + windows + inputs + series.size() * 16 + 64));
  if (base == nullptr) return -1;
  uint8_t* at = base;
  const auto put = [&](const void* from, uint64_t bytes) {
    uint8_t* const to = at;
    stream->Upload(to, from, bytes);
    at += (bytes + kPadding + 15) / 16 * 16;
    return to;
  };
  PlacedPiece piece;
  piece.at = put(chunk.data(), chunk.size());
  piece.bytes = static_cast<uint32_t>(chunk.size());
  piece.count = kSamples;
  WindowBatch window_batch;
  window_batch.plan = batch.plan;
  window_batch.timeline_count = 1;
  window_batch.times = reinterpret_cast<const int64_t*>(put(times.data(), times.size() * sizeof(int64_t)));
  window_batch.timelines = reinterpret_cast<const promql::DeviceTimeline*>(put(&timeline, sizeof(timeline)));
  batch.pieces = reinterpret_cast<const PlacedPiece*>(put(&piece, sizeof(piece)));
  batch.series =
      reinterpret_cast<const promql::DeviceSeries*>(put(series.data(), series.size() * sizeof(series[0])));
  const uint32_t no_faults = 0;
  batch.faults = reinterpret_cast<uint32_t*>(put(&no_faults, sizeof(no_faults)));
  window_batch.windows = reinterpret_cast<StepWindow*>(at);
  batch.windows = window_batch.windows;
  batch.rows = reinterpret_cast<double*>(at + windows);
  stream->EndUpload();
  stream->Windows(window_batch);
  const auto run = [&] { stream->Series(batch, RingFor(20)); };
  (void)Time(stream, run);
  const double seconds = Time(stream, run);
  memory_.Free(base);
  return static_cast<double>(many) * kSamples / seconds;
}

void* Open(const promql::DeviceOptions* options, char* error, uint32_t error_size) {
  try {
    std::unique_ptr<CudaBackend> backend = CudaBackend::Make(error, error_size);
    return backend == nullptr ? nullptr : OpenDevice(std::move(backend), *options);
  } catch (const std::bad_alloc&) {
    std::snprintf(error, error_size, "out of memory");
    return nullptr;
  }
}

}  // namespace
}  // namespace narthex::cuda

extern "C" __attribute__((visibility("default"))) const narthex::promql::DeviceApi* narthex_device() {
  static const narthex::promql::DeviceApi api = [] {
    narthex::promql::DeviceApi out;
    narthex::cuda::FillDeviceApi(&out);
    out.open = narthex::cuda::Open;
    return out;
  }();
  return &api;
}
