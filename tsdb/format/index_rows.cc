#include "tsdb/format/index_rows.h"

#include <algorithm>
#include <utility>

#include "tsdb/format/bytes.h"
#include "tsdb/format/crc.h"
#include "tsdb/format/records.h"

namespace narthex::tsdb {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kMostLabels = size_t{1} << 24;  // of a row; shared ones cost no bytes

std::string Sealed(std::string out) {
  PutFixed32(&out, Crc32c(0, out));
  return out;
}

// What is between version and checksum; false if either is not as it must be.
bool Unseal(std::string_view bytes, std::string_view* body) {
  if (bytes.size() < 5 || static_cast<uint8_t>(bytes[0]) != kVersion) return false;
  const std::string_view summed = bytes.substr(0, bytes.size() - 4);
  if (GetFixed32(bytes.data() + summed.size()) != Crc32c(0, summed)) return false;
  *body = summed.substr(1);
  return true;
}

void PutIds(const std::vector<uint32_t>& ids, std::string* out) {
  std::string runs;
  size_t count = 0;
  uint64_t next = 0;
  for (size_t i = 0; i < ids.size();) {
    size_t end = i + 1;
    while (end < ids.size() && ids[end] == ids[end - 1] + 1) ++end;
    PutVarint(&runs, ids[i] - next);
    PutVarint(&runs, end - i);
    next = uint64_t{ids[end - 1]} + 1;
    i = end;
    ++count;
  }
  PutVarint(out, ids.size());
  PutVarint(out, count);
  *out += runs;
}

bool ReadIds(ByteReader* in, std::vector<uint32_t>* ids) {
  const size_t n = in->Count(in->left());  // each has labels behind it
  const size_t count = in->Count(n);
  uint64_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t gap = in->Varint(), length = in->Varint();
    if (!in->ok() || length == 0 || length > n - ids->size() || gap > UINT32_MAX) return false;
    next += gap;
    if (next + length - 1 > UINT32_MAX) return false;
    for (uint64_t k = 0; k < length; ++k) ids->push_back(static_cast<uint32_t>(next++));
  }
  return in->ok() && ids->size() == n && (n == 0 || ids->front() != 0);
}

// *names: for each pair the number of its name, ascending.
bool ReadPairs(ByteReader* in, std::vector<std::string_view>* pairs, std::vector<uint32_t>* names) {
  const size_t n = in->Count(in->left());
  std::string_view last_name, last_value;
  for (size_t i = 0; i < n; ++i) {
    const char* const begin = in->position();
    const std::string_view name = in->Bytes(), value = in->Bytes();
    if (!in->ok() || name.empty() || value.empty()) return false;
    const bool same = i > 0 && name == last_name;
    if (i > 0 && (same ? value <= last_value : name < last_name)) return false;
    names->push_back(i == 0 ? 0 : names->back() + (same ? 0 : 1));
    pairs->push_back({begin, static_cast<size_t>(in->position() - begin)});
    last_name = name;
    last_value = value;
  }
  return in->ok();
}

}  // namespace

// A series says how many labels it has in common with the one before it, counted from the front.
std::string EncodeSeriesRow(const SeriesRow& row) {
  std::string out(1, static_cast<char>(kVersion));
  PutVarint(&out, row.pairs.size());
  for (const std::string_view pair : row.pairs) out += pair;
  PutIds(row.ids, &out);
  const uint32_t* before = row.labels.data();
  size_t before_size = 0;
  for (size_t i = 0; i < row.ids.size(); ++i) {
    const uint32_t* const labels = row.labels.data() + (i == 0 ? 0 : row.ends[i - 1]);
    const size_t size = row.ends[i] - (i == 0 ? 0 : row.ends[i - 1]);
    size_t shared = 0;
    while (shared < std::min(size, before_size) && labels[shared] == before[shared]) ++shared;
    PutVarint(&out, shared);
    PutVarint(&out, size - shared);
    uint32_t next = shared == 0 ? 0 : labels[shared - 1] + 1;
    for (size_t k = shared; k < size; ++k) {
      PutVarint(&out, labels[k] - next);
      next = labels[k] + 1;
    }
    before = labels;
    before_size = size;
  }
  return Sealed(std::move(out));
}

