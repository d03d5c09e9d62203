// The store of a script: series in memory.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "promql/script/commands.h"
#include "tsdb/tsdb.h"

namespace narthex::promql::script {

struct StoredSeries {
  std::vector<int64_t> times, starts;  // starts: as long as times, 0 = none
  std::vector<double> values;
  std::vector<HistogramPoint> histograms;
  std::vector<int64_t> histogram_starts;  // as long as histograms, 0 = none
};

// Not thread-safe. Queriers read it while it is not changed.
class SampleStore : public tsdb::Queryable {
 public:
  void Clear() { series_.clear(); }
  absl::Status Load(const LoadCommand& load);
  absl::StatusOr<std::unique_ptr<tsdb::Querier>> NewQuerier(int64_t mint, int64_t maxt) const override;
  const std::map<Labels, StoredSeries>& series() const { return series_; }

 private:
  std::map<Labels, StoredSeries> series_;
};

// The histograms with custom buckets that the classic ones of `load` stand for.
absl::StatusOr<std::map<Labels, std::vector<HistogramPoint>>> CustomBucketHistograms(const LoadCommand& load);

}  // namespace narthex::promql::script
