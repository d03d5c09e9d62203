// Rows into groups: one thread a group and step takes the rows of its group in the order of the series. That
// is the order in which promql/operators/aggregate.cc adds them, so the sums have the same bits however the
// series are cut into batches and the threads into blocks.
#pragma once

#include "cuda/arithmetic.h"

namespace narthex::cuda {

// What the groups of a query have so far: arrays over [group][step], or [step][group][k] of the best.
struct GroupState {
  double* value = nullptr;
  double* low = nullptr;
  double* count = nullptr;
  uint8_t* any = nullptr;
  uint8_t* running = nullptr;
  double* best_value = nullptr;
  uint32_t* best_series = nullptr;
};

struct GroupBatch {
  promql::DevicePlan plan;
  GroupState state;
  const double* rows = nullptr;  // as in SeriesBatch
  // The groups that occur in the batch, and their series: members[begin[i]] .. members[begin[i + 1]).
  const uint32_t* groups = nullptr;
  const uint32_t* begin = nullptr;
  const uint32_t* members = nullptr;
  uint32_t group_count = 0;
  uint32_t first_series = 0;  // number of the batch's first series in the query
};

NARTHEX_HD bool IsRanking(int32_t aggregation) { return aggregation >= promql::kDeviceGroupTop; }

// Cell i of the groups before the first batch.
NARTHEX_HD void InitCell(const promql::DevicePlan& plan, const GroupState& state, uint64_t i) {
  if (IsRanking(plan.aggregation)) {
    for (uint32_t j = 0; j < plan.k; ++j) state.best_series[i * plan.k + j] = promql::kNoSeries;
    return;
  }
  const Accumulator fresh = NewAccumulator(plan.aggregation);
  state.value[i] = fresh.value;
  state.low[i] = state.count[i] = 0;
  state.any[i] = state.running[i] = 0;
}

// Puts a series among the best, which stand in their order.
NARTHEX_HD void Rank(bool top, double v, uint32_t number, uint32_t k, double* values, uint32_t* series) {
  if (k == 0) return;
  if (series[k - 1] != promql::kNoSeries && !RanksBefore(top, v, number, values[k - 1], series[k - 1]))
    return;
  uint32_t at = k - 1;
  while (at > 0 && (series[at - 1] == promql::kNoSeries ||
                    RanksBefore(top, v, number, values[at - 1], series[at - 1]))) {
    values[at] = values[at - 1];
    series[at] = series[at - 1];
    --at;
  }
  values[at] = v;
  series[at] = number;
}

// Adds the batch's rows of its i-th group at one step.
NARTHEX_HD void CombineCell(const GroupBatch& batch, uint32_t i, uint32_t step) {
  const promql::DevicePlan& plan = batch.plan;
  const uint32_t group = batch.groups[i], end = batch.begin[i + 1];
  const double* const column = batch.rows + step;
  if (IsRanking(plan.aggregation)) {
    const uint64_t cell = (static_cast<uint64_t>(step) * plan.groups + group) * plan.k;
    for (uint32_t m = batch.begin[i]; m < end; ++m) {
      const uint32_t s = batch.members[m];
      const double v = column[static_cast<uint64_t>(s) * plan.steps];
      if (ToBits(v) == kStaleBits) continue;
      Rank(plan.aggregation == promql::kDeviceGroupTop, v, batch.first_series + s, plan.k,
           batch.state.best_value + cell, batch.state.best_series + cell);
    }
    return;
  }
  const uint64_t cell = static_cast<uint64_t>(group) * plan.steps + step;
  const GroupState& state = batch.state;
  Accumulator a;
  a.value = state.value[cell];
  a.low = state.low[cell];
  a.count = state.count[cell];
  a.any = state.any[cell];
  a.running = state.running[cell];
  constexpr uint32_t kAhead = 8;  // values that are on their way while others are added
  uint32_t m = batch.begin[i];
  for (; m + kAhead <= end; m += kAhead) {
    double v[kAhead];
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (uint32_t j = 0; j < kAhead; ++j)
      v[j] = column[static_cast<uint64_t>(batch.members[m + j]) * plan.steps];
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (uint32_t j = 0; j < kAhead; ++j) {
      if (ToBits(v[j]) != kStaleBits) Add(plan.aggregation, v[j], &a);
    }
  }
  for (; m < end; ++m) {
    const double v = column[static_cast<uint64_t>(batch.members[m]) * plan.steps];
    if (ToBits(v) != kStaleBits) Add(plan.aggregation, v, &a);
  }
  state.value[cell] = a.value;
  state.low[cell] = a.low;
  state.count[cell] = a.count;
  state.any[cell] = a.any;
  state.running[cell] = a.running;
}

// After the last batch: `value` becomes the result.
NARTHEX_HD void FinishCell(const promql::DevicePlan& plan, const GroupState& state, uint64_t cell) {
  Accumulator a;
  a.value = state.value[cell];
  a.low = state.low[cell];
  a.count = state.count[cell];
  a.running = state.running[cell];
  state.value[cell] = Final(plan.aggregation, a);
}

}  // namespace narthex::cuda
