// Cuts label-sorted series into stripes of a run (one seal of a group's window, one group of a merged day).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tsdb/format/keys.h"
#include "tsdb/format/stripe.h"

namespace narthex::tsdb {

inline constexpr size_t kStripeSeries = 128;
inline constexpr size_t kMaxStripeBytes = 64 << 10;

// One stripe being filled. Entries name columns of a table that several stripes share; the stripe keeps those
// it uses. Not thread-safe.
class StripeBuilder {
 public:
  explicit StripeBuilder(const std::vector<std::vector<int64_t>>* columns) : columns_(columns) {}
  void Add(uint32_t series, uint32_t column, std::string bytes);
  bool empty() const { return entries_.empty(); }
  // Whether a further series should go to the next stripe.
  bool Full() const { return series_.size() >= kStripeSeries || bytes_ > kMaxStripeBytes; }
  uint32_t last_series() const { return entries_.back().series; }
  // The stripe's bytes; the builder is empty afterwards. *series gets its series in order.
  std::string Finish(std::vector<uint32_t>* series);

 private:
  const std::vector<std::vector<int64_t>>* columns_;
  std::vector<StripeEntry> entries_;
  std::vector<uint32_t> series_;
  std::vector<std::vector<int64_t>> used_;
  std::map<uint32_t, uint32_t> local_;
  size_t bytes_ = 0;
};

// Writes the run of a seal: stripes from number 0 on, then their directory. Not thread-safe.
class RunWriter {
 public:
  RunWriter(StripeKey key, const std::vector<std::vector<int64_t>>* columns,
            std::map<std::string, std::string>* out)
      : key_(key), builder_(columns), out_(out) {}
  ~RunWriter();
  void Add(uint32_t series, uint32_t column, std::string bytes);

 private:
  void Flush();
  StripeKey key_;
  StripeBuilder builder_;
  std::map<std::string, std::string>* const out_;
  std::vector<std::vector<uint32_t>> directory_;
};

}  // namespace narthex::tsdb
