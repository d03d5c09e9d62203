// Rows of the index that hold many series, or many slots of a group: read at the start, all of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace narthex::tsdb {

// A writer begins a new row behind so many.
inline constexpr size_t kRowSeries = 256, kRowLabels = size_t{1} << 16, kRowRuns = 4096;

// Series with the label pairs that they share out among them.
struct SeriesRow {
  std::vector<std::string_view> pairs;  // as pieces of Labels' form; ascending by name, then value
  std::vector<uint32_t> ids;            // ascending
  std::vector<uint32_t> ends;           // by series: where its labels end in `labels`
  std::vector<uint32_t> labels;         // places in `pairs`, ascending within a series
};
std::string EncodeSeriesRow(const SeriesRow& row);
// `pairs` point into the bytes. False if they do not check, or say what no writer says.
bool DecodeSeriesRow(std::string_view bytes, SeriesRow* row);

// Slots in a row that have series in a row.
struct SlotRun {
  uint32_t slot = 0, series = 0, length = 0;
  bool operator==(const SlotRun&) const = default;
};
// Adds a slot behind the others.
void AddSlotTo(std::vector<SlotRun>* runs, uint32_t slot, uint32_t series);
std::string EncodeSlotRow(const SlotRun* runs, size_t count);
bool DecodeSlotRow(std::string_view bytes, std::vector<SlotRun>* runs);

}  // namespace narthex::tsdb
