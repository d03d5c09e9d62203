// CONTRACT between promql and what computes for it on another device: a table of functions over plain arrays,
// as a C library would have it, so that a library loaded at run time can fill it in. What runs there gives,
// bit for bit, what the operators in promql/operators/ give; NaN counts as one value.
//
// Life of a query: begin; add() batches of consecutive series, in the order of the selection; then finish(),
// quantile() or best(); end(). A query belongs to one thread, a device to all. Whatever a function is given
// is read before it returns. After an answer that is not kDeviceOk only end() may follow; but after
// kDeviceMissing nothing has happened, and the same batch can be added with its bytes.
#pragma once

#include <cstdint>

namespace narthex::promql {

inline constexpr uint32_t kDeviceAbi = 2;
// The name of the function that a library exports: const DeviceApi* narthex_device().
inline constexpr char kDeviceEntry[] = "narthex_device";

enum DeviceStatus : int32_t {
  kDeviceOk = 0,
  kDeviceOutOfMemory = 1,
  kDeviceLost = 2,        // the device or its driver failed
  kDeviceUnsuitable = 3,  // the data is not for the device: stale markers inside a chunk, malformed bytes
  kDeviceMissing = 4,     // a stripe came without bytes and is not there any more
};

enum DeviceFunction : int32_t {
  kDeviceRate,
  kDeviceIncrease,
  kDeviceDelta,
  kDeviceIrate,
  kDeviceIdelta,
  kDeviceFirst,
  kDeviceLast,
  kDeviceCount,
  kDevicePresent,
  kDeviceResets,  // this one and those behind it look at every value of a window
  kDeviceChanges,
  kDeviceSum,
  kDeviceAvg,
  kDeviceMin,
  kDeviceMax,
  kDeviceStddev,
  kDeviceStdvar,
};

enum DeviceAggregation : int32_t {
  kDeviceGroupSum,
  kDeviceGroupAvg,
  kDeviceGroupMin,
  kDeviceGroupMax,
  kDeviceGroupCount,
  kDeviceGroupAny,
  kDeviceGroupStddev,
  kDeviceGroupStdvar,
  kDeviceGroupTop,  // the k best series of each group and step
  kDeviceGroupBottom,
};

// What a query does with all its series. Step i is at first_end_ms + i * step_ms; its window is
// (end - range_ms, end].
struct DevicePlan {
  int32_t function = 0;
  int32_t aggregation = 0;
  int64_t first_end_ms = 0, step_ms = 0, range_ms = 0;
  uint32_t steps = 0, groups = 0;
  uint32_t k = 0;  // of top and bottom
};

// Threads that may help with a query while one of its functions runs.
struct DeviceHelpers {
  void* context = nullptr;
  // Calls task(argument, i) for every i < tasks, on several threads at once, and comes back when all are
  // done.
  void (*run)(void* context, uint32_t tasks, void (*task)(void* argument, uint32_t i),
              void* argument) = nullptr;
};

// Bytes as storage keeps them. Equal keys mean equal bytes: a device may keep them for the next query.
struct DeviceStripe {
  uint64_t key[2] = {0, 0};        // zeros: not to be kept
  const uint8_t* bytes = nullptr;  // null: the device has them, by its key
  uint64_t size = 0;
  int64_t max_ms = 0;  // of its samples
};

// A stretch of one series: an NX chunk (docs/storage-format.md) or doubles as they are.
struct DevicePiece {
  uint32_t stripe = 0;
  uint32_t offset = 0, bytes = 0;
  uint32_t count : 31 = 0;  // samples
  uint32_t raw : 1 = 0;     // doubles; `offset` is a multiple of 8
};

// Times of samples, ascending: `count` of a batch's times from `first` on.
struct DeviceTimeline {
  uint64_t first = 0;
  uint32_t count = 0;
};

// Its pieces have as many samples as its timeline has times.
struct DeviceSeries {
  uint32_t first_piece = 0, pieces = 0, timeline = 0, group = 0;
};

struct DeviceBatch {
  const DeviceStripe* stripes = nullptr;
  const DevicePiece* pieces = nullptr;
  const DeviceSeries* series = nullptr;
  const DeviceTimeline* timelines = nullptr;
  const int64_t* times = nullptr;
  uint64_t time_count = 0;
  uint32_t stripe_count = 0, piece_count = 0, series_count = 0, timeline_count = 0;
};

// Classic histograms over the groups: histogram h has the groups bucket_group[bucket_begin[h]] ..
// [bucket_begin[h + 1]) with ascending upper bounds.
struct DeviceHistograms {
  const uint32_t* bucket_begin = nullptr;  // histograms + 1
  const uint32_t* bucket_group = nullptr;
  const double* bucket_bound = nullptr;
  uint32_t histograms = 0;
  const double* low = nullptr;   // of each step: the quantile, or the lower limit of a fraction
  const double* high = nullptr;  // null: a quantile
};

struct DeviceInfo {
  char backend[16] = "";
  char name[112] = "";
  int32_t driver = 0, runtime = 0, capability = 0;  // as CUDA counts them: 13000, 13000, 90
  int32_t processors = 0, integrated = 0;           // integrated: it has no memory of its own
  uint64_t memory_total = 0, memory_free = 0;
  // Measured at open. Bytes a second; samples a second; seconds.
  double copy_rate = 0, device_rate = 0, sample_rate = 0, launch_seconds = 0;
  double calibration_seconds = 0;  // how long measuring took
};

struct DeviceUse {
  uint64_t cache_budget = 0, cache_bytes = 0, cache_stripes = 0;
  uint64_t hits = 0, misses = 0, evictions = 0;  // of stripes
  uint64_t uploaded_bytes = 0, samples = 0;
};

struct DeviceOptions {
  uint64_t cache_bytes = 0;    // 0: a quarter of the free memory
  uint64_t reserve_bytes = 0;  // of the device's memory, always left free
};

struct DeviceApi {
  uint32_t abi = kDeviceAbi;
  // nullptr and the reason in `error`, if there is no usable device.
  void* (*open)(const DeviceOptions* options, char* error, uint32_t error_size) = nullptr;
  void (*close)(void* device) = nullptr;
  void (*info)(void* device, DeviceInfo* out) = nullptr;
  void (*use)(void* device, DeviceUse* out) = nullptr;
  // Stripes that end before `ms` are not asked for any more.
  void (*forget_before)(void* device, int64_t ms) = nullptr;
  // How many of the stripes the device has; touches nothing.
  uint32_t (*resident)(void* device, const DeviceStripe* stripes, uint32_t count) = nullptr;

  // `helpers` may be null, else it must stay until end().
  int32_t (*begin)(void* device, const DevicePlan* plan, const DeviceHelpers* helpers,
                   void** query) = nullptr;
  int32_t (*add)(void* query, const DeviceBatch* batch) = nullptr;
  // [group][step]; present[i] is 0 where no series of the group has a value.
  int32_t (*finish)(void* query, double* values, uint8_t* present) = nullptr;
  // [histogram][step]. *forced: some counts fell from bucket to bucket by more than rounding explains.
  int32_t (*quantile)(void* query, const DeviceHistograms* histograms, double* values, uint8_t* present,
                      int32_t* forced) = nullptr;
  // [step][group][k]: numbers of series, counted over all batches, best first; kNoSeries where there are no
  // more.
  int32_t (*best)(void* query, uint32_t* series, double* values) = nullptr;
  void (*end)(void* query) = nullptr;
};

inline constexpr uint32_t kNoSeries = 0xffffffff;

}  // namespace narthex::promql
