#include "tsdb/format/tile_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tsdb/format/nx_chunk.h"
#include "tsdb/format/records.h"
#include "tsdb/format/stripe.h"

namespace narthex::tsdb {
namespace {

constexpr int kOther = kMaxExponent + 1;  // no decimal, or none that its integer alone tells
// Below it a decimal has one integer at each exponent.
constexpr int64_t kUnique = int64_t{1} << 50;
constexpr int64_t kTens[] = {1,
                             10,
                             100,
                             1'000,
                             10'000,
                             100'000,
                             1'000'000,
                             10'000'000,
                             100'000'000,
                             1'000'000'000,
                             10'000'000'000,
                             100'000'000'000,
                             1'000'000'000'000,
                             10'000'000'000'000,
                             100'000'000'000'000,
                             1'000'000'000'000'000};

bool IsUnique(int64_t mantissa) { return mantissa > -kUnique && mantissa < kUnique; }

// mantissa * 10^more, if that is below 2^50.
bool Raise(int64_t mantissa, int more, int64_t* raised) {
  return !__builtin_mul_overflow(mantissa, kTens[more], raised) && IsUnique(*raised);
}

}  // namespace

// 64 slots over all rows: the values where they change.
struct TileRows::Slots {
  uint64_t dense;            // slots with a value in each row, and no stale marker
  uint32_t changed[kSlots];  // rows with a new value
  Value last[kSlots];        // the value of the row read last
  int64_t mantissa[kSlots][kMaxRows];
  uint8_t exponent[kSlots][kMaxRows];

  void Set(size_t k, size_t row, Value value) {
    last[k] = value;
    changed[k] |= uint32_t{1} << row;
    mantissa[k][row] = value.mantissa;
    exponent[k][row] = static_cast<uint8_t>(value.exponent);
  }
};

double TileRows::ToDouble(Value value) {
  return value.exponent == kOther ? std::bit_cast<double>(value.mantissa)
                                  : FromDecimal(value.mantissa, value.exponent);
}

bool TileRows::Add(std::string_view round) {
  if (rows_.size() == kMaxRows) return false;
  Row row;
  row.values = ByteReader(round);
  ByteReader* in = &row.values;
  const int64_t t = WrapAdd(times_.empty() ? 0 : times_.back(), in->SignedVarint());
  row.width = in->Count(kMaxSlots);
  if (!in->ok() || row.width / 8 > in->left() || row.width < width_) return false;
  std::vector<uint32_t> flips, stale, tracked_only;
  if (!ReadAscending(in, row.width, &flips) || !ReadAscending(in, row.width, &stale) ||
      !ReadAscending(in, row.width, &tracked_only)) {
    return false;
  }
  row.changed = in->Take((row.width + 7) / 8);
  if (!in->ok()) return false;
  if (present_.empty() || !flips.empty()) {
    present_.push_back(present_.empty() ? Bits() : present_.back());
    present_.back().Resize(row.width);
    for (uint32_t i : flips) present_.back().Set(i, !present_.back().Get(i));
  }
  row.present = present_.size() - 1;
  for (uint32_t slot : stale) {
    stale_.emplace_back(slot, static_cast<uint32_t>(rows_.size()));
    any_stale_.Set(slot);
  }
  width_ = row.width;
  times_.push_back(t);
  rows_.push_back(row);
  return true;
}

// Which of the slots from 64 * w on have a value in the row.
uint64_t TileRows::Word(const Row& row, size_t w) const {
  const std::vector<uint64_t>& words = present_[row.present].words();
  return w < words.size() ? words[w] : 0;
}

// As ReadValueDelta; *value has the value before.
bool TileRows::ReadValue(ByteReader* in, Value* value) const {
  const uint64_t code = in->Varint();
  int e = 0;
  if ((code & 3) == 1) {
    e = in->Byte();
  } else if ((code & 3) != 0) {
    if ((code & 3) != 2) in->Fail();
    *value = {std::bit_cast<int64_t>(in->Double()), kOther};
    return in->ok();
  }
  if (e > kMaxExponent) in->Fail();
  if (!in->ok()) return false;
  int64_t before = 0;
  if (e == value->exponent) {
    before = value->mantissa;
  } else if (value->exponent == kOther || e < value->exponent ||
             !Raise(value->mantissa, e - value->exponent, &before)) {
    if (!ExactDecimal(ToDouble(*value), e, &before)) before = 0;
  }
  const int64_t mantissa = WrapAdd(before, UnZigZag(code >> 2));
  *value = IsUnique(mantissa) ? Value{mantissa, e}
                              : Value{std::bit_cast<int64_t>(FromDecimal(mantissa, e)), kOther};
  return true;
}

bool TileRows::ReadWord(size_t w, Slots* slots, size_t* bad) {
  std::fill_n(slots->changed, kSlots, 0);
  std::fill_n(slots->last, kSlots, Value());
  slots->dense = w < any_stale_.words().size() ? ~any_stale_.words()[w] : ~uint64_t{0};
  uint64_t before = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    Row& row = rows_[i];
    const uint64_t now = Word(row, w);
    slots->dense &= now;
    for (uint64_t gone = before & ~now; gone != 0; gone &= gone - 1) {
      slots->Set(static_cast<size_t>(std::countr_zero(gone)), i, Value());  // it counts as 0 from here on
    }
    before = now;
    if (w * 8 >= row.changed.size()) continue;
    uint64_t changed = 0;
    const std::string_view bytes = row.changed.substr(w * 8, 8);
    std::memcpy(&changed, bytes.data(), bytes.size());
    changed = LittleEndian(changed);
    const size_t left = row.width - w * kSlots;
    if (left < kSlots) changed &= (uint64_t{1} << left) - 1;
    for (; changed != 0; changed &= changed - 1) {
      const auto k = static_cast<size_t>(std::countr_zero(changed));
      Value value = slots->last[k];
      if (!ReadValue(&row.values, &value)) {
        *bad = i;
        return false;
      }
      slots->Set(k, i, value);
    }
  }
  return true;
}

// The chunk of a slot with decimals only. False if it has others.
bool TileRows::PutDecimals(const Slots& slots, size_t k, std::string* out) const {
  const int64_t* mantissa = slots.mantissa[k];
  const uint8_t* exponent = slots.exponent[k];
  const uint32_t changed = slots.changed[k];
  int largest = 0, smallest = (changed & 1) != 0 ? kOther : 0;
  for (uint32_t left = changed; left != 0; left &= left - 1) {
    const int e = exponent[std::countr_zero(left)];
    largest = std::max(largest, e);
    smallest = std::min(smallest, e);
  }
  if (largest == kOther) return false;
  int64_t ints[kMaxRows];
  int64_t current = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if ((changed >> i & 1) != 0) {
      current = mantissa[i];
      if (smallest != largest && !Raise(current, largest - exponent[i], &current)) return false;
    }
    ints[i] = current;
  }
  out->push_back('\0');
  PutNxDecimals(out, largest, ints, rows_.size());
  return true;
}

