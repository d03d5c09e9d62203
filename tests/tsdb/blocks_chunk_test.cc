// Prometheus's chunk encodings: bytes made by hand, round trips, damage.
#include "tsdb/blocks/chunk.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tsdb/blocks/bit_stream.h"

namespace narthex::tsdb::blocks {
namespace {

// Hexadecimal bytes, blanks ignored; a part in brackets is bits, padded with zeros to a byte at its end.
std::string Bytes(std::string_view text) {
  std::string out;
  int nibble = -1;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text[i] == '[') {
      BitWriter w(&out);
      for (++i; text[i] != ']'; ++i) {
        if (text[i] != ' ') w.Bits(static_cast<uint64_t>(text[i] - '0'), 1);
      }
      continue;
    }
    const int digit = text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10;
    if (nibble >= 0) out.push_back(static_cast<char>(nibble * 16 + digit));
    nibble = nibble >= 0 ? -1 : digit;
  }
  return out;
}

Samples Decode(Encoding encoding, const std::string& bytes) {
  Samples out;
  const absl::Status s = DecodeChunk(static_cast<uint8_t>(encoding), bytes, &out);
  EXPECT_TRUE(s.ok()) << s;
  return out;
}

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

void ExpectSame(const Samples& got, const Samples& want) {
  EXPECT_EQ(got.t, want.t);
  ASSERT_EQ(got.v.size(), want.v.size());
  for (size_t i = 0; i < got.v.size(); ++i)
    EXPECT_TRUE(SameBits(got.v[i], want.v[i])) << i << ": " << got.v[i];
  ASSERT_EQ(got.h.size(), want.h.size());
  for (size_t i = 0; i < got.h.size(); ++i) {
    EXPECT_EQ(got.h[i].t, want.h[i].t);
    if (IsStale(want.h[i].h->sum))
      EXPECT_TRUE(IsStale(got.h[i].h->sum)) << i;
    else
      EXPECT_TRUE(got.h[i].h->Equals(*want.h[i].h)) << i << ": " << got.h[i].h->ToString();
  }
}

Samples DecodeAll(const std::vector<EncodedChunk>& chunks) {
  Samples out;
  for (const EncodedChunk& c : chunks) {
    EXPECT_EQ(ChunkSampleCount(static_cast<uint8_t>(c.encoding), c.data), c.samples);
    EXPECT_TRUE(DecodeChunk(static_cast<uint8_t>(c.encoding), c.data, &out).ok());
  }
  return out;
}

FloatHistogram Histogram(double scale) {
  FloatHistogram h;
  h.schema = 1;
  h.zero_threshold = std::ldexp(1, -128);
  h.zero_count = 2 * scale;
  h.sum = 18.4 * scale;
  h.positive_spans = {{0, 2}, {1, 2}};
  h.positive_buckets = {1 * scale, 2 * scale, 1 * scale, 4 * scale};
  h.negative_spans = {{-3, 1}};
  h.negative_buckets = {3 * scale};
  h.count = 13 * scale;
  return h;
}
HistogramPtr Make(FloatHistogram h, CounterResetHint hint) {
  h.hint = hint;
  return std::make_shared<FloatHistogram>(std::move(h));
}

// 1.5 at 1000, 1.5 at 2000, 2 at 3000.
constexpr const char* kXor = "0003 d00f 3ff8000000000000 e807 [0 0 11 00001 001100 111111111111]";

TEST(XorChunk, ReadsAndWritesTheGoldenBytes) {
  const Samples got = Decode(Encoding::kXor, Bytes(kXor));
  EXPECT_EQ(got.t, (std::vector<int64_t>{1000, 2000, 3000}));
  EXPECT_EQ(got.v, (std::vector<double>{1.5, 1.5, 2}));
  const std::vector<EncodedChunk> chunks = EncodeChunks(got);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].data, Bytes(kXor));
  EXPECT_EQ(chunks[0].mint, 1000);
  EXPECT_EQ(chunks[0].maxt, 3000);
}

TEST(XorChunk, EveryTimeStepAndEveryDoubleSurvives) {
  Samples s;
  std::mt19937_64 random(42);
  int64_t t = -5;
  const int64_t steps[] = {1, 1, 15'000, 15'001, 15'001 + 8192, 100, 70'000, 600'000, 900'000, 1LL << 40, 3};
  const double doubles[] = {0.0, -0.0, 1, NAN, StaleNan(), INFINITY, -INFINITY, 5e-324, 1e308, 0.1, 0.1, 0.3};
  for (int i = 0; i < 3000; ++i) {
    t += steps[random() % std::size(steps)];
    s.t.push_back(t);
    s.v.push_back(i % 3 == 0 ? doubles[random() % std::size(doubles)] : std::bit_cast<double>(random()));
  }
  const std::vector<EncodedChunk> chunks = EncodeChunks(s);
  EXPECT_EQ(chunks.size(), 3000 / kSamplesPerChunk);
  ExpectSame(DecodeAll(chunks), s);
}

