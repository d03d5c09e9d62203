// The device's part of the figures in docs/gpu.md: kernels alone (events around them), copies, small queries.
//   gpu_figures [kernels|small|copies [MILLIONS_OF_SERIES]]
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cuda/cuda_stream.h"
#include "cuda/query.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::cuda {
namespace {

constexpr uint32_t kChunks = 6, kPerChunk = 240, kSamples = kChunks * kPerChunk, kSteps = 361;
constexpr uint32_t kDistinct = 4096;  // series whose bytes are made; the others are copies at other places
constexpr uint32_t kBatch = 32768;    // series of a launch
constexpr uint32_t kBuckets = 12;
constexpr uint64_t kStart = 1'700'000'000'000;

void Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

class BenchBackend : public Backend {
 public:
  BenchBackend() {
    cudaDeviceProp p;
    Check(cudaGetDeviceProperties(&p, 0), "cudaGetDeviceProperties");
    limits.processors = static_cast<uint32_t>(p.multiProcessorCount);
    limits.shared_bytes = p.sharedMemPerBlockOptin;
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    std::printf("device: %s, sm_%d%d, %d processors, %.1f GiB, driver %d, runtime %d\n", p.name, p.major,
                p.minor, p.multiProcessorCount, static_cast<double>(p.totalGlobalMem) / (1 << 30), driver,
                runtime);
  }
  promql::DeviceInfo Info() override { return {}; }
  uint64_t FreeBytes() override { return memory.FreeBytes(); }
  void* Allocate(uint64_t bytes) override { return memory.Allocate(bytes); }
  void Free(void* at) override { memory.Free(at); }
  void SetReserve(uint64_t bytes) override { memory.SetReserve(bytes); }
  std::unique_ptr<Stream> NewStream() override { return NewCuda(); }
  std::unique_ptr<CudaStream> NewCuda() {
    return std::make_unique<CudaStream>(&memory, memory.TakeQueues(), limits);
  }
  CudaMemory memory;
  LaunchLimits limits;
};

// The median time of 20 runs, in seconds.
double Median(CudaStream* stream, const std::function<void()>& work) {
  cudaEvent_t begin, end;
  Check(cudaEventCreate(&begin), "event");
  Check(cudaEventCreate(&end), "event");
  std::vector<float> ms(20);
  for (int i = -2; i < 20; ++i) {
    cudaEventRecord(begin, stream->compute());
    work();
    cudaEventRecord(end, stream->compute());
    Check(cudaEventSynchronize(end), "kernels");
    cudaEventElapsedTime(&ms[std::max(i, 0)], begin, end);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::sort(ms.begin(), ms.end());
  return static_cast<double>(ms[10]) / 1e3;
}

// Counters that change in two scrapes of three, now and then reset.
std::string MakeSeries(uint32_t seed, std::vector<uint32_t>* sizes) {
  std::mt19937 random(seed);
  std::string bytes;
  double counter = random() % 1000, values[kPerChunk];
  for (uint32_t c = 0; c < kChunks; ++c) {
    for (double& v : values) {
      if (random() % 2000 == 0) counter = 0;
      if (random() % 3 != 0) counter += random() % 60;
      v = counter;
    }
    const size_t before = bytes.size();
    tsdb::PutNxChunk(&bytes, values, kPerChunk);
    sizes->push_back(static_cast<uint32_t>(bytes.size() - before));
  }
  return bytes;
}

struct Data {
  uint64_t block = 0;  // bytes of the distinct series
  std::vector<uint32_t> sizes;
  std::vector<uint64_t> offsets;  // of each piece in a block
  std::string bytes;
};

Data MakeData() {
  Data d;
  for (uint32_t s = 0; s < kDistinct; ++s) {
    const size_t first = d.sizes.size();
    uint64_t at = d.bytes.size();
    d.bytes += MakeSeries(s, &d.sizes);
    for (size_t i = first; i < d.sizes.size(); at += d.sizes[i++]) d.offsets.push_back(at);
  }
  d.block = (d.bytes.size() + 64) / 64 * 64;
  return d;
}

promql::DevicePlan Plan(int32_t function, uint32_t groups) {
  promql::DevicePlan plan;
  plan.function = function;
  plan.first_end_ms = kStart;
  plan.step_ms = 60'000;
  plan.range_ms = 300'000;
  plan.steps = kSteps;
  plan.groups = groups;
  return plan;
}

template <typename T>
T* Put(BenchBackend* backend, const std::vector<T>& v) {
  T* const at = static_cast<T*>(backend->Allocate(v.size() * sizeof(T) + 64));
  Check(at == nullptr ? cudaErrorMemoryAllocation : cudaSuccess, "allocate");
  Check(cudaMemcpy(at, v.data(), v.size() * sizeof(T), cudaMemcpyHostToDevice), "copy");
  return at;
}

void Kernels(BenchBackend* backend, uint32_t series_count) {
  const Data data = MakeData();
  const std::unique_ptr<CudaStream> stream = backend->NewCuda();
  const uint32_t blocks = series_count / kDistinct;
  series_count = blocks * kDistinct;
  uint8_t* const bytes = static_cast<uint8_t*>(backend->Allocate(blocks * data.block + 64));
  Check(bytes == nullptr ? cudaErrorMemoryAllocation : cudaSuccess, "series");
  for (uint32_t b = 0; b < blocks; ++b) {
    Check(cudaMemcpy(bytes + b * data.block, data.bytes.data(), data.bytes.size(), cudaMemcpyHostToDevice),
          "copy");
  }
  const uint64_t samples = uint64_t{series_count} * kSamples;
  std::printf("data: %u series x %u samples, %.3f bytes a sample\n", series_count, kSamples,
              static_cast<double>(data.bytes.size()) / kDistinct / kSamples);
  std::vector<PlacedPiece> pieces(uint64_t{series_count} * kChunks);
  for (uint64_t i = 0; i < pieces.size(); ++i) {
    const uint64_t in_block = i % data.sizes.size();
    pieces[i].at = bytes + i / data.sizes.size() * data.block + data.offsets[in_block];
    pieces[i].bytes = data.sizes[in_block];
    pieces[i].count = kPerChunk;
  }
  std::vector<int64_t> times;
  for (uint32_t i = 0; i < kSamples; ++i) times.push_back(static_cast<int64_t>(kStart) + 15'000 * int64_t{i});
  std::vector<promql::DeviceSeries> series(kBatch);
  for (uint32_t i = 0; i < kBatch; ++i) series[i] = {i * kChunks, kChunks, 0, 0};

  WindowBatch windows;
  windows.timeline_count = 1;
  windows.times = Put(backend, times);
  windows.timelines = Put(backend, std::vector<promql::DeviceTimeline>{{0, kSamples}});
  windows.windows = static_cast<StepWindow*>(backend->Allocate(kSteps * sizeof(StepWindow)));
  SeriesBatch batch;
  const PlacedPiece* const all_pieces = Put(backend, pieces);
  batch.series = Put(backend, series);
  batch.windows = windows.windows;
  batch.rows = static_cast<double*>(backend->Allocate(uint64_t{kBatch} * kSteps * sizeof(double)));
  batch.faults = Put(backend, std::vector<uint32_t>{0});

  double* const other = static_cast<double*>(backend->Allocate(uint64_t{kBatch} * kSteps * sizeof(double)));
  const double copied = 2.0 * kBatch * kSteps * sizeof(double);
  const double copy_seconds = Median(stream.get(), [&] {
    cudaMemcpyAsync(other, batch.rows, static_cast<size_t>(copied / 2), cudaMemcpyDeviceToDevice,
                    stream->compute());
  });
  std::printf("device copy: %.2f TB/s (read + written)\n", copied / copy_seconds / 1e12);

  const std::pair<const char*, int32_t> functions[] = {{"rate", promql::kDeviceRate},
                                                       {"irate", promql::kDeviceIrate},
                                                       {"max_over_time", promql::kDeviceMax},
                                                       {"avg_over_time", promql::kDeviceAvg}};
  for (const auto& [name, function] : functions) {
    windows.plan = batch.plan = Plan(function, 1);
    stream->Windows(windows);
    const double seconds = Median(stream.get(), [&] {
      for (uint32_t first = 0; first < series_count; first += kBatch) {
        batch.pieces = all_pieces + uint64_t{first} * kChunks;
        batch.series_count = std::min(kBatch, series_count - first);
        stream->Series(batch, RingFor(20));
      }
    });
    std::printf("resident decode + %s[5m], %u steps: %.1f G samples/s, %.2f ms\n", name, kSteps,
                static_cast<double>(samples) / seconds / 1e9, seconds * 1e3);
  }

  // The rows of one batch into groups, then the groups into quantiles.
  for (uint32_t group_count : {1u, 64u, 12'000u}) {
    GroupBatch combine;
    combine.plan = Plan(promql::kDeviceRate, group_count);
    std::vector<uint32_t> groups(group_count), begin(group_count + 1), members(kBatch);
    for (uint32_t g = 0; g < group_count; ++g) groups[g] = g;
    for (uint32_t g = 0; g <= group_count; ++g)
      begin[g] = static_cast<uint32_t>(uint64_t{kBatch} * g / group_count);
    for (uint32_t i = 0; i < kBatch; ++i) members[i] = i;
    const uint64_t cells = uint64_t{group_count} * kSteps;
    combine.state.value = static_cast<double*>(backend->Allocate(cells * 8));
    combine.state.low = static_cast<double*>(backend->Allocate(cells * 8));
    combine.state.count = static_cast<double*>(backend->Allocate(cells * 8));
    combine.state.any = static_cast<uint8_t*>(backend->Allocate(cells));
    combine.state.running = static_cast<uint8_t*>(backend->Allocate(cells));
    combine.rows = batch.rows;
    combine.groups = Put(backend, groups);
    combine.begin = Put(backend, begin);
    combine.members = Put(backend, members);
    combine.group_count = group_count;
    stream->Init(combine.plan, combine.state, cells);
    const double seconds = Median(stream.get(), [&] { stream->Combine(combine); });
    const double moved = 8.0 * kBatch * kSteps + 52.0 * static_cast<double>(cells);
    std::printf("combine %u rows into %u groups: %.2f TB/s, %.0f%% of the copy, %.3f ms\n", kBatch,
                group_count, moved / seconds / 1e12, 100 * moved / seconds * copy_seconds / copied,
                seconds * 1e3);
    if (group_count < kBuckets) continue;
    HistogramBatch h;
    const uint32_t histograms = group_count / kBuckets;
    std::vector<uint32_t> bucket_begin, bucket_group;
    std::vector<double> bounds;
    for (uint32_t i = 0; i <= histograms; ++i) bucket_begin.push_back(i * kBuckets);
    for (uint32_t i = 0; i < histograms * kBuckets; ++i) {
      bucket_group.push_back(i);
      bounds.push_back(i % kBuckets + 1 == kBuckets ? Inf() : 0.1 * (i % kBuckets + 1));
    }
    h.histograms.bucket_begin = Put(backend, bucket_begin);
    h.histograms.bucket_group = Put(backend, bucket_group);
    h.histograms.bucket_bound = Put(backend, bounds);
    h.histograms.low = Put(backend, std::vector<double>(kSteps, 0.99));
    h.histograms.histograms = histograms;
    h.counts = combine.state.value;
    h.present = combine.state.any;
    h.values = other;
    h.any = static_cast<uint8_t*>(backend->Allocate(uint64_t{histograms} * kSteps));
    h.forced = batch.faults;
    h.steps = kSteps;
    const double q_seconds = Median(stream.get(), [&] { stream->Histogram(h); });
    const double q_moved = uint64_t{histograms} * kSteps * (kBuckets * 9.0 + 9);
    std::printf("histogram_quantile of %u histograms: %.2f TB/s, %.0f%% of the copy, %.3f ms\n", histograms,
                q_moved / q_seconds / 1e12, 100 * q_moved / q_seconds * copy_seconds / copied,
                q_seconds * 1e3);
  }
  Check(stream->Wait() == promql::kDeviceOk ? cudaSuccess : cudaErrorUnknown, "stream");
}

double SecondsOf(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Whole queries over the table of functions, host's part included; the host prepared the batch before.
void Small(BenchBackend* backend) {
  const Data data = MakeData();
  StripeCache cache(backend, 1 << 30, 0);
  const auto run = [&](uint32_t series_count, uint32_t chunks, uint32_t steps, uint64_t key) {
    std::vector<promql::DevicePiece> pieces;
    std::vector<promql::DeviceSeries> series;
    std::vector<int64_t> times;
    for (uint32_t i = 0; i < chunks * kPerChunk; ++i)
      times.push_back(static_cast<int64_t>(kStart) + 15'000 * int64_t{i});
    promql::DeviceStripe stripe;
    stripe.key[0] = key;
    stripe.bytes = reinterpret_cast<const uint8_t*>(data.bytes.data());
    stripe.size = data.bytes.size();
    for (uint32_t s = 0; s < series_count; ++s) {
      series.push_back({s * chunks, chunks, 0, s % 100});
      for (uint32_t c = 0; c < chunks; ++c) {
        promql::DevicePiece p;
        p.offset = static_cast<uint32_t>(data.offsets[s % kDistinct * kChunks + c]);
        p.bytes = data.sizes[s % kDistinct * kChunks + c];
        p.count = kPerChunk;
        pieces.push_back(p);
      }
    }
    const promql::DeviceTimeline timeline{0, chunks * kPerChunk};
    promql::DeviceBatch batch;
    batch.stripes = &stripe;
    batch.pieces = pieces.data();
    batch.series = series.data();
    batch.timelines = &timeline;
    batch.times = times.data();
    batch.time_count = times.size();
    batch.stripe_count = batch.timeline_count = 1;
    batch.piece_count = static_cast<uint32_t>(pieces.size());
    batch.series_count = series_count;
    promql::DevicePlan plan = Plan(promql::kDeviceRate, 100);
    plan.steps = steps;
    std::vector<double> values(100 * steps);
    std::vector<uint8_t> present(100 * steps);
    return SecondsOf([&] {
      Query query(backend, &cache, plan);
      bool ok =
          query.Begin() == 0 && query.Add(batch) == 0 && query.Finish(values.data(), present.data()) == 0;
      Check(ok ? cudaSuccess : cudaErrorUnknown, "query");
    });
  };
  std::vector<double> small;
  for (int i = 0; i < 1000; ++i) small.push_back(run(10'000, 1, 1, 7));
  std::sort(small.begin(), small.end());
  std::printf("small query, 10000 series x 240, 1 step, resident: p50 %.0f us, p99 %.0f us\n",
              small[500] * 1e6, small[990] * 1e6);
}

// Threads that fill the pinned ring, as the engine's do.
class Threads {
 public:
  explicit Threads(uint32_t count) {
    for (uint32_t i = 1; i < count; ++i) threads_.emplace_back([this] { Work(); });
    helpers.context = this;
    helpers.run = [](void* self, uint32_t tasks, void (*task)(void*, uint32_t), void* argument) {
      static_cast<Threads*>(self)->Run(tasks, task, argument);
    };
  }
  ~Threads() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  promql::DeviceHelpers helpers;

 private:
  void Run(uint32_t tasks, void (*task)(void*, uint32_t), void* argument) {
    std::unique_lock lock(mutex_);
    task_ = task, argument_ = argument, tasks_ = tasks, next_ = done_ = 0;
    wake_.notify_all();
    while (TakeOne(&lock)) {
    }
    finished_.wait(lock, [&] { return done_ == tasks_; });
  }
  bool TakeOne(std::unique_lock<std::mutex>* lock) {
    if (next_ >= tasks_) return false;
    const uint32_t i = next_++;
    lock->unlock();
    task_(argument_, i);
    lock->lock();
    if (++done_ == tasks_) finished_.notify_all();
    return true;
  }
  void Work() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (!TakeOne(&lock)) wake_.wait(lock);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  void (*task_)(void*, uint32_t) = nullptr;
  void* argument_ = nullptr;
  uint32_t tasks_ = 0, next_ = 0, done_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// Pinned memory to the device as fast as it goes, and the way that stripes take.
void Copies(BenchBackend* backend) {
  uint8_t* pinned = nullptr;
  constexpr uint64_t kBytes = 256 << 20, kStripe = 48 << 10;
  Check(cudaMallocHost(reinterpret_cast<void**>(&pinned), kBytes), "pinned memory");
  std::memset(pinned, 1, kBytes);
  uint8_t* const to = static_cast<uint8_t*>(backend->Allocate(kBytes));
  Check(to == nullptr ? cudaErrorMemoryAllocation : cudaSuccess, "allocate");
  const std::unique_ptr<CudaStream> stream = backend->NewCuda();
  const double fast = Median(
      stream.get(), [&] { cudaMemcpyAsync(to, pinned, kBytes, cudaMemcpyHostToDevice, stream->compute()); });
  std::printf("pinned copy: %.1f GB/s\n", kBytes / fast / 1e9);
  std::vector<Stream::Copy> copies;
  std::vector<uint8_t> stripes(kBytes, 2);
  for (uint64_t at = 0; at < kBytes; at += kStripe) {
    copies.push_back({to + at, stripes.data() + at, std::min(kStripe, kBytes - at)});
  }
  for (uint32_t count : {1u, 2u, 4u, 8u, 16u}) {
    if (count > std::max(std::thread::hardware_concurrency(), 2u)) break;
    Threads threads(count);
    std::vector<double> seconds;
    for (int i = 0; i < 7; ++i) {
      seconds.push_back(SecondsOf([&] {
        stream->UploadAll(copies, threads.helpers);
        stream->EndUpload();
        Check(stream->Wait() == promql::kDeviceOk ? cudaSuccess : cudaErrorUnknown, "upload");
      }));
    }
    std::sort(seconds.begin(), seconds.end());
    std::printf("stripes of 48 KiB by the ring, %u threads: %.1f GB/s, %.0f%% of the pinned copy\n", count,
                kBytes / seconds[3] / 1e9, 100 * fast / seconds[3]);
  }
  cudaFreeHost(pinned);
}

}  // namespace
}  // namespace narthex::cuda

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what was measured is told even if the time is over
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    std::printf("SKIPPED gpu_figures: no CUDA device: %s\n", cudaGetErrorString(error));
    return 77;
  }
  narthex::cuda::BenchBackend backend;
  const std::string what = argc > 1 ? argv[1] : "";
  const double millions = argc > 2 ? std::atof(argv[2]) : 1;
  if (what.empty() || what == "copies") narthex::cuda::Copies(&backend);
  if (what.empty() || what == "small") narthex::cuda::Small(&backend);
  if (what.empty() || what == "kernels")
    narthex::cuda::Kernels(&backend, static_cast<uint32_t>(millions * (1 << 20)));
  return 0;
}