void TileRows::PutSlot(size_t slot, const Slots& slots, std::string* out) const {
  const size_t k = slot % kSlots, n = rows_.size();
  const bool dense = (slots.dense >> k & 1) != 0;
  if (dense && PutDecimals(slots, k, out)) return;
  std::vector<double> values(n);
  double current = 0;
  for (size_t i = 0; i < n; ++i) {
    if ((slots.changed[k] >> i & 1) != 0) current = ToDouble({slots.mantissa[k][i], slots.exponent[k][i]});
    values[i] = current;
  }
  if (dense) return PutDenseEntry(out, values.data(), n);
  SeriesRows series;
  series.present = series.stale = Bits(n);
  series.values = std::move(values);
  for (size_t i = 0; i < n; ++i) series.present.Set(i, present_[rows_[i].present].Get(slot));
  auto stale = std::lower_bound(stale_.begin(), stale_.end(), std::pair(static_cast<uint32_t>(slot), 0u));
  for (; stale != stale_.end() && stale->first == slot; ++stale) series.stale.Set(stale->second);
  if (!series.Empty()) *out += EncodeEntry(series, n);
}

bool TileRows::Encode(std::string* bytes, std::vector<uint32_t>* ends, size_t* bad) {
  std::sort(stale_.begin(), stale_.end());
  Slots slots;
  for (size_t slot = 0; slot < width_; ++slot) {
    if (slot % kSlots == 0 && !ReadWord(slot / kSlots, &slots, bad)) return false;
    PutSlot(slot, slots, bytes);
    ends->push_back(static_cast<uint32_t>(bytes->size()));
  }
  return true;
}

}  // namespace narthex::tsdb
