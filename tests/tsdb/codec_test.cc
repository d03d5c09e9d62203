// Codecs over the values where integers, decimals and doubles part ways; the bytes of each kind of record.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "tests/tsdb/workload.h"
#include "tsdb/format/directory.h"
#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/journal_format.h"
#include "tsdb/format/keys.h"
#include "tsdb/format/nx_chunk.h"
#include "tsdb/format/records.h"
#include "tsdb/format/stripe.h"
#include "tsdb/format/time_column.h"
#include "tsdb/manifest.h"

namespace narthex::tsdb {
namespace {

uint64_t BitsOf(double v) { return std::bit_cast<uint64_t>(v); }

std::vector<double> EdgeValues() {
  std::vector<double> out = {0.0, -0.0, 0.1, 0.30000000000000004, 1e-7, 123456.789, 1e22, 1e23, 1e300};
  for (const int power : {15, 16, 31, 32, 33, 52, 53, 54, 62, 63, 64, 1023}) {
    const double p = std::ldexp(1.0, power);
    for (double v : {p, std::nextafter(p, 0), std::nextafter(p, INFINITY), p - 1, p + 1}) {
      out.push_back(v);
      out.push_back(-v);
    }
  }
  for (double v : {std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::min(),
                   std::nextafter(std::numeric_limits<double>::min(), 0), std::numeric_limits<double>::max(),
                   std::numeric_limits<double>::infinity()}) {
    out.push_back(v);
    out.push_back(-v);
  }
  // NaNs of every kind: Go's, stale, signalling, with payloads and signs.
  for (uint64_t bits :
       {0x7ff8000000000001ULL, 0x7ff0000000000002ULL, 0x7ff0000000000001ULL, 0x7fffffffffffffffULL,
        0xfff8000000000000ULL, 0xfff8deadbeef0001ULL, 0xffffffffffffffffULL}) {
    out.push_back(std::bit_cast<double>(bits));
  }
  return out;
}

// A value that is likely to stand near an edge of the codecs.
double AnyEdge(std::mt19937_64* random) {
  static const std::vector<double> edges = EdgeValues();
  switch ((*random)() % 4) {
    case 0:
      return edges[(*random)() % edges.size()];
    case 1:
      return std::bit_cast<double>((*random)());
    case 2:
      return static_cast<double>(static_cast<int64_t>((*random)()) >> ((*random)() % 64));
    default:
      return static_cast<double>((*random)() % 100'000) / std::pow(10, static_cast<double>((*random)() % 6));
  }
}

TEST(Codecs, NxChunksAreExactForAllMixturesOfEdges) {
  const std::vector<double> edges = EdgeValues();
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::vector<double> values(1 + random() % 70);
    const double base = edges[random() % edges.size()];
    for (double& v : values) v = round % 3 == 0 ? base + static_cast<double>(random() % 3) : AnyEdge(&random);
    std::string bytes;
    PutNxChunk(&bytes, values.data(), values.size());
    std::vector<double> got(values.size());
    ByteReader in(bytes);
    ASSERT_TRUE(ReadNxChunk(&in, got.data(), got.size()));
    EXPECT_TRUE(in.done());
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(BitsOf(got[i]), BitsOf(values[i])) << round << " " << i;
  }
}

TEST(Codecs, NxChunksGiveTheValuesAtSomePlacesOnly) {
  const std::vector<double> edges = EdgeValues();
  std::mt19937_64 random(2);
  for (int round = 0; round < 3000; ++round) {
    std::vector<double> values(1 + random() % 100);
    const double base = edges[random() % edges.size()];
    for (double& v : values) {
      v = round % 4 == 0   ? base
          : round % 4 == 1 ? base + static_cast<double>(random() % 3)
                           : AnyEdge(&random);
    }
    if (round % 4 == 3) {  // few changes
      for (size_t i = 1; i < values.size(); ++i) {
        if (random() % 20 != 0) values[i] = values[i - 1];
      }
    }
    std::string bytes;
    PutNxChunk(&bytes, values.data(), values.size());
    std::vector<uint32_t> at;
    for (uint32_t i = 0; i < values.size(); ++i) {
      if (random() % (1 + round % 7) == 0) at.push_back(i);
    }
    std::vector<double> got(at.size());
    ByteReader in(bytes);
    ASSERT_TRUE(ReadNxChunkAt(&in, values.size(), at, got.data()));
    for (size_t k = 0; k < at.size(); ++k)
      ASSERT_EQ(BitsOf(got[k]), BitsOf(values[at[k]])) << round << " " << at[k];
    const size_t begin = random() % (values.size() + 1);
    const size_t end = begin + random() % (values.size() + 1 - begin);
    std::vector<double> range(end - begin + 1, 7);  // what is behind stays as it is
    ByteReader again(bytes);
    ASSERT_TRUE(ReadNxChunkRange(&again, values.size(), begin, end, range.data()));
    for (size_t k = begin; k < end; ++k)
      ASSERT_EQ(BitsOf(range[k - begin]), BitsOf(values[k])) << round << " " << begin << " to " << end;
    ASSERT_EQ(range.back(), 7);
  }
}

// Deltas of any width that lie near one another, rising and falling.
TEST(Codecs, SteadyCountersAreExactAndSmall) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 3000; ++round) {
    const size_t n = 2 + random() % 100;
    const int width = static_cast<int>(random() % 40);
    const int64_t step = static_cast<int64_t>(random() >> (63 - width)) * (round % 5 == 0 ? -1 : 1);
    const uint64_t noise = 1 + random() % (uint64_t{1} << random() % 8);
    std::vector<double> values(n);
    int64_t sum = static_cast<int64_t>(random() % 1000);
    for (double& v : values) {
      v = static_cast<double>(sum) / (round % 2 == 0 ? 1 : 1000);
      sum += step + static_cast<int64_t>(random() % noise);
    }
    std::string bytes;
    PutNxChunk(&bytes, values.data(), n);
    std::vector<double> got(n);
    ByteReader in(bytes);
    ASSERT_TRUE(ReadNxChunk(&in, got.data(), n));
    EXPECT_TRUE(in.done());
    std::vector<uint32_t> at;
    for (uint32_t i = 0; i < n; i += 1 + static_cast<uint32_t>(random() % 9)) at.push_back(i);
    std::vector<double> some(at.size()), range(n - n / 3);
    ByteReader in_places(bytes), in_range(bytes);
    ASSERT_TRUE(ReadNxChunkAt(&in_places, n, at, some.data()));
    ASSERT_TRUE(ReadNxChunkRange(&in_range, n, n / 3, n, range.data()));
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(BitsOf(got[i]), BitsOf(values[i])) << round << " " << i;
    for (size_t k = 0; k < at.size(); ++k) ASSERT_EQ(BitsOf(some[k]), BitsOf(values[at[k]]));
    for (size_t k = 0; k < range.size(); ++k) ASSERT_EQ(BitsOf(range[k]), BitsOf(values[n / 3 + k]));
    // Noise below 2^8 is at most nine bits, whatever the step is; each block has 11 bytes of its own at most.
    if (step > 0) {
      EXPECT_LE(bytes.size(), 24 + n * 9 / 8 + (n / 32 + 1) * 12) << round;
    }
  }
}

