#include "tsdb/format/tile_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tsdb/format/nx_chunk.h"
#include "tsdb/format/records.h"
#include "tsdb/format/stripe.h"

namespace narthex::tsdb {
namespace {

// What a series of one kind may have next.
double NextValue(size_t kind, double last, std::mt19937_64* random) {
  const auto dice = [random](uint64_t n) { return static_cast<int64_t>((*random)() % n); };
  switch (kind % 12) {
    case 0:
      return 7.25;
    case 1:
      return last + static_cast<double>(dice(1000));
    case 2:
      return last + 15.0 * static_cast<double>(dice(3));
    case 3:
      return FromDecimal(dice(10'000) - 5000, 2);
    case 4:
      return FromDecimal(dice(1'000'000), static_cast<int>(dice(7)));
    case 5:
      return static_cast<double>(dice(3)) - 1;
    case 6:
      return FromDecimal((int64_t{1} << 50) + dice(9) - 4, static_cast<int>(dice(16)));
    case 7:
      return std::ldexp(static_cast<double>(dice(1 << 30)), static_cast<int>(dice(60)) - 40);
    case 8:
      return dice(4) == 0 ? -0.0 : std::numeric_limits<double>::quiet_NaN();
    case 9:
      return dice(8) == 0 ? std::numeric_limits<double>::infinity() : FromDecimal(dice(100), 1);
    case 10:
      return FromDecimal(dice(uint64_t{1} << 52), static_cast<int>(dice(16)));
    default:
      return dice(3) == 0 ? FromDecimal(dice(1'000'000'000'000'000), 15) : last;
  }
}

Round NextRound(const Round& before, size_t more, bool gaps, std::mt19937_64* random) {
  Round round;
  round.t = before.t + 1000;
  const size_t n = before.values.size() + more;
  round.values.resize(n, 0);
  round.present.Resize(n);
  for (size_t i = 0; i < n; ++i) {
    const uint64_t dice = gaps ? (*random)() % 20 : 1;
    if (dice == 0) {
      if ((*random)() % 2 == 0) round.stale.push_back(static_cast<uint32_t>(i));
      continue;
    }
    round.present.Set(i);
    round.values[i] = NextValue(i, i < before.values.size() ? before.values[i] : 0, random);
  }
  return round;
}

struct Columns {
  std::string bytes;
  std::vector<uint32_t> ends;
};

// The entries by way of whole rounds and doubles.
Columns Slowly(const std::vector<std::string>& rounds) {
  std::vector<Round> read;
  Round round;
  for (const std::string& bytes : rounds) {
    ByteReader in(bytes);
    EXPECT_TRUE(ReadRound(&in, read.empty(), &round));
    read.push_back(round);
  }
  Columns out;
  for (size_t slot = 0; slot < read.back().values.size(); ++slot) {
    SeriesRows series;
    series.present = series.stale = Bits(read.size());
    for (size_t i = 0; i < read.size(); ++i) {
      series.present.Set(i, read[i].present.Get(slot));
      for (uint32_t stale : read[i].stale)
        if (stale == slot) series.stale.Set(i);
      series.values.push_back(slot < read[i].values.size() ? read[i].values[slot] : 0);
    }
    if (!series.Empty()) out.bytes += EncodeEntry(series, read.size());
    out.ends.push_back(static_cast<uint32_t>(out.bytes.size()));
  }
  return out;
}

TEST(TileRows, EntriesAreThoseOfTheColumns) {
  std::mt19937_64 random(5);
  for (int run = 0; run < 300; ++run) {
    const size_t count = 1 + random() % TileRows::kMaxRows;
    const bool gaps = run % 3 == 0;
    std::vector<std::string> rounds;
    Round before;
    TileRows rows;
    for (size_t i = 0; i < count; ++i) {
      Round round = NextRound(before,
                              i == 0         ? random() % 150
                              : run % 5 == 0 ? random() % 3
                                             : 0,
                              gaps, &random);
      std::string bytes;
      PutRound(&bytes, round, i == 0 ? nullptr : &before);
      rounds.push_back(bytes);
      before = std::move(round);
    }
    for (const std::string& bytes : rounds) ASSERT_TRUE(rows.Add(bytes));
    Columns got;
    size_t bad = 0;
    ASSERT_TRUE(rows.Encode(&got.bytes, &got.ends, &bad));
    const Columns want = Slowly(rounds);
    ASSERT_EQ(got.ends, want.ends) << run;
    ASSERT_EQ(got.bytes, want.bytes) << run;
  }
}

TEST(TileRows, AMalformedRoundIsNamed) {
  Round round;
  round.values = {1, 2.5, 3};
  round.present.SetAll(3);
  std::string first, second;
  PutRound(&first, round, nullptr);
  Round next = round;
  next.values = {2, 1e300, 5};
  PutRound(&second, next, &round);
  TileRows rows;
  ASSERT_TRUE(rows.Add(first));
  EXPECT_FALSE(rows.Add(""));
  EXPECT_FALSE(rows.Add(second.substr(0, 4)));
  second.resize(second.size() - 3);
  ASSERT_TRUE(rows.Add(second));
  Columns got;
  size_t bad = 99;
  EXPECT_FALSE(rows.Encode(&got.bytes, &got.ends, &bad));
  EXPECT_EQ(bad, 1);
}

TEST(TileRows, TakesNoMoreThanItHasRoomFor) {
  Round round;
  round.values = {1};
  round.present.SetAll(1);
  std::string bytes;
  PutRound(&bytes, round, nullptr);
  TileRows rows;
  ASSERT_TRUE(rows.Add(bytes));
  bytes.clear();
  PutRound(&bytes, round, &round);
  for (size_t i = 1; i < TileRows::kMaxRows; ++i) ASSERT_TRUE(rows.Add(bytes));
  EXPECT_FALSE(rows.Add(bytes));
}

}  // namespace
}  // namespace narthex::tsdb
