// libFuzzer: any bytes as the rounds of a tile, each behind its length. What the entries say must be what the
// rounds say.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/format/records.h"
#include "tsdb/format/stripe.h"
#include "tsdb/format/tile_rows.h"

namespace {

using namespace narthex::tsdb;

void Check(std::string_view entry, size_t slot, const std::vector<Round>& rounds) {
  SeriesRows rows;
  const size_t n = rounds.size();
  rows.present = rows.stale = Bits(n);
  if (!entry.empty() && !DecodeEntry(entry, n, &rows)) __builtin_trap();
  for (size_t i = 0; i < n; ++i) {
    if (rows.present.Get(i) != rounds[i].present.Get(slot)) __builtin_trap();
    if (!rows.present.Get(i)) continue;
    if (std::bit_cast<uint64_t>(rows.values[i]) != std::bit_cast<uint64_t>(rounds[i].values[slot]))
      __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  ByteReader in(input);
  TileRows rows;
  std::vector<Round> rounds;
  while (in.ok() && !in.done()) {
    const std::string_view bytes = in.Bytes();
    if (!in.ok() || !rows.Add(bytes) || rows.width() > 10'000) break;
    Round round = rounds.empty() ? Round() : rounds.back();
    ByteReader round_in(bytes);
    if (!ReadRound(&round_in, rounds.empty(), &round)) break;
    rounds.push_back(std::move(round));
  }
  std::string bytes;
  std::vector<uint32_t> ends;
  size_t bad = 0;
  if (!rows.Encode(&bytes, &ends, &bad)) return 0;
  if (rounds.size() != rows.times().size()) return 0;
  for (size_t slot = 0; slot < ends.size(); ++slot) {
    const size_t begin = slot == 0 ? 0 : ends[slot - 1];
    Check(std::string_view(bytes).substr(begin, ends[slot] - begin), slot, rounds);
  }
  return 0;
}
