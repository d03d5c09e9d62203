// Cuts loose samples into the windows that they are sealed in.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <roaring/roaring.hh>

#include "tsdb/loose_store.h"
#include "tsdb/stripe_writer.h"

namespace narthex::tsdb {

// Lives as long as one seal; not thread-safe.
class LooseSeal {
 public:
  // The stripes of all windows go to *stripes, which series they hold to *members.
  LooseSeal(int64_t window_ms, uint64_t generation, std::map<std::string, std::string>* stripes,
            std::map<int64_t, Roaring>* members)
      : window_ms_(window_ms), generation_(generation), stripes_(stripes), members_(members) {}
  // All samples of a series; the stores in order of age. Series come sorted by labels.
  void Add(SeriesId id, std::span<const std::shared_ptr<const LooseStore>> stores);
  void Finish() { windows_.clear(); }

 private:
  struct Window {
    std::vector<std::vector<int64_t>> columns;
    std::map<std::vector<int64_t>, uint32_t> known;
    uint32_t last = 0;                // the column used last
    std::optional<RunWriter> writer;  // stripes are written as soon as they are full
    Roaring* members = nullptr;
  };
  void AddEntry(SeriesId id, int64_t start, std::span<const int64_t> times, std::string bytes);
  void AddFloats(SeriesId id, std::span<const int64_t> times, std::span<const double> values);
  void AddAny(SeriesId id, std::vector<Sample> samples);
  uint32_t ColumnOf(std::span<const int64_t> times, Window* window) const;

  const int64_t window_ms_;
  const uint64_t generation_;
  std::map<std::string, std::string>* const stripes_;
  std::map<int64_t, Roaring>* const members_;
  std::map<int64_t, Window> windows_;
  std::vector<int64_t> times_;
  std::vector<double> values_;
};

}  // namespace narthex::tsdb
