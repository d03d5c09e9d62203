#include "promql/devices.h"

#include <dlfcn.h>

#include <algorithm>

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::promql {
namespace {

// What the CPU takes, in seconds, for one thing each: measured with the engine's own benchmark
// (docs/performance.md). Where they are off, the factors of the outcome put them right.
constexpr double kCpuSample = 1.0e-9, kCpuOutput = 1.5e-9;
// What the host does for the device: finding and describing the chunks.
constexpr double kHostSeries = 150e-9, kHostByte = 0.15e-9;
// The device must be this much faster: its memory and its time are wanted by others.
constexpr double kWorthIt = 0.7;
constexpr double kLearn = 0.2;    // weight of the last outcome
constexpr double kForget = 0.01;  // by how much the other side's factor comes back to 1

void Learn(double actual, double predicted, std::atomic<double>* factor) {
  const double seen = std::clamp(actual / std::max(predicted, 1e-9), 0.05, 20.0);
  factor->store(factor->load() * (1 - kLearn) + seen * kLearn);
}

const char* ModeName(KernelMode mode) {
  return mode == KernelMode::kCpu ? "cpu" : mode == KernelMode::kAuto ? "auto" : "cuda";
}

}  // namespace

std::unique_ptr<Devices> Devices::Create(DevicesOptions options) {
  auto out = std::unique_ptr<Devices>(new Devices(std::move(options)));
  out->Open();
  return out;
}

Devices::Devices(DevicesOptions options) : options_(std::move(options)) {}

Devices::~Devices() {
  if (device_ != nullptr) api_->close(device_);
  // The library stays: the CUDA runtime has threads and handlers of its own.
}

void Devices::Open() {
  MakeMetrics();
  if (options_.mode == KernelMode::kCpu) {
    why_not_ = "--promql.kernels=cpu";
    return;
  }
  if (options_.api != nullptr)
    api_ = options_.api;
  else if (!LoadLibrary())
    return;
  if (api_->abi != kDeviceAbi) {
    return Unavailable(StrCat("the library has interface ", api_->abi, ", wanted ", kDeviceAbi));
  }
  char error[256] = "";
  device_ = api_->open(&options_.device, error, sizeof(error));
  if (device_ == nullptr) return Unavailable(error);
  api_->info(device_, &info_);
  if (info_.integrated != 0 && options_.mode == KernelMode::kAuto) {
    // It shares the memory's bandwidth with the CPU, and double precision is slow on it.
    api_->close(device_);
    device_ = nullptr;
    return Unavailable(StrCat(info_.name, " is part of the processor; --promql.kernels=cuda uses it"));
  }
  DeviceUse use;
  api_->use(device_, &use);
  options_.logger->Info("Queries may use a device",
                        {{"backend", info_.backend},
                         {"device", info_.name},
                         {"memory_bytes", StrCat(info_.memory_total)},
                         {"cache_bytes", StrCat(use.cache_budget)},
                         {"copy_bytes_per_second", FormatFloat(info_.copy_rate, 'e', 2)},
                         {"samples_per_second", FormatFloat(info_.sample_rate, 'e', 2)},
                         {"calibration_seconds", FormatFloat(info_.calibration_seconds, 'f', 3)}});
}

bool Devices::LoadLibrary() {
  std::string errors;
  for (const std::string& path : options_.libraries) {
    library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) {
      const char* const error = dlerror();
      StrAppend(&errors, errors.empty() ? "" : "; ", error == nullptr ? path : std::string(error));
      continue;
    }
    using Entry = const DeviceApi* (*)();
    const auto entry = reinterpret_cast<Entry>(dlsym(library_, kDeviceEntry));
    if (entry != nullptr) {
      api_ = entry();
      return true;
    }
    StrAppend(&errors, errors.empty() ? "" : "; ", path, " has no ", kDeviceEntry);
  }
  Unavailable(errors.empty() ? "there is no library to load" : errors);
  return false;
}

// One line, whatever it was.
void Devices::Unavailable(std::string why) {
  why_not_ = std::move(why);
  const LogLevel level = options_.mode == KernelMode::kCuda ? LogLevel::kWarn : LogLevel::kInfo;
  options_.logger->Log(level, "Queries run on the CPU: no device", {{"reason", why_not_}});
}

