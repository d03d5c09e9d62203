// History on its way into the store: collected by window and target, written as stripes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <roaring/roaring.hh>

#include "absl/container/flat_hash_map.h"
#include "tsdb/format/keys.h"
#include "tsdb/series_index.h"
#include "tsdb/series_use.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

class DbImpl;

class HistoryWriterImpl : public HistoryWriter {
 public:
  HistoryWriterImpl(DbImpl* db, std::string_view name);
  absl::Status Add(SeriesRef* ref, const Labels& labels, const History& samples) override;
  absl::Status Commit() override;

 private:
  using Times = std::vector<int64_t>;
  // Floats of one series in one window.
  struct Part {
    SeriesId series = 0;
    uint32_t times = 0;  // into Target::times
    size_t values = 0;   // into values_
  };
  // The series of one (job, instance) in one window, by the distinct lists of times that they have.
  struct Target {
    std::vector<Times> times;
    absl::flat_hash_map<uint64_t, uint32_t> by_hash;
    std::vector<Part> parts;
  };
  // Series of a target whose times belong together: one group of the store.
  struct Family {
    Times times;
  };
  // What belongs to no family: histograms, start timestamps, times of its own.
  struct LooseEntry {
    Labels labels;
    SeriesId series = 0;
    Times times;
    std::string bytes;
  };
  struct Window {
    std::map<uint32_t, Target> targets;
    std::vector<LooseEntry> loose;
    Roaring members;
  };

  uint32_t TargetOf(const Labels& labels);
  void AddFloats(Window* window, uint32_t target, SeriesId series, std::span<const int64_t> t,
                 std::span<const double> v);
  void AddLoose(Window* window, const Labels& labels, SeriesId series, const History& part);
  absl::Status Encode();
  absl::Status EncodeTarget(int64_t start, uint32_t id, Target* target, Window* window);
  absl::Status EncodeFamily(int64_t start, uint32_t target_id, size_t number, const Family& family,
                            const Target& target, const std::vector<int>& family_of);
  absl::Status EncodeLoose(int64_t start, Window* window);
  std::vector<int> FindFamilies(const Target& target, std::vector<Family>* families) const;
  // The generation of the next run of a window and group.
  absl::StatusOr<uint64_t> NextGeneration(int64_t window, uint32_t group);
  absl::Status Ingest();

  DbImpl* const db_;
  const std::string name_;
  const SeriesUse::Ticket ticket_;                                 // series are known by their ids here
  std::vector<uint64_t> generations_;                              // handed out so far
  Labels last_;                                                    // of the series added last
  std::vector<std::pair<std::string, std::string>> target_names_;  // job, instance
  std::map<std::pair<std::string, std::string>, uint32_t> target_ids_;
  std::map<int64_t, Window> windows_;
  std::vector<double> values_;
  size_t buffered_ = 0;                                                   // bytes, about
  std::map<std::pair<int64_t, uint32_t>, std::vector<Family>> families_;  // by window and target
  std::map<std::pair<int64_t, uint32_t>, size_t> runs_;                   // by window and group
  // Encoded, not yet in the store.
  std::map<std::string, std::string> stripes_;
  std::map<int64_t, Roaring> members_;
  int64_t mint_ = INT64_MAX, maxt_ = INT64_MIN;
};

}  // namespace narthex::tsdb
