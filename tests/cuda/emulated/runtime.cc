#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "cuda_runtime.h"

// Work in order; `done` counts what has run.
struct EmulatedQueue {
  std::deque<std::function<void()>> work;
  uint64_t put = 0, done = 0;
};
struct EmulatedEvent {
  EmulatedQueue* queue = nullptr;
  uint64_t at = 0;
  // When the queue came to it, for cudaEventElapsedTime.
  bool timed = false;
  std::shared_ptr<std::chrono::steady_clock::time_point> when;
};

namespace {

std::recursive_mutex mutex;
std::vector<EmulatedQueue*> queues;
std::map<void*, size_t> blocks;
size_t memory_left = size_t{1} << 30;
int eagerness = 0;
std::mt19937_64 chance;
int64_t calls = 0, fails_after = -1;
cudaError_t failure = cudaErrorUnknown;
int processors = 3;
const bool skip = std::getenv("EMULATED_SKIP") != nullptr;

void RunUpTo(EmulatedQueue* queue, uint64_t at) {
  while (queue->done < at) {
    const std::function<void()> work = std::move(queue->work.front());
    queue->work.pop_front();
    ++queue->done;
    work();
  }
}

// Every call: count it, and let some work run.
cudaError_t Enter() {
  for (EmulatedQueue* q : queues) {
    if (!q->work.empty() && static_cast<int>(chance() % 100) < eagerness) RunUpTo(q, q->done + 1);
  }
  return fails_after >= 0 && calls++ >= fails_after ? failure : cudaSuccess;
}

cudaError_t Put(EmulatedQueue* queue, std::function<void()> work) {
  const std::lock_guard lock(mutex);
  const cudaError_t error = Enter();
  if (error != cudaSuccess) return error;
  queue->work.push_back(std::move(work));
  ++queue->put;
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* queue, unsigned, int) {
  const std::lock_guard lock(mutex);
  queues.push_back(*queue = new EmulatedQueue());
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t queue) {
  const std::lock_guard lock(mutex);
  // A device that fails does no more work.
  if (fails_after < 0 || calls < fails_after) RunUpTo(queue, queue->put);
  std::erase(queues, queue);
  delete queue;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t queue) {
  const std::lock_guard lock(mutex);
  const cudaError_t error = Enter();
  if (error == cudaSuccess) RunUpTo(queue, queue->put);
  return error;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t queue, cudaEvent_t event, unsigned) {
  const EmulatedEvent now = *event;
  return Put(queue, [now] {
    if (now.queue != nullptr) RunUpTo(now.queue, now.at);
  });
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new EmulatedEvent();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t queue) {
  const std::lock_guard lock(mutex);
  const cudaError_t error = Enter();
  if (error != cudaSuccess) return error;
  if (event->timed) {
    auto when = std::make_shared<std::chrono::steady_clock::time_point>();
    queue->work.push_back([when] { *when = std::chrono::steady_clock::now(); });
    ++queue->put;
    event->when = std::move(when);
  }
  event->queue = queue;
  event->at = queue->put;
  return error;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  const cudaError_t error = Enter();
  if (error == cudaSuccess && event->queue != nullptr) RunUpTo(event->queue, event->at);
  return error;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  const cudaError_t error = Enter();
  if (error != cudaSuccess) return error;
  return event->queue == nullptr || event->queue->done >= event->at ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaHostAlloc(void** at, size_t bytes, unsigned) {
  *at = std::malloc(bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* at) {
  std::free(at);
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** at, size_t bytes) {
  const std::lock_guard lock(mutex);
  const cudaError_t error = Enter();
  if (error != cudaSuccess || bytes > memory_left)
    return error != cudaSuccess ? error : cudaErrorMemoryAllocation;
  *at = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*at, 0xa5, bytes);
  memory_left -= bytes;
  blocks[*at] = bytes;
  return cudaSuccess;
}
// As the real one, it waits for the device.
cudaError_t cudaFree(void* at) {
  const std::lock_guard lock(mutex);
  if (fails_after < 0 || calls < fails_after) {
    for (EmulatedQueue* q : queues) RunUpTo(q, q->put);
  }
  memory_left += blocks[at];
  blocks.erase(at);
  std::free(at);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(mutex);
  *free = memory_left;
  *total = size_t{1} << 30;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t queue) {
  return Put(queue, [=] {
    if (!skip || kind == cudaMemcpyDeviceToHost) std::memcpy(to, from, bytes);
  });
}
cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t queue) {
  return Put(queue, [=] { std::memset(at, value, bytes); });
}
cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceCount(int* count) {
  const std::lock_guard lock(mutex);
  *count = processors > 0 ? 1 : 0;
  return processors > 0 ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaSetDeviceFlags(unsigned) { return cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int) {
  const std::lock_guard lock(mutex);
  *out = {};
  std::snprintf(out->name, sizeof(out->name), "emulated");
  out->totalGlobalMem = size_t{1} << 30;
  out->sharedMemPerBlockOptin = 40'000;
  out->multiProcessorCount = processors;
  out->major = 9;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess                 ? "no error"
         : error == cudaErrorMemoryAllocation ? "out of memory"
         : error == cudaErrorNoDevice         ? "no CUDA-capable device is detected"
                                              : "unknown error";
}
cudaError_t cudaPeekAtLastError() {
  const std::lock_guard lock(mutex);
  return fails_after >= 0 && calls >= fails_after ? failure : cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new EmulatedEvent();
  (*event)->timed = true;
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
  const std::lock_guard lock(mutex);
  if (begin->when == nullptr || end->when == nullptr) return cudaErrorUnknown;
  *ms = std::max(1e-3f, std::chrono::duration<float, std::milli>(*end->when - *begin->when).count());
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** at, size_t bytes) { return cudaHostAlloc(at, bytes, 0); }

void EmulatedLaunch(cudaStream_t queue, std::function<void()> work) {
  (void)Put(queue, [work = std::move(work)] {
    if (!skip) work();
  });
}
void EmulatedEagerness(int percent, uint64_t seed) {
  const std::lock_guard lock(mutex);
  eagerness = percent;
  chance.seed(seed);
}
void EmulatedFailure(int64_t after_calls, cudaError_t error) {
  const std::lock_guard lock(mutex);
  calls = 0;
  fails_after = after_calls;
  failure = error;
}
void EmulatedProcessors(int count) {
  const std::lock_guard lock(mutex);
  processors = count;
}
void EmulatedMemory(size_t bytes) {
  const std::lock_guard lock(mutex);
  memory_left = bytes;
}