TEST(Codecs, ValueDeltasAreExactBetweenAnyTwoEdges) {
  const std::vector<double> edges = EdgeValues();
  for (double a : edges) {
    std::string run;
    for (double b : edges) {
      std::string bytes;
      PutValueDelta(&bytes, a, b);
      ByteReader in(bytes);
      ASSERT_EQ(BitsOf(ReadValueDelta(&in, a)), BitsOf(b));
      EXPECT_TRUE(in.done());
    }
    double before = 0;
    for (double b : edges) {
      for (double v : {b, a}) {
        PutValueDelta(&run, before, v);
        before = v;
      }
    }
    ByteReader in(run);
    ValueDeltas deltas;
    for (double b : edges) {
      ASSERT_EQ(BitsOf(deltas.Read(&in)), BitsOf(b));
      ASSERT_EQ(BitsOf(deltas.Read(&in)), BitsOf(a));
    }
    EXPECT_TRUE(in.ok() && in.done());
  }
}

TEST(Codecs, RoundsAreExactWhateverComesAndGoes) {
  std::mt19937_64 random(2);
  for (int run = 0; run < 200; ++run) {
    Round before, round, read;
    for (int row = 0; row < 40; ++row) {
      round.t = row % 7 == 6 ? static_cast<int64_t>(random()) : round.t + 15'000;
      const size_t n = before.values.size() + random() % 3;
      round.values.resize(n, 0);
      round.present.Resize(n);
      round.stale.clear();
      round.tracked_only.clear();
      for (size_t i = 0; i < n; ++i) {
        const uint64_t dice = random() % 6;
        round.present.Set(i, dice > 0);
        round.values[i] = dice == 0 ? 0 : dice == 1 ? round.values[i] : AnyEdge(&random);
        if (dice == 0 && random() % 2 == 0)
          round.stale.push_back(static_cast<uint32_t>(i));
        else if (dice == 0)
          round.tracked_only.push_back(static_cast<uint32_t>(i));
      }
      std::string bytes;
      PutRound(&bytes, round, row == 0 ? nullptr : &before);
      ByteReader in(bytes);
      ASSERT_TRUE(ReadRound(&in, row == 0, &read));
      EXPECT_TRUE(in.done());
      ASSERT_EQ(read.t, round.t);
      ASSERT_EQ(read.stale, round.stale);
      ASSERT_EQ(read.tracked_only, round.tracked_only);
      ASSERT_EQ(read.values.size(), n);
      for (size_t i = 0; i < n; ++i) {
        ASSERT_EQ(read.present.Get(i), round.present.Get(i));
        ASSERT_EQ(BitsOf(read.values[i]), BitsOf(round.values[i])) << run << " " << row << " " << i;
      }
      before = round;
    }
  }
}

