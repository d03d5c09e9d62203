// A stripe: up to 128 label-sorted series with their time columns, one value of the store. An entry (one
// series over one column) is also what tiles in memory are made of.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/histogram.h"
#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

// One series over a time column of n rows: floats or histograms where `present`, stale markers where `stale`.
struct SeriesRows {
  Bits present;
  Bits stale;
  std::vector<double> values;            // n, meaningful where present; empty in a histogram entry
  std::vector<HistogramPtr> histograms;  // n, or empty in a float entry
  std::vector<int64_t> start_t;          // n, or empty
  bool Empty() const { return present.CountOnes() == 0 && stale.CountOnes() == 0; }
};
std::string EncodeEntry(const SeriesRows& rows, size_t n);
// The entry of a series with a float in every row and no stale marker, behind what *out has.
void PutDenseEntry(std::string* out, const double* values, size_t n);
std::string EncodeDenseEntry(const double* values, size_t n);  // a float in every row, none a stale marker
bool DecodeEntry(std::string_view bytes, size_t n, SeriesRows* rows);
// What the first byte of an entry tells without decoding it.
struct EntryTraits {
  bool dense = false;   // a float in every row, and nothing else
  bool floats = false;  // floats and stale markers only, no start timestamps
};
EntryTraits TraitsOf(std::string_view entry);
// The rows and the NX chunk of the values of an entry of floats, without decoding the chunk. False if it is
// malformed.
bool SplitFloats(std::string_view entry, size_t n, Bits* present, std::string_view* chunk);
// A dense entry, and its values.
std::string EncodeDense(std::span<const double> values);
bool DecodeDense(std::string_view entry, size_t n, double* values);
// The same of the rows [begin, end) only.
bool DecodeDenseRange(std::string_view entry, size_t n, size_t begin, size_t end, double* values);
// The same of the rows `at` (ascending) only.
bool DecodeDenseAt(std::string_view entry, size_t n, std::span<const uint32_t> at, double* values);

struct StripeEntry {
  uint32_t series = 0;
  uint32_t column = 0;
  std::string bytes;
};

std::string EncodeStripe(const std::vector<std::vector<int64_t>>& columns,
                         const std::vector<StripeEntry>& entries);

// A parsed stripe; entries point into the bytes given to Parse.
struct StripeView {
  struct Entry {
    uint32_t series = 0, column = 0;
    std::string_view bytes;
  };
  std::vector<std::vector<int64_t>> columns;
  std::vector<Entry> entries;
  // False if the checksum or the structure is wrong.
  bool Parse(std::string_view bytes);
};

}  // namespace narthex::tsdb