bool DecodeSeriesRow(std::string_view bytes, SeriesRow* row) {
  row->pairs.clear();
  row->ids.clear();
  row->ends.clear();
  row->labels.clear();
  std::string_view body;
  if (!Unseal(bytes, &body)) return false;
  ByteReader in(body);
  std::vector<uint32_t> names;
  if (!ReadPairs(&in, &row->pairs, &names) || !ReadIds(&in, &row->ids)) return false;
  std::vector<uint32_t>& labels = row->labels;
  size_t before = 0;  // where the series before begins
  for (size_t i = 0; i < row->ids.size(); ++i) {
    const size_t begin = labels.size();
    const uint64_t shared = in.Varint(), more = in.Varint();
    if (!in.ok() || shared > begin - before || more > in.left()) return false;
    if (begin + shared + more > kMostLabels) return false;
    for (size_t k = 0; k < shared; ++k) labels.push_back(labels[before + k]);
    for (uint64_t k = 0; k < more; ++k) {
      const bool first = labels.size() == begin;
      const uint64_t gap = in.Varint();
      if (gap >= row->pairs.size()) return false;
      const uint64_t place = gap + (first ? 0 : labels.back() + 1);
      if (place >= row->pairs.size() || (!first && names[place] == names[labels.back()])) return false;
      labels.push_back(static_cast<uint32_t>(place));
    }
    row->ends.push_back(static_cast<uint32_t>(labels.size()));
    before = begin;
  }
  return in.ok() && in.done();
}

void AddSlotTo(std::vector<SlotRun>* runs, uint32_t slot, uint32_t series) {
  if (!runs->empty()) {
    SlotRun& last = runs->back();
    if (slot == last.slot + last.length && series == last.series + last.length) {
      ++last.length;
      return;
    }
  }
  runs->push_back({slot, series, 1});
}

std::string EncodeSlotRow(const SlotRun* runs, size_t count) {
  std::string out(1, static_cast<char>(kVersion));
  PutVarint(&out, count);
  int64_t slot = 0, series = 0;
  for (const SlotRun* run = runs; run != runs + count; ++run) {
    PutVarint(&out, static_cast<uint64_t>(run->slot - slot));
    PutZigZag(&out, run->series - series);
    PutVarint(&out, run->length);
    slot = int64_t{run->slot} + run->length;
    series = int64_t{run->series} + run->length;
  }
  return Sealed(std::move(out));
}

bool DecodeSlotRow(std::string_view bytes, std::vector<SlotRun>* runs) {
  runs->clear();
  std::string_view body;
  if (!Unseal(bytes, &body)) return false;
  ByteReader in(body);
  const size_t n = in.Count(in.left());
  uint64_t slot = 0;
  int64_t series = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint64_t gap = in.Varint();
    const int64_t step = in.SignedVarint();
    const uint64_t length = in.Varint();
    if (!in.ok() || gap > kMaxSlots || length == 0 || length > kMaxSlots) return false;
    if (step > int64_t{UINT32_MAX} || step < -int64_t{UINT32_MAX}) return false;
    slot += gap;
    series += step;
    const int64_t end = series + static_cast<int64_t>(length);
    if (series < 1 || end - 1 > int64_t{UINT32_MAX} || slot + length > kMaxSlots) return false;
    runs->push_back(
        {static_cast<uint32_t>(slot), static_cast<uint32_t>(series), static_cast<uint32_t>(length)});
    slot += length;
    series = end;
  }
  return in.ok() && in.done();
}

}  // namespace narthex::tsdb