TEST(Codecs, TimeColumnsAreExactForAnyTimes) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<int64_t> times(random() % 100);
    int64_t t = static_cast<int64_t>(random());
    for (int64_t& x : times) {
      t = random() % 8 == 0 ? static_cast<int64_t>(random())
                            : WrapAdd(t, 15'000 + static_cast<int64_t>(random() % 3));
      x = random() % 50 == 0 ? INT64_MIN : random() % 50 == 1 ? INT64_MAX : t;
    }
    std::string bytes;
    PutTimeColumn(&bytes, times);
    ByteReader in(bytes);
    std::vector<int64_t> got;
    ASSERT_TRUE(ReadTimeColumn(&in, &got));
    ASSERT_EQ(got, times);
  }
}

TEST(Codecs, EntriesAndHistogramsAreExact) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 400; ++round) {
    const size_t n = 1 + random() % 50;
    SeriesRows rows;
    rows.present = rows.stale = Bits(n);
    const bool histograms = random() % 2 == 0;
    if (histograms)
      rows.histograms.resize(n);
    else
      rows.values.resize(n);
    if (random() % 2 == 0) rows.start_t.resize(n);
    for (size_t i = 0; i < n; ++i) {
      const uint64_t dice = random() % 5;
      if (dice == 0) continue;
      if (dice == 1) {
        rows.stale.Set(i);
        continue;
      }
      rows.present.Set(i);
      if (!rows.start_t.empty()) rows.start_t[i] = static_cast<int64_t>(random());
      if (!histograms) {
        rows.values[i] = AnyEdge(&random);
        continue;
      }
      auto h = std::make_shared<FloatHistogram>();
      h->hint = static_cast<CounterResetHint>(random() % 4);
      h->schema = random() % 3 == 0 ? kCustomBucketsSchema : static_cast<int32_t>(random() % 13) - 4;
      h->zero_threshold = AnyEdge(&random);
      h->zero_count = AnyEdge(&random);
      h->count = AnyEdge(&random);
      h->sum = AnyEdge(&random);
      const uint32_t buckets = random() % 4;
      if (buckets > 0) h->positive_spans = {{static_cast<int32_t>(random()), buckets}};
      for (uint32_t b = 0; b < buckets; ++b) h->positive_buckets.push_back(AnyEdge(&random));
      if (h->schema == kCustomBucketsSchema) h->custom_values = {AnyEdge(&random)};
      rows.histograms[i] = h;
    }
    SeriesRows got;
    ASSERT_TRUE(DecodeEntry(EncodeEntry(rows, n), n, &got)) << round;
    for (size_t i = 0; i < n; ++i) {
      ASSERT_EQ(got.present.Get(i), rows.present.Get(i));
      ASSERT_EQ(got.stale.Get(i), rows.stale.Get(i));
      if (!rows.present.Get(i)) continue;
      if (!rows.start_t.empty()) {
        ASSERT_EQ(got.start_t[i], rows.start_t[i]);
      }
      if (!histograms) {
        ASSERT_EQ(BitsOf(got.values[i]), BitsOf(rows.values[i]));
        continue;
      }
      ASSERT_EQ(CellText(0, got.histograms[i], 0), CellText(0, rows.histograms[i], 0));
      std::string bytes;
      PutHistogram(&bytes, *rows.histograms[i]);
      ByteReader in(bytes);
      const HistogramPtr alone = ReadHistogram(&in);
      ASSERT_TRUE(alone != nullptr && in.done());
      ASSERT_EQ(CellText(0, alone, 0), CellText(0, rows.histograms[i], 0));
    }
  }
}

