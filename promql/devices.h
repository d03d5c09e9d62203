// CONTRACT for who wires the program: the device that queries may run on, and what is told of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "promql/device.h"

namespace narthex::promql {

enum class KernelMode {
  kCpu,   // never a device
  kAuto,  // where it is expected to be faster
  kCuda,  // wherever it can
};

struct DevicesOptions {
  KernelMode mode = KernelMode::kAuto;
  // Where the library may be; the first that loads counts. Names without '/' are looked up as the system
  // does.
  std::vector<std::string> libraries;
  const DeviceApi* api = nullptr;  // instead of a library
  DeviceOptions device;
  int64_t retention_ms = 0;            // 0: unlimited
  const Clock* clock = nullptr;        // required
  const Logger* logger = nullptr;      // required
  MetricsRegistry* metrics = nullptr;  // required
};

// What a query is about to read; the cost model's input.
struct DeviceWork {
  double series = 0, samples = 0, bytes = 0;  // bytes: compressed, of which `resident` are on the device
  double resident = 0;
  double outputs = 0;  // series x steps
  double results = 0;  // groups x steps
};

// Why a query that could run on the device did not, or not to its end.
enum class DeviceFallback { kMemory, kLost, kData };

// One for the process; thread-safe. Made even where there is no device: then available() is false and it says
// why.
class Devices {
 public:
  static std::unique_ptr<Devices> Create(DevicesOptions options);
  ~Devices();

  bool available() const { return device_ != nullptr && !lost_; }
  const DeviceApi& api() const { return *api_; }
  void* device() const { return device_; }

  struct Choice {
    bool device = false;
    double device_seconds = 0, cpu_seconds = 0;  // predicted
  };
  Choice Choose(const DeviceWork& work) const;
  // How it went; the model learns from it. `on_device` of a query that ended there.
  void Report(const Choice& choice, bool on_device, double seconds);
  void Fell(DeviceFallback why);
  // What has left the retention time need not be kept.
  void ForgetOld();

  // For the status page and --explain: name and value, in a fixed order.
  std::vector<std::pair<std::string, std::string>> Describe() const;
  std::string Name() const;  // "cuda (NVIDIA H100)", "cpu"

  int64_t Now() const { return options_.clock->MonotonicNs(); }

 private:
  explicit Devices(DevicesOptions options);
  void Open();
  bool LoadLibrary();
  void Unavailable(std::string why);
  void MakeMetrics();

  const DevicesOptions options_;
  void* library_ = nullptr;
  const DeviceApi* api_ = nullptr;
  void* device_ = nullptr;
  DeviceInfo info_;
  std::string why_not_;
  std::atomic<bool> lost_{false};
  // By how much the predictions were off lately: actual / predicted.
  std::atomic<double> device_factor_{1}, cpu_factor_{1};
  Counter *on_device_ = nullptr, *on_cpu_ = nullptr;
  Counter *predicted_device_ = nullptr, *actual_device_ = nullptr;
  Counter *predicted_cpu_ = nullptr, *actual_cpu_ = nullptr;
  Counter* fallbacks_[3] = {};
};

}  // namespace narthex::promql
