// The byte formats: exact round trips, golden bytes, bad input.
#include <cmath>
#include <limits>
#include <random>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "tsdb/format/crc.h"
#include "tsdb/format/journal_format.h"
#include "tsdb/format/keys.h"
#include "tsdb/format/nx_chunk.h"
#include "tsdb/format/records.h"
#include "tsdb/format/stripe.h"
#include "tsdb/format/time_column.h"

namespace narthex::tsdb {
namespace {

void ExpectNx(const std::vector<double>& values) {
  std::string bytes;
  PutNxChunk(&bytes, values.data(), values.size());
  std::vector<double> got(values.size());
  ByteReader in(bytes);
  ASSERT_TRUE(ReadNxChunk(&in, got.data(), got.size()));
  EXPECT_TRUE(in.done());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint64_t>(got[i]), std::bit_cast<uint64_t>(values[i])) << i;
  }
}

TEST(Nx, EveryBitComesBack) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> edge = {0,
                                    -0.0,
                                    1,
                                    -1,
                                    0.1,
                                    1e-7,
                                    1e300,
                                    inf,
                                    -inf,
                                    std::bit_cast<double>(0x7ff8000000000001),
                                    std::bit_cast<double>(0x7ff0000000000002),
                                    std::bit_cast<double>(0xfff8deadbeef0001),
                                    5e-324,
                                    -5e-324,
                                    9007199254740991.0,
                                    9007199254740992.0,
                                    9007199254740993.0,
                                    -9007199254740992.0,
                                    1.7976931348623157e308,
                                    0.30000000000000004};
  ExpectNx(edge);
  for (double v : edge) {
    ExpectNx({v});
    ExpectNx({v, v, v});
    for (double w : edge) {
      ExpectNx({v, w});
      std::string bytes;
      PutValueDelta(&bytes, v, w);
      ByteReader in(bytes);
      EXPECT_EQ(std::bit_cast<uint64_t>(ReadValueDelta(&in, v)), std::bit_cast<uint64_t>(w)) << v << " " << w;
    }
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> v(1 + random() % 300);
    for (double& x : v) {
      switch (round % 4) {
        case 0:
          x = std::bit_cast<double>(random());
          break;
        case 1:
          x = static_cast<double>(random() % 100000) / 100;
          break;
        case 2:
          x = static_cast<double>(random() % 1000 * 4096);
          break;
        default:
          x = random() % 10 == 0 ? static_cast<double>(random() % 7) : 3;
      }
    }
    ExpectNx(v);
  }
}

TEST(Nx, GoldenBytes) {
  std::string bytes;
  const double constant[] = {1.5, 1.5, 1.5};
  PutNxChunk(&bytes, constant, 3);
  EXPECT_EQ(absl::BytesToHexString(bytes), "101e");
  bytes.clear();
  const double counter[] = {10, 20, 40};
  PutNxChunk(&bytes, counter, 3);
  EXPECT_EQ(absl::BytesToHexString(bytes), "01140a0209");
  bytes.clear();
  const double steady[] = {0, 1000, 2001, 3003, 4004, 5005};
  PutNxChunk(&bytes, steady, 6);
  EXPECT_EQ(absl::BytesToHexString(bytes), "050043e8076401");
}

TEST(Nx, BlocksWithABaseThatAreCutOrMaskedAreRefused) {
  const std::string chunk("\x05\x00\x43\xe8\x07\x64\x01", 7);
  double values[6];
  for (size_t n = 0; n < chunk.size(); ++n) {
    ByteReader in(std::string_view(chunk).substr(0, n));
    EXPECT_FALSE(ReadNxChunk(&in, values, 6)) << n;
  }
  std::string masked = chunk;
  masked[2] |= static_cast<char>(0x80);
  ByteReader in(masked);
  EXPECT_FALSE(ReadNxChunk(&in, values, 6));
}

TEST(Nx, ChunksOfEarlierFormatsAreRead) {
  const std::string unit("\x01\x14\x01\x05\x4a\x01", 6);  // with a gcd of 1
  ByteReader in(unit);
  double values[3];
  ASSERT_TRUE(ReadNxChunk(&in, values, 3));
  EXPECT_TRUE(in.done());
  EXPECT_EQ(std::vector<double>(values, values + 3), (std::vector<double>{10, 20, 30}));
}

TEST(TimeColumn, RoundTripAndGolden) {
  std::string bytes;
  PutTimeColumn(&bytes, {1000, 2000, 3000, 4001});
  EXPECT_EQ(absl::BytesToHexString(bytes), "04d00fd00f0208");
  for (const std::vector<int64_t>& times :
       {std::vector<int64_t>{}, {5}, {INT64_MIN, INT64_MAX}, {1, 3, 2, 100, -7}}) {
    std::string b;
    PutTimeColumn(&b, times);
    ByteReader in(b);
    std::vector<int64_t> got;
    ASSERT_TRUE(ReadTimeColumn(&in, &got));
    EXPECT_EQ(got, times);
  }
}