TEST(Codecs, LooseSamplesAndExemplarsAreExact) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<LooseSample> samples(random() % 20);
    for (LooseSample& s : samples) {
      s.series = static_cast<uint32_t>(random());
      s.sample.t =
          static_cast<int64_t>(random() % 3 == 0 ? random() : 1000 * static_cast<uint64_t>(&s - &samples[0]));
      s.sample.v = AnyEdge(&random);
      if (random() % 3 == 0) s.sample.start_t = static_cast<int64_t>(random());
    }
    Record record;
    ASSERT_TRUE(DecodeRecordPayload(EncodeLooseRecord(samples), &record));
    ASSERT_EQ(record.loose.size(), samples.size());
    for (size_t i = 0; i < samples.size(); ++i) {
      EXPECT_EQ(record.loose[i].series, samples[i].series);
      EXPECT_EQ(record.loose[i].sample.t, samples[i].sample.t);
      EXPECT_EQ(record.loose[i].sample.start_t, samples[i].sample.start_t);
      EXPECT_EQ(BitsOf(record.loose[i].sample.v), BitsOf(samples[i].sample.v));
    }
    SeriesExemplar e;
    e.series = static_cast<uint32_t>(random());
    e.exemplar.t = static_cast<int64_t>(random());
    e.exemplar.value = AnyEdge(&random);
    e.exemplar.has_t = random() % 2 == 0;
    e.exemplar.labels = Labels({{"trace_id", std::to_string(random())}});
    ASSERT_TRUE(DecodeRecordPayload(EncodeExemplarRecord({e}), &record));
    ASSERT_EQ(record.exemplars.size(), 1u);
    EXPECT_EQ(record.exemplars[0].series, e.series);
    EXPECT_EQ(record.exemplars[0].exemplar.t, e.exemplar.t);
    EXPECT_EQ(record.exemplars[0].exemplar.has_t, e.exemplar.has_t);
    EXPECT_EQ(BitsOf(record.exemplars[0].exemplar.value), BitsOf(e.exemplar.value));
    EXPECT_EQ(record.exemplars[0].exemplar.labels, e.exemplar.labels);
  }
}

// Writers and readers know the last value of each series and where it stands.
TEST(Codecs, FloatRunsAreExact) {
  std::mt19937_64 random(17);
  struct Last {
    uint64_t record = 0;
    double v = 0;
  };
  std::map<uint32_t, Last> written, read;
  for (uint64_t sequence = 1; sequence < 300; ++sequence) {
    std::vector<RunFloat> floats;
    uint32_t id = static_cast<uint32_t>(random() % 3);
    int64_t t = static_cast<int64_t>(random() % 3 == 0 ? random() : sequence * 1000);
    for (uint64_t n = random() % 60; n > 0; --n) {
      id = random() % 8 == 0 ? static_cast<uint32_t>(random()) : id + 1;
      if (random() % 10 == 0) t = static_cast<int64_t>(random());
      if (std::any_of(floats.begin(), floats.end(), [&](const RunFloat& f) { return f.series == id; }))
        continue;
      Last& last = written[id];
      RunFloat f{id, t, 0, 0, random() % 3 == 0 ? last.v : AnyEdge(&random)};
      if (last.record != 0 && random() % 4 != 0) {
        f.link = last.record;
        f.before = last.v;
      }
      last = {sequence, f.v};
      floats.push_back(f);
    }
    std::vector<LooseSample> others(random() % 3);
    for (LooseSample& s : others) s.sample.v = AnyEdge(&random);
    Record record;
    const std::string bytes = EncodeFloatsRecord(sequence + random() % 3, floats, others);
    ASSERT_TRUE(DecodeRecordPayload(bytes, &record));
    ASSERT_EQ(record.loose.size(), others.size());
    ASSERT_EQ(record.floats.floats.size(), floats.size());
    FloatRunReader values(record.floats);
    for (size_t i = 0; i < floats.size(); ++i) {
      const RunFloat& f = record.floats.floats[i];
      ASSERT_EQ(f.series, floats[i].series);
      ASSERT_EQ(f.t, floats[i].t);
      ASSERT_EQ(f.link, floats[i].link);
      Last& last = read[f.series];
      if (f.link != 0) {
        ASSERT_EQ(f.link, last.record);
      }
      last = {sequence, values.Next(f.link == 0 ? 0 : last.v)};
      ASSERT_EQ(BitsOf(last.v), BitsOf(floats[i].v));
    }
    ASSERT_TRUE(values.ok());
    // Cut short it is refused, or the values say so.
    const size_t cut = random() % bytes.size();
    if (DecodeRecordPayload(std::string_view(bytes).substr(0, cut), &record)) {
      FloatRunReader less(record.floats);
      for (const RunFloat& f : floats) less.Next(f.before);
      EXPECT_FALSE(less.ok());
    }
  }
}