void Devices::MakeMetrics() {
  MetricsRegistry* const r = options_.metrics;
  constexpr char kQueries[] = "narthex_promql_device_queries_total";
  constexpr char kQueriesHelp[] = "Aggregations that a device could do, by what did them.";
  on_device_ = r->GetCounter(kQueries, kQueriesHelp, {{"backend", "device"}});
  on_cpu_ = r->GetCounter(kQueries, kQueriesHelp, {{"backend", "cpu"}});
  const auto seconds = [&](const char* kind, const char* backend) {
    return r->GetCounter(StrCat("narthex_promql_device_", kind, "_seconds_total"),
                         StrCat("Seconds of these aggregations, ", kind, "."), {{"backend", backend}});
  };
  predicted_device_ = seconds("predicted", "device");
  actual_device_ = seconds("actual", "device");
  predicted_cpu_ = seconds("predicted", "cpu");
  actual_cpu_ = seconds("actual", "cpu");
  const char* const reasons[] = {"memory", "lost", "data"};
  for (int i = 0; i < 3; ++i) {
    fallbacks_[i] =
        r->GetCounter("narthex_promql_device_fallbacks_total",
                      "Aggregations that began on the device and were done by the CPU, by reason.",
                      {{"reason", reasons[i]}});
  }
  r->AddCallback("narthex_promql_device_available", "Whether there is a device for queries.", "gauge",
                 [this] {
                   return std::vector<std::pair<MetricLabels, double>>{{{}, available() ? 1.0 : 0.0}};
                 });
  using Value = double (*)(const DeviceUse&);
  const auto use = [&](const char* name, const char* help, const char* type, Value value) {
    r->AddCallback(StrCat("narthex_promql_device_", name), help, type, [this, value] {
      DeviceUse use;
      if (device_ != nullptr) api_->use(device_, &use);
      return std::vector<std::pair<MetricLabels, double>>{{{}, value(use)}};
    });
  };
  use("cache_bytes", "Compressed samples kept in the device's memory.", "gauge",
      [](const DeviceUse& u) { return static_cast<double>(u.cache_bytes); });
  use("cache_budget_bytes", "How much may be kept there.", "gauge",
      [](const DeviceUse& u) { return static_cast<double>(u.cache_budget); });
  use("cache_hits_total", "Stripes that a query found there.", "counter",
      [](const DeviceUse& u) { return static_cast<double>(u.hits); });
  use("cache_misses_total", "Stripes that a query had to copy there.", "counter",
      [](const DeviceUse& u) { return static_cast<double>(u.misses); });
  use("cache_evictions_total", "Stripes that made room for others.", "counter",
      [](const DeviceUse& u) { return static_cast<double>(u.evictions); });
  use("uploaded_bytes_total", "Bytes copied to the device.", "counter",
      [](const DeviceUse& u) { return static_cast<double>(u.uploaded_bytes); });
  use("samples_total", "Samples decoded by the device.", "counter",
      [](const DeviceUse& u) { return static_cast<double>(u.samples); });
}

Devices::Choice Devices::Choose(const DeviceWork& w) const {
  Choice out;
  out.cpu_seconds = (w.samples * kCpuSample + w.outputs * kCpuOutput) * cpu_factor_.load();
  const double host = w.series * kHostSeries + (w.bytes - w.resident) * kHostByte;
  const double copy = (w.bytes - w.resident) / info_.copy_rate;
  // Rows are written once and read once.
  const double kernels = w.samples / info_.sample_rate + w.outputs * 16 / info_.device_rate;
  const double result = w.results * 9 / info_.copy_rate;
  // Copies, kernels and the host's part run side by side.
  out.device_seconds =
      (20 * info_.launch_seconds + std::max({host, copy, kernels}) + result) * device_factor_.load();
  out.device =
      available() && (options_.mode == KernelMode::kCuda || out.device_seconds < kWorthIt * out.cpu_seconds);
  return out;
}

void Devices::Report(const Choice& choice, bool on_device, double seconds) {
  (on_device ? on_device_ : on_cpu_)->Add();
  (on_device ? predicted_device_ : predicted_cpu_)
      ->Add(on_device ? choice.device_seconds : choice.cpu_seconds);
  (on_device ? actual_device_ : actual_cpu_)->Add(seconds);
  if (on_device)
    Learn(seconds, choice.device_seconds / device_factor_.load(), &device_factor_);
  else
    Learn(seconds, choice.cpu_seconds / cpu_factor_.load(), &cpu_factor_);
  // What is not used any more is not measured any more: a bad hour must not count for ever.
  std::atomic<double>& other = on_device ? cpu_factor_ : device_factor_;
  other.store(other.load() * (1 - kForget) + kForget);
}

void Devices::Fell(DeviceFallback why) {
  fallbacks_[static_cast<int>(why)]->Add();
  if (why != DeviceFallback::kLost || lost_.exchange(true)) return;
  options_.logger->Error("The device failed: queries run on the CPU from now on",
                         {{"backend", info_.backend}, {"device", info_.name}});
}

void Devices::ForgetOld() {
  if (options_.retention_ms <= 0 || !available()) return;
  api_->forget_before(device_, options_.clock->NowMs() - options_.retention_ms);
}

std::string Devices::Name() const {
  return available() ? StrCat(info_.backend, " (", info_.name, ")") : std::string("cpu");
}

std::vector<std::pair<std::string, std::string>> Devices::Describe() const {
  std::vector<std::pair<std::string, std::string>> out = {{"kernels", ModeName(options_.mode)},
                                                          {"backend", available() ? info_.backend : "cpu"}};
  if (!available()) {
    out.emplace_back("reason", lost_ ? "the device failed" : why_not_);
    return out;
  }
  DeviceUse use;
  api_->use(device_, &use);
  DeviceInfo now;
  api_->info(device_, &now);
  out.emplace_back("device", info_.name);
  out.emplace_back("computeCapability", StrCat(info_.capability / 10, ".", info_.capability % 10));
  out.emplace_back("driver", StrCat(info_.driver));
  out.emplace_back("memoryBytes", StrCat(info_.memory_total));
  out.emplace_back("memoryFreeBytes", StrCat(now.memory_free));
  out.emplace_back("cacheBudgetBytes", StrCat(use.cache_budget));
  out.emplace_back("cacheBytes", StrCat(use.cache_bytes));
  out.emplace_back("cacheStripes", StrCat(use.cache_stripes));
  out.emplace_back("samples", StrCat(use.samples));
  return out;
}

}  // namespace narthex::promql