TEST(Crc, KnownValue) { EXPECT_EQ(Crc32c(0, "123456789"), 0xe3069283u); }

TEST(JournalFormat, RecordChecksItsEpoch) {
  const std::string record = EncodeRecord(7, 42, "abc");
  EXPECT_EQ(record.size(), 19u);
  uint64_t sequence = 0;
  std::string_view payload;
  EXPECT_EQ(DecodeRecord(7, record, &sequence, &payload), RecordState::kOk);
  EXPECT_EQ(sequence, 42u);
  EXPECT_EQ(payload, "abc");
  EXPECT_EQ(DecodeRecord(8, record, &sequence, &payload), RecordState::kBad);
  EXPECT_EQ(DecodeRecord(7, record.substr(0, 18), &sequence, &payload), RecordState::kBad);
  EXPECT_EQ(DecodeRecord(7, std::string(64, '\0'), &sequence, &payload), RecordState::kEnd);
}

TEST(Keys, SortByWindowFirst) {
  EXPECT_LT(EncodeStripeKey({-3600'000, 9, 9, 9}), EncodeStripeKey({0, 1, 0, 0}));
  EXPECT_LT(EncodeStripeKey({0, 9, 9, 9}), EncodeStripeKey({3600'000, 1, 0, 0}));
  StripeKey key;
  ASSERT_TRUE(DecodeStripeKey(EncodeStripeKey({-5, 2, 3, 4}), &key));
  EXPECT_EQ(key, (StripeKey{-5, 2, 3, 4}));
}

TEST(Stripe, AnyFlippedByteIsFound) {
  SeriesRows rows;
  rows.present = Bits(3);
  rows.present.Set(0);
  rows.present.Set(2);
  rows.stale = Bits(3);
  rows.stale.Set(1);
  rows.values = {1, 0, 2.5};
  const std::string bytes = EncodeStripe({{10, 20, 30}}, {{5, 0, EncodeEntry(rows, 3)}});
  StripeView view;
  ASSERT_TRUE(view.Parse(bytes));
  SeriesRows got;
  ASSERT_TRUE(DecodeEntry(view.entries[0].bytes, 3, &got));
  EXPECT_EQ(got.values[2], 2.5);
  EXPECT_TRUE(got.stale.Get(1));
  EXPECT_FALSE(got.present.Get(1));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string bad = bytes;
    bad[i] ^= 1;
    EXPECT_FALSE(StripeView().Parse(bad)) << i;
  }
}

TEST(Stripe, ThoseOfEarlierFormatsAreRead) {
  const std::vector<std::vector<int64_t>> columns = {{10, 20}, {10, 20, 30}};
  const std::string one = EncodeDenseEntry(std::vector<double>{1, 2, 3}.data(), 3);
  const std::string two = EncodeDenseEntry(std::vector<double>{7, 7}.data(), 2);
  const std::string now = EncodeStripe(columns, {{5, 1, one}, {9, 0, two}});
  StripeView want, got;
  ASSERT_TRUE(want.Parse(now));
  // Each entry's series, column and length together.
  std::string old = now.substr(0, now.size() - 4 - one.size() - two.size() - 6);
  old[0] = 1;
  for (const std::string& part : {std::string("\x0a\x01") + static_cast<char>(one.size()),
                                  std::string("\x08") + '\0' + static_cast<char>(two.size()), one, two}) {
    old += part;
  }
  PutFixed32(&old, Crc32c(0, old));
  ASSERT_TRUE(got.Parse(old));
  EXPECT_EQ(got.columns, want.columns);
  ASSERT_EQ(got.entries.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(got.entries[i].series, want.entries[i].series);
    EXPECT_EQ(got.entries[i].column, want.entries[i].column);
    EXPECT_EQ(got.entries[i].bytes, want.entries[i].bytes);
  }
  EXPECT_EQ(want.entries[1].bytes, two);
}

TEST(Decoders, SurviveNoise) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string noise(random() % 60, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    SeriesRows rows;
    (void)DecodeEntry(noise, 40, &rows);
    Record record;
    (void)DecodeRecordPayload(noise, &record);
    Round round;
    ByteReader in(noise);
    (void)ReadRound(&in, true, &round);
    ByteReader times_in(noise);
    std::vector<int64_t> times;
    (void)ReadTimeColumn(&times_in, &times);
  }
}

}  // namespace
}  // namespace narthex::tsdb
