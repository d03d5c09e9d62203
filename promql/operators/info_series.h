// What info() joins with.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "model/labels.h"
#include "promql/query_state.h"
#include "tsdb/tsdb.h"

namespace narthex::promql {

// The labels that say which target a series, base or info, belongs to.
inline constexpr std::string_view kTargetLabels[] = {"instance", "job"};

// The info series of one call of info() and which of them holds at which step. Owned by the operator; used by
// one thread.
class InfoSeries {
 public:
  static constexpr int32_t kNone = -1;
  // By the name of the info metric: the series in force at each step, or kNone.
  using ByMetric = std::map<std::string, std::vector<int32_t>, std::less<>>;

  // Step i looks at `references[i]` (ascending), if `needed[i]`. Fails where an info sample is no float, and
  // where two series of one target say different things at one time.
  absl::Status Read(const Matchers& matchers, const std::vector<int64_t>& references,
                    const std::vector<char>& needed, QueryState* state);

  // nullptr if no info series speaks of this base series' target.
  const ByMetric* Of(const Labels& base) const;
  const Labels& labels(int32_t series) const { return labels_[static_cast<size_t>(series)]; }

 private:
  absl::Status Add(const Labels& labels, const tsdb::Row& row, const std::vector<int64_t>& references,
                   const std::vector<char>& needed, int64_t lookback_ms);
  absl::Status Choose(int32_t series, size_t step, std::vector<int32_t>* in_force);

  std::vector<Labels> labels_;
  std::vector<std::vector<int64_t>> times_;  // of each series: the time of its sample at each step
  absl::flat_hash_map<std::string, ByMetric> by_target_;
};

}  // namespace narthex::promql