// What is on disks out there: if one of these changes, FORMAT's version must, too.
TEST(GoldenBytes, EachKindOfRecord) {
  EXPECT_EQ(absl::BytesToHexString(EncodeSegmentHeader({3, 7})),
            "4e584a4c010000000300000000000000070000000000000093327ae600000000");
  EXPECT_EQ(absl::BytesToHexString(EncodeRecord(3, 8, "ab")), "02000000b37e878d08000000000000006162");
  LooseSample loose;
  loose.series = 300;
  loose.sample = {1000, 2.5, nullptr, 400};
  EXPECT_EQ(absl::BytesToHexString(EncodeLooseRecord({loose})), "010102ac02d00faf09c90101");
  LooseSample next_loose = loose, last_loose = loose;
  next_loose.sample = {2000, 2.5, nullptr, 0};
  last_loose.sample = {3000, 3, nullptr, 0};
  EXPECT_EQ(absl::BytesToHexString(EncodeLooseRecord({loose, next_loose, last_loose})),
            "010302ac02d00faf09c90101"
            "0c0101"
            "0c18");
  EXPECT_EQ(
      absl::BytesToHexString(EncodeFloatsRecord(
          22, std::vector<RunFloat>{{7, 1000, 0, 0, 5}, {8, 1000, 0, 0, 6.5}, {9, 1000, 20, 5, 5}}, {})),
      "0416030e03d00f0300020201030028890401");
  Round round;
  round.t = 1000;
  round.values = {1, 0, 2.5};
  round.present = Bits(3);
  round.present.Set(0);
  round.present.Set(2);
  round.stale = {1};
  std::string key, delta;
  PutRound(&key, round, nullptr);
  EXPECT_EQ(absl::BytesToHexString(key), "d00f030200010101000508c90101");
  Round next = round;
  next.t = 2000;
  next.values[0] = 3;
  next.stale.clear();
  next.tracked_only = {1};
  PutRound(&delta, next, &round);
  EXPECT_EQ(absl::BytesToHexString(delta),
            "d00f030000010101"
            "10");
  EXPECT_EQ(absl::BytesToHexString(EncodeRoundRecord(2, 1, delta, {})),
            "02020109"
            "d00f03000001010110"
            "00");
  SeriesExemplar e;
  e.series = 1;
  e.exemplar.t = 5;
  e.exemplar.has_t = true;
  e.exemplar.value = 4;
  e.exemplar.labels = Labels({{"a", "b"}});
  EXPECT_EQ(absl::BytesToHexString(EncodeExemplarRecord({e})), "030101010a200401610162");
  SeriesRows rows;
  rows.present = rows.stale = Bits(3);
  rows.present.Set(0);
  rows.stale.Set(1);
  rows.present.Set(2);
  rows.values = {1, 0, 2};
  const std::string entry = EncodeEntry(rows, 3);
  EXPECT_EQ(absl::BytesToHexString(entry),
            "03050101050201"
            "01");
  EXPECT_EQ(absl::BytesToHexString(EncodeStripe({{10, 20, 30}}, {{5, 0, entry}})),
            "03010403141400010a0008030501010502010140752022");
  EXPECT_EQ(absl::BytesToHexString(EncodeDirectory({{5, 9}, {2}})), "0202020a080104ac3ddc65");
  Manifest manifest;
  manifest.sealed_sequence = 300;
  manifest.last_t = 1000;
  manifest.tracked = Bits(3);
  manifest.tracked.Set(1);
  EXPECT_EQ(absl::BytesToHexString(manifest.Encode()), "ac02d00f0302");
  EXPECT_EQ(absl::BytesToHexString(EncodeIntervals({{1, -1}})), "0100000000000000ffffffffffffffff");
  EXPECT_EQ(absl::BytesToHexString(EncodeStripeKey({0, 1, 2, 3})),
            "800000000000000000000001000000000000000200000003");
  EXPECT_EQ(absl::BytesToHexString(EncodeDayKey({0, 1, 2, 3, 4})),
            "80000000000000000000000100000002000000038000000000000004");
}

}  // namespace
}  // namespace narthex::tsdb
