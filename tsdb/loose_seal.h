// Cuts loose samples into the windows that they are sealed in.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <roaring/roaring.hh>

#include "tsdb/loose_store.h"

namespace narthex::tsdb {

// Lives as long as one seal; not thread-safe.
class LooseSeal {
 public:
  explicit LooseSeal(int64_t window_ms) : window_ms_(window_ms) {}
  // All samples of a series; the stores in order of age. Series come sorted by labels.
  void Add(SeriesId id, std::span<const std::shared_ptr<const LooseStore>> stores);
  // The stripes of all windows, and which series they hold.
  void Finish(uint64_t generation, std::map<std::string, std::string>* stripes,
              std::map<int64_t, Roaring>* members);

 private:
  struct Entry {
    SeriesId id = 0;
    uint32_t column = 0;
    std::string bytes;
  };
  struct Window {
    std::vector<std::vector<int64_t>> columns;
    std::map<std::vector<int64_t>, uint32_t> known;
    uint32_t last = 0;  // the column used last
    std::vector<Entry> entries;
  };
  void AddFloats(SeriesId id, std::span<const int64_t> times, std::span<const double> values);
  void AddAny(SeriesId id, std::vector<Sample> samples);
  uint32_t ColumnOf(std::span<const int64_t> times, Window* window) const;

  const int64_t window_ms_;
  std::map<int64_t, Window> windows_;
  std::vector<int64_t> times_;
  std::vector<double> values_;
};

}  // namespace narthex::tsdb