// Steady times, a jump, a stale marker with and without a jump; start timestamps that change at the second
// sample.
TEST(Xor2Chunk, ReadsTheGoldenBytes) {
  const std::string bytes = Bytes(
      "0006 81 d00f 3ff8000000000000 c801 "  // start: 1000 - 900 = 100
      "[11101000 00000111 0 110 001111"      // +1000, same value; 1000 - 985 = 15
      " 0 0"                                 // +1000, same value, start as far behind
      " 10 1 00001 001100 111111111111 0"    // +1000, value 2
      " 11111 0"                             // +1000, stale
      " 110 0000000000001 0 0]");            // +1001, the value before the marker
  const Samples got = Decode(Encoding::kXor2, bytes);
  EXPECT_EQ(got.t, (std::vector<int64_t>{1000, 2000, 3000, 4000, 5000, 6001}));
  ASSERT_EQ(got.v.size(), 6u);
  EXPECT_EQ(got.v[1], 1.5);
  EXPECT_EQ(got.v[2], 1.5);
  EXPECT_EQ(got.v[3], 2);
  EXPECT_TRUE(IsStale(got.v[4]));
  EXPECT_EQ(got.v[5], 2);
  EXPECT_EQ(got.start_t, (std::vector<int64_t>{900, 985, 1985, 2985, 3985, 4985}));
}

TEST(Xor2Chunk, NegativeStepsAreTwosComplement) {
  const Samples got = Decode(Encoding::kXor2, Bytes("0004 00 d00f 3ff8000000000000 "
                                                    "[11101000 00000111 0"
                                                    " 110 1111111111111 111"
                                                    " 1110 11111111111111111110 10 " +
                                                    std::string(64, '0') + "]"));
  EXPECT_EQ(got.t, (std::vector<int64_t>{1000, 2000, 2999, 3996}));
  EXPECT_TRUE(IsStale(got.v[2]));
  EXPECT_EQ(got.v[3], 1.5);
  EXPECT_TRUE(got.start_t.empty());
}

// One sample at 1000: schema 0, bucket 1 holds 2, zero bucket 1, count 3, sum 1.5; then 1000 later the same.
std::string HistogramBits(std::string_view start_1, std::string_view start_2) {
  std::string sum;
  for (int i = 63; i >= 0; --i) sum += (std::bit_cast<uint64_t>(1.5) >> i & 1) != 0 ? '1' : '0';
  return "[01110100 0 10001 10001 0 0 11110 001111101000 10011 10001 " + sum + " 10010" +
         std::string(start_1) + " 11110 001111101000 0 0 0 0" + std::string(start_2) + "]";
}

TEST(HistogramChunk, ReadsTheGoldenBytes) {
  const Samples got = Decode(Encoding::kHistogram, Bytes("0002 80 " + HistogramBits("", "")));
  ASSERT_EQ(got.h.size(), 2u);
  EXPECT_EQ(got.h[0].t, 1000);
  EXPECT_EQ(got.h[1].t, 2000);
  const FloatHistogram& h = *got.h[0].h;
  EXPECT_EQ(h.hint, CounterResetHint::kReset);
  EXPECT_EQ(got.h[1].h->hint, CounterResetHint::kNotReset);
  EXPECT_EQ(h.zero_threshold, std::ldexp(1, -128));
  EXPECT_EQ(h.count, 3);
  EXPECT_EQ(h.zero_count, 1);
  EXPECT_EQ(h.sum, 1.5);
  EXPECT_EQ(h.positive_spans, (std::vector<HistogramSpan>{{0, 1}}));
  EXPECT_EQ(h.positive_buckets, (std::vector<double>{2}));
  EXPECT_TRUE(h.Equals(*got.h[1].h));
}

TEST(HistogramChunk, ReadsStartTimestamps) {
  // 14 bits of count beside the reset header, then the header of the start times.
  const Samples got =
      Decode(Encoding::kHistogramSt, Bytes("c002 81 " + HistogramBits(" 00010100", " 10011")));
  ASSERT_EQ(got.h.size(), 2u);
  EXPECT_EQ(got.h[0].h->hint, CounterResetHint::kGauge);
  EXPECT_EQ(got.h[1].h->hint, CounterResetHint::kGauge);
  EXPECT_EQ(got.h_start_t, (std::vector<int64_t>{990, 997}));
}

