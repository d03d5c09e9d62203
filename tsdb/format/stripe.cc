#include "tsdb/format/stripe.h"

#include "tsdb/format/crc.h"
#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/nx_chunk.h"
#include "tsdb/format/time_column.h"

namespace narthex::tsdb {
namespace {
// Directories are 2. Until format 2 the three numbers of an entry stood together.
enum StripeVersion : uint8_t { kStripeOfEntries = 1, kStripeOfColumns = 3 };
enum EntryFlags : uint8_t { kHasGaps = 1, kHasStale = 2, kHistograms = 4, kHasStart = 8, kKnownFlags = 15 };
}  // namespace

std::string EncodeEntry(const SeriesRows& rows, size_t n) {
  std::string out;
  const size_t count = rows.present.CountOnes();
  const bool stale = rows.stale.CountOnes() > 0;
  if (count == n && !stale && rows.histograms.empty() && rows.start_t.empty()) {
    PutDenseEntry(&out, rows.values.data(), n);
    return out;
  }
  out.push_back(static_cast<char>((count < n ? kHasGaps : 0) | (stale ? kHasStale : 0) |
                                  (rows.histograms.empty() ? 0 : kHistograms) |
                                  (rows.start_t.empty() ? 0 : kHasStart)));
  std::vector<double> floats;
  std::vector<HistogramPtr> histograms;
  std::vector<uint32_t> stale_rows;
  std::string starts;
  Bits present(n);
  for (size_t i = 0; i < n; ++i) {
    if (rows.stale.Get(i)) stale_rows.push_back(static_cast<uint32_t>(i));
    if (!rows.present.Get(i)) continue;
    present.Set(i);
    if (rows.histograms.empty())
      floats.push_back(rows.values[i]);
    else
      histograms.push_back(rows.histograms[i]);
    if (!rows.start_t.empty()) PutZigZag(&starts, rows.start_t[i]);
  }
  if (count < n) present.AppendTo(&out);
  if (stale) PutAscending(&out, stale_rows);
  if (rows.histograms.empty())
    PutNxChunk(&out, floats.data(), floats.size());
  else
    PutHistogramChunk(&out, histograms);
  return out + starts;
}

EntryTraits TraitsOf(std::string_view entry) {
  if (entry.empty()) return {};
  const uint8_t flags = static_cast<uint8_t>(entry[0]);
  return {flags == 0, (flags & ~(kHasGaps | kHasStale)) == 0};
}

bool SplitFloats(std::string_view entry, size_t n, Bits* present, std::string_view* chunk) {
  ByteReader in(entry);
  const uint8_t flags = in.Byte();
  if ((flags & ~(kHasGaps | kHasStale)) != 0) return false;
  if ((flags & kHasGaps) != 0)
    *present = Bits::Read(&in, n);
  else
    present->SetAll(n);
  std::vector<uint32_t> stale;
  if ((flags & kHasStale) != 0 && !ReadAscending(&in, n, &stale)) return false;
  if (!in.ok()) return false;
  // A row with both is a stale marker.
  for (uint32_t i : stale) {
    if (present->Get(i)) return false;
  }
  *chunk = in.Take(in.left());
  return true;
}

std::string EncodeDense(std::span<const double> values) {
  std::string out(1, '\0');
  PutNxChunk(&out, values.data(), values.size());
  return out;
}

bool DecodeDense(std::string_view entry, size_t n, double* values) {
  ByteReader in(entry.substr(1));
  return ReadNxChunk(&in, values, n);
}

bool DecodeDenseRange(std::string_view entry, size_t n, size_t begin, size_t end, double* values) {
  ByteReader in(entry.substr(1));
  return ReadNxChunkRange(&in, n, begin, end, values);
}

bool DecodeDenseAt(std::string_view entry, size_t n, std::span<const uint32_t> at, double* values) {
  ByteReader in(entry.substr(1));
  return ReadNxChunkAt(&in, n, at, values);
}

void PutDenseEntry(std::string* out, const double* values, size_t n) {
  out->push_back('\0');
  PutNxChunk(out, values, n);
}

std::string EncodeDenseEntry(const double* values, size_t n) {
  std::string out;
  PutDenseEntry(&out, values, n);
  return out;
}

bool DecodeEntry(std::string_view bytes, size_t n, SeriesRows* rows) {
  ByteReader in(bytes);
  *rows = SeriesRows{};
  const uint8_t flags = in.Byte();
  if ((flags & ~kKnownFlags) != 0) return false;
  size_t count = n;
  if ((flags & kHasGaps) != 0) {
    rows->present = Bits::Read(&in, n);
    count = rows->present.CountOnes();
  } else {
    rows->present.SetAll(n);
  }
  rows->stale.Resize(n);
  if ((flags & kHasStale) != 0) {
    std::vector<uint32_t> stale;
    if (!ReadAscending(&in, n, &stale)) return false;
    for (uint32_t i : stale) rows->stale.Set(i);
  }
  if (!in.ok()) return false;
  std::vector<size_t> at;
  const bool gaps = count < n;
  if (gaps || (flags & kHasStart) != 0) {
    for (size_t i = 0; i < n; ++i)
      if (rows->present.Get(i)) at.push_back(i);
  }
  if ((flags & kHistograms) != 0) {
    std::vector<HistogramPtr> hs;
    if (!ReadHistogramChunk(&in, count, &hs)) return false;
    rows->histograms.resize(n);
    for (size_t i = 0; i < count; ++i) rows->histograms[gaps ? at[i] : i] = std::move(hs[i]);
  } else {
    rows->values.resize(n);
    if (!ReadNxChunk(&in, rows->values.data(), count)) return false;
    // Spread from the back: a value's place is never before its number.
    if (gaps)
      for (size_t i = count; i-- > 0;) rows->values[at[i]] = rows->values[i];
  }
  if ((flags & kHasStart) != 0) {
    rows->start_t.resize(n, 0);
    for (size_t i : at) rows->start_t[i] = in.SignedVarint();
  }
  return in.ok();
}

std::string EncodeStripe(const std::vector<std::vector<int64_t>>& columns,
                         const std::vector<StripeEntry>& entries) {
  std::string out(1, static_cast<char>(kStripeOfColumns));
  PutVarint(&out, columns.size());
  for (const std::vector<int64_t>& column : columns) {
    std::string bytes;
    PutTimeColumn(&bytes, column);
    PutBytes(&out, bytes);
  }
  PutVarint(&out, entries.size());
  int64_t previous = 0;
  for (const StripeEntry& e : entries) {
    PutZigZag(&out, static_cast<int64_t>(e.series) - previous);
    previous = e.series;
  }
  for (const StripeEntry& e : entries) PutVarint(&out, e.column);
  for (const StripeEntry& e : entries) PutVarint(&out, e.bytes.size());
  for (const StripeEntry& e : entries) out += e.bytes;
  PutFixed32(&out, Crc32c(0, out));
  return out;
}

bool StripeView::Parse(std::string_view bytes) {
  columns.clear();
  entries.clear();
  if (bytes.size() < 5) return false;
  const std::string_view body = bytes.substr(0, bytes.size() - 4);
  if (GetFixed32(bytes.data() + body.size()) != Crc32c(0, body)) return false;
  ByteReader in(body);
  const uint8_t version = in.Byte();
  if (version != kStripeOfEntries && version != kStripeOfColumns) return false;
  columns.resize(in.Count(in.left()));
  for (std::vector<int64_t>& column : columns) {
    ByteReader column_in(in.Bytes());
    if (!in.ok() || !ReadTimeColumn(&column_in, &column)) return false;
  }
  entries.resize(in.Count(in.left()));
  std::vector<size_t> lengths(entries.size());
  int64_t series = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    series += in.SignedVarint();
    entries[i].series = static_cast<uint32_t>(series);
    if (version == kStripeOfColumns) continue;
    entries[i].column = static_cast<uint32_t>(in.Varint());
    lengths[i] = in.Varint();
  }
  if (version == kStripeOfColumns) {
    for (Entry& e : entries) e.column = static_cast<uint32_t>(in.Varint());
    for (size_t& length : lengths) length = in.Varint();
  }
  for (const Entry& e : entries) {
    if (!in.ok() || e.column >= columns.size()) return false;
  }
  for (size_t i = 0; i < entries.size(); ++i) entries[i].bytes = in.Take(lengths[i]);
  return in.ok();
}

}  // namespace narthex::tsdb
