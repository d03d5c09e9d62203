// libFuzzer: any bytes as stripe, entry, directory, time column, value chunk and histograms.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/format/crc.h"
#include "tsdb/format/directory.h"
#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/nx_chunk.h"
#include "tsdb/format/stripe.h"
#include "tsdb/format/time_column.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::tsdb;
  if (size == 0) return 0;
  const size_t n = data[0];
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  SeriesRows rows;
  (void)DecodeEntry(input, n, &rows);
  const EntryTraits traits = TraitsOf(input);
  std::vector<double> values(n);
  if (!input.empty() && traits.dense && n > 0) (void)DecodeDense(input, n, values.data());
  ByteReader chunk(input);
  const bool whole = n > 0 && ReadNxChunk(&chunk, values.data(), n);
  std::vector<uint32_t> at;
  for (uint32_t i = static_cast<uint32_t>(size % 3); i < n; i += 3) at.push_back(i);
  std::vector<double> some(at.size());
  ByteReader chunk_again(input);
  const bool partly = ReadNxChunkAt(&chunk_again, n, at, some.data());
  if (whole && !partly) __builtin_trap();
  for (size_t k = 0; whole && k < at.size(); ++k) {
    if (std::bit_cast<uint64_t>(some[k]) != std::bit_cast<uint64_t>(values[at[k]])) __builtin_trap();
  }
  const size_t begin = size % (n + 1), end = begin + size / 7 % (n + 1 - begin);
  std::vector<double> range(end - begin);
  ByteReader chunk_of_range(input);
  const bool ranged = ReadNxChunkRange(&chunk_of_range, n, begin, end, range.data());
  if (whole && !ranged) __builtin_trap();
  for (size_t k = 0; whole && k < range.size(); ++k) {
    if (std::bit_cast<uint64_t>(range[k]) != std::bit_cast<uint64_t>(values[begin + k])) __builtin_trap();
  }
  ByteReader times_in(input);
  std::vector<int64_t> times;
  if (ReadTimeColumn(&times_in, &times)) {
    std::string bytes;
    PutTimeColumn(&bytes, times);
    ByteReader again(bytes);
    std::vector<int64_t> same;
    if (!ReadTimeColumn(&again, &same) || same != times) __builtin_trap();
  }
  ByteReader histograms_in(input);
  std::vector<narthex::HistogramPtr> histograms;
  (void)ReadHistogramChunk(&histograms_in, n, &histograms);
  ByteReader histogram_in(input);
  (void)ReadHistogram(&histogram_in);
  // With a checksum that fits, the structure is what is tried.
  std::string sealed(input);
  PutFixed32(&sealed, Crc32c(0, sealed));
  StripeView view;
  if (view.Parse(sealed)) {
    for (const StripeView::Entry& e : view.entries) {
      const size_t count = view.columns[e.column].size();
      if (count < 1000) (void)DecodeEntry(e.bytes, count, &rows);
    }
  }
  std::vector<std::vector<uint32_t>> directory;
  (void)DecodeDirectory(sealed, &directory);
  return 0;
}
