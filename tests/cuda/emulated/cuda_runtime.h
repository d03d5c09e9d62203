// The part of the CUDA runtime that cuda/*.cc and bench/gpu_figures.cc use, emulated on the host:
// queues hold work back as long as nobody waits for it, or let some of it run at random, so that code that
// forgets to wait reads or overwrites the wrong bytes. With EMULATED_SKIP in the environment copies to the
// device and kernels take no time: what is left is the host's part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorNoDevice = 100,
  cudaErrorNotReady = 600,
  cudaErrorUnknown = 999
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
struct EmulatedQueue;
struct EmulatedEvent;
using cudaStream_t = EmulatedQueue*;
using cudaEvent_t = EmulatedEvent*;
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventBlockingSync = 1, cudaEventDisableTiming = 2,
                          cudaHostAllocDefault = 0, cudaDeviceScheduleBlockingSync = 4;

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem, sharedMemPerBlockOptin;
  int multiProcessorCount, major, minor, integrated;
};
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDeviceFlags(unsigned flags);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaPeekAtLastError();
cudaError_t cudaEventCreate(cudaEvent_t* event);
// Never 0: rates are divided by it.
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMallocHost(void** at, size_t bytes);

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* queue, unsigned flags, int priority);
cudaError_t cudaStreamDestroy(cudaStream_t queue);
cudaError_t cudaStreamSynchronize(cudaStream_t queue);
cudaError_t cudaStreamWaitEvent(cudaStream_t queue, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t queue);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaHostAlloc(void** at, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* at);
cudaError_t cudaMalloc(void** at, size_t bytes);
cudaError_t cudaFree(void* at);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t queue);
cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t queue);
cudaError_t cudaGetLastError();

// For the emulated kernels and for tests.
void EmulatedLaunch(cudaStream_t queue, std::function<void()> work);
// How much runs before anybody waits: 0 nothing, 100 everything. Seeds the choice, too.
void EmulatedEagerness(int percent, uint64_t seed);
// From this call on everything fails with the error; -1: never.
void EmulatedFailure(int64_t after_calls, cudaError_t error);
void EmulatedMemory(size_t bytes);
// A device of this many processors; 0: there is none.
void EmulatedProcessors(int count);
