// Rounds, as they are coded one against the other, turned into entries of their slots.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

// Reads the rounds side by side, 64 slots at a time, and stays with integers: what a round says of a decimal
// is what the slot's chunk says of it, and doubles are made of the few slots only that are no decimals or
// have gaps. Not thread-safe.
class TileRows {
 public:
  static constexpr size_t kMaxRows = 32;

  // The next round, whose bytes have to outlive this; the first is a keyframe. False if it is malformed
  // before its values, or there are too many.
  bool Add(std::string_view round);
  const std::vector<int64_t>& times() const { return times_; }
  size_t width() const { return width_; }
  // The entries of all slots, behind what *bytes has; an end for each in *ends. False if the values of a
  // round are malformed: *bad is its row.
  bool Encode(std::string* bytes, std::vector<uint32_t>* ends, size_t* bad);

 private:
  static constexpr size_t kSlots = 64;  // read at a time
  struct Row {
    ByteReader values{std::string_view()};
    std::string_view changed;  // bitmap
    size_t width = 0;
    size_t present = 0;  // index into present_: most rows have what the one before had
  };
  // A decimal, or any other double as its bits.
  struct Value {
    int64_t mantissa = 0;
    int exponent = 0;
  };
  struct Slots;

  bool ReadWord(size_t w, Slots* slots, size_t* bad);
  bool ReadValue(ByteReader* in, Value* value) const;
  void PutSlot(size_t slot, const Slots& slots, std::string* out) const;
  bool PutDecimals(const Slots& slots, size_t k, std::string* out) const;
  uint64_t Word(const Row& row, size_t w) const;
  static double ToDouble(Value value);

  std::vector<int64_t> times_;
  std::vector<Row> rows_;
  std::vector<Bits> present_;
  std::vector<std::pair<uint32_t, uint32_t>> stale_;  // slot, row
  Bits any_stale_;
  size_t width_ = 0;
};

}  // namespace narthex::tsdb