TEST(HistogramChunk, IntegersFloatsAndCustomBucketsSurvive) {
  Samples s;
  FloatHistogram custom;
  custom.schema = kCustomBucketsSchema;
  custom.custom_values = {0.005, 0.1, 2.5, 1e9, -3, 0.12345678901234};
  custom.positive_spans = {{0, 3}};
  custom.positive_buckets = {5, 0, 2};
  custom.count = 7;
  custom.sum = 3;
  for (int i = 0; i < 300; ++i) {
    const CounterResetHint hint = i % 50 == 0 ? CounterResetHint::kReset : CounterResetHint::kNotReset;
    const HistogramPtr h = i < 100   ? Make(Histogram(i + 1), hint)
                           : i < 200 ? Make(Histogram(i * 0.37), CounterResetHint::kGauge)
                                     : Make(custom, CounterResetHint::kUnknown);
    s.h.push_back({1'700'000'000'000 + i * 15'000 + (i % 7 == 0 ? 3 : 0), h});
  }
  const std::vector<EncodedChunk> chunks = EncodeChunks(s);
  const Samples got = DecodeAll(chunks);
  ExpectSame(got, s);
  for (int i : {0, 50}) EXPECT_EQ(got.h[i].h->hint, CounterResetHint::kReset) << i;
  EXPECT_EQ(got.h[150].h->hint, CounterResetHint::kGauge);
  EXPECT_EQ(chunks.front().encoding, Encoding::kHistogram);
  EXPECT_EQ(chunks[3].encoding, Encoding::kFloatHistogram);
}

TEST(HistogramChunk, StaleMarkersEndAChunk) {
  for (double scale : {1.0, 0.5}) {
    Samples s;
    FloatHistogram stale;
    stale.sum = StaleNan();
    s.h = {{1000, Make(Histogram(scale), CounterResetHint::kUnknown)},
           {2000, Make(Histogram(2 * scale), CounterResetHint::kNotReset)},
           {3000, Make(stale, CounterResetHint::kUnknown)},
           {4000, Make(stale, CounterResetHint::kUnknown)},
           {5000, Make(Histogram(3 * scale), CounterResetHint::kUnknown)},
           {6000, Make(stale, CounterResetHint::kUnknown)}};
    ExpectSame(DecodeAll(EncodeChunks(s)), s);
  }
}

TEST(EncodeChunks, FloatsAndHistogramsTakeTurns) {
  Samples s;
  s.t = {1000, 2000, 5000};
  s.v = {1, 2, 3};
  s.h = {{3000, Make(Histogram(1), CounterResetHint::kUnknown)},
         {4000, Make(Histogram(1), CounterResetHint::kUnknown)},
         {6000, Make(Histogram(1), CounterResetHint::kUnknown)}};
  const std::vector<EncodedChunk> chunks = EncodeChunks(s);
  ASSERT_EQ(chunks.size(), 4u);
  for (size_t i = 1; i < chunks.size(); ++i) EXPECT_GT(chunks[i].mint, chunks[i - 1].maxt);
  ExpectSame(DecodeAll(chunks), s);
}

TEST(DecodeChunk, DamageIsAnError) {
  Samples s;
  for (int i = 0; i < 100; ++i) {
    s.t.push_back(i * 15'000);
    s.v.push_back(i * 0.7);
    s.h.push_back({2'000'000 + i * 15'000, Make(Histogram(i), CounterResetHint::kUnknown)});
  }
  std::mt19937_64 random(7);
  for (const EncodedChunk& chunk : EncodeChunks(s)) {
    const uint8_t encoding = static_cast<uint8_t>(chunk.encoding);
    for (size_t n = 0; n < chunk.data.size(); ++n) {
      Samples out;
      EXPECT_FALSE(DecodeChunk(encoding, chunk.data.substr(0, n), &out).ok()) << n;
    }
    for (int i = 0; i < 300; ++i) {  // must end, with or without an error
      std::string bad = chunk.data;
      bad[random() % bad.size()] = static_cast<char>(random());
      for (uint8_t e = 0; e < 8; ++e) {
        Samples out;
        DecodeChunk(e, bad, &out).IgnoreError();
      }
    }
  }
  Samples out;
  EXPECT_EQ(DecodeChunk(9, "xx", &out).message(), "invalid chunk encoding 9");
}

}  // namespace
}  // namespace narthex::tsdb::blocks
