// The series of one classic histogram, gathered, and the native histogram with custom buckets that they make.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/histogram.h"

namespace narthex::scraper {

// Not thread-safe; owner: one parser, which reuses it for histogram after histogram.
class ClassicHistogram {
 public:
  void Clear();
  void SetBucket(double bound, double cumulative_count) { buckets_.emplace_back(bound, cumulative_count); }
  void SetCount(double count) { count_ = count; }
  void SetSum(double sum) { sum_ = sum; }
  // nullptr if the series contradict each other: counts that fall or are negative, or another total.
  HistogramPtr Convert();

 private:
  std::vector<std::pair<double, double>> buckets_;  // upper bound, cumulative count
  std::optional<double> count_;
  double sum_ = 0;
};

enum class ClassicPart { kNone, kBucket, kSum, kCount };
// Which part of the histogram `family` a series of this name is.
ClassicPart PartOfHistogram(std::string_view name, std::string_view family);

}  // namespace narthex::scraper
