// One aggregation of a range function on the device, from selection to result.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "promql/devices.h"
#include "promql/operators/device_plan.h"
#include "promql/operators/device_reader.h"
#include "promql/operators/grouping.h"
#include "promql/operators/selectors.h"

namespace narthex::promql {

// Call Choose(), then Execute(), then one of the results. Each says false when the CPU is to do the work, as
// if nothing had happened; errors are those of the query (deadline, limits). Used by one thread.
class DeviceRun {
 public:
  DeviceRun(const DeviceExpr& expr, QueryState* state, Steps steps);
  ~DeviceRun() { End(); }

  absl::StatusOr<bool> Choose();
  absl::StatusOr<bool> Execute();
  // [group][step]
  absl::StatusOr<bool> Finish();
  // [histogram][step]; *forced as in promql/device.h.
  absl::StatusOr<bool> Quantile(const DeviceHistograms& histograms);
  // [step][group][k]
  absl::StatusOr<bool> Best();
  // Frees what is on the device, and tells the cost model how long it took. No result after that.
  void End();

  const Groups& groups() const { return groups_; }
  std::vector<SeriesMeta>& series() { return series_; }
  const std::vector<double>& values() const { return values_; }
  const std::vector<uint8_t>& present() const { return present_; }
  const std::vector<uint32_t>& best() const { return best_; }
  const Devices::Choice& choice() const { return choice_; }
  bool was_asked() const { return asked_; }  // whether there was anything to choose
  // What came of it, for Explain.
  std::string Outcome() const;

 private:
  absl::StatusOr<DeviceWork> Estimate();
  tsdb::HasStripe HasOnDevice() const;
  size_t MakeReaders();
  absl::StatusOr<bool> AddBatches(const DevicePlan& plan, size_t begin, size_t at_once);
  // The device's status.
  int32_t AddBatch(DeviceBatchBuilder* batch);
  absl::Status TakeSeries();
  bool TakesNames() const;
  bool Failed(int32_t status);
  bool Fall(DeviceFallback why);
  void Done();
  void RunTasks(uint32_t tasks, const std::function<void(uint32_t)>& task);

  const DeviceExpr expr_;
  QueryState* const state_;
  Devices* const devices_;
  const Steps steps_;
  const TimeShift shift_;
  const size_t columns_;
  size_t wanted_readers_ = 1;
  std::vector<std::unique_ptr<DeviceReader>> readers_;  // of one selection; the first has the labels
  std::vector<SeriesMeta> series_;
  Groups groups_;
  HeldSamples held_;
  DeviceHelpers helpers_;
  void* query_ = nullptr;
  std::vector<double> values_;
  std::vector<uint8_t> present_;
  std::vector<uint32_t> best_;
  Devices::Choice choice_;
  bool asked_ = false, fell_ = false, done_ = false;
  int64_t begin_ns_ = 0;
  SampleCounts* const counts_;
  SampleCounts looked_at_;  // so far; counts once there is an answer
};

}  // namespace narthex::promql
