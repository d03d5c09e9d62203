// Write-ahead log segments and records, head chunks, tombstones, meta.json: bytes made by hand, damage.
#include <gtest/gtest.h>
#include <snappy.h>
#include <zstd.h>

#include <random>

#include "base/strings.h"
#include "tsdb/blocks/block_reader.h"
#include "tsdb/blocks/chunk_files.h"
#include "tsdb/blocks/mapped_file.h"
#include "tsdb/blocks/wal_reader.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr size_t kPage = 32 << 10;

std::string Part(int type, std::string_view data) {
  std::string out(1, static_cast<char>(type));
  out.push_back(static_cast<char>(data.size() >> 8));
  out.push_back(static_cast<char>(data.size()));
  PutBe32(&out, Crc32c(0, data));
  return out + std::string(data);
}

struct Read {
  std::vector<std::string> records;
  absl::Status status;
};
Read ReadAll(std::string_view segment) {
  Read out;
  out.status = VisitWalRecords(segment, "wal/00000001", [&](std::string_view r) {
    out.records.emplace_back(r);
    return absl::OkStatus();
  });
  return out;
}

TEST(WalRecords, PartsPagesAndCompression) {
  std::string segment = Part(1, "one");
  std::string packed;
  const std::string text = "two two two two two two two two two two";
  snappy::Compress(text.data(), text.size(), &packed);
  segment += Part(1 | 8, packed);
  packed.resize(ZSTD_compressBound(text.size()));
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  segment += Part(1 | 16, packed);
  // A record over three pages: first, middle, last; then padding to the end of its page.
  const std::string first(kPage - segment.size() - 7, 'a'), middle(kPage - 7, 'b');
  segment += Part(2, first) + Part(3, middle) + Part(4, "c");
  segment.resize(3 * kPage, '\0');
  segment += Part(1, "last");
  const Read read = ReadAll(segment);
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.records, (std::vector<std::string>{"one", text, text, first + middle + "c", "last"}));
}

TEST(WalRecords, DamageNamesFileAndOffset) {
  const std::string good = Part(1, "one") + Part(1, "two");
  std::string bad = good;
  bad.back() ^= 1;
  EXPECT_EQ(ReadAll(bad).status.message(), "wal/00000001: record part: invalid checksum at offset 10");
  EXPECT_EQ(ReadAll(bad).records, std::vector<std::string>{"one"});
  EXPECT_EQ(ReadAll(good.substr(0, 15)).status.message(),
            "wal/00000001: record part runs past its page or the file at offset 10");
  EXPECT_EQ(ReadAll(Part(2, "x")).status.message(), "wal/00000001: record is cut short at offset 0");
  EXPECT_EQ(ReadAll(Part(4, "x")).status.message(),
            "wal/00000001: unexpected record part of type 4 at offset 0");
  EXPECT_EQ(ReadAll(Part(1 | 8, "\xff\xff")).status.message(),
            "wal/00000001: record does not decompress at offset 0");
}

std::string SeriesRecord() {
  std::string r(1, 1);
  PutBe64(&r, 7);
  PutUvarint(&r, 2);
  for (const char* text : {"__name__", "up", "job", "x"}) PutText(&r, text);
  return r;
}

TEST(WalRecord, SeriesSamplesTombstonesMetadata) {
  WalRecord out;
  ASSERT_TRUE(DecodeWalRecord(SeriesRecord(), &out).ok());
  ASSERT_EQ(out.series.size(), 1u);
  EXPECT_EQ(out.series[0].ref, 7u);
  EXPECT_EQ(out.series[0].labels.ToString(), "up{job=\"x\"}");

  std::string samples(1, 2);
  PutBe64(&samples, 7);
  PutBe64(&samples, 1000);
  for (int i = 0; i < 2; ++i) {
    PutSignedVarint(&samples, -i);
    PutSignedVarint(&samples, i * 15);
    PutBe64(&samples, std::bit_cast<uint64_t>(1.5 + i));
  }
  ASSERT_TRUE(DecodeWalRecord(samples, &out).ok());
  ASSERT_EQ(out.samples.size(), 2u);
  EXPECT_EQ(out.samples[1].ref, 6u);
  EXPECT_EQ(out.samples[1].t, 1015);
  EXPECT_EQ(out.samples[1].v, 2.5);
  EXPECT_TRUE(out.series.empty());

  std::string dead(1, 3);
  PutBe64(&dead, 7);
  PutSignedVarint(&dead, -5);
  PutSignedVarint(&dead, 5);
  ASSERT_TRUE(DecodeWalRecord(dead, &out).ok());
  EXPECT_EQ(out.tombstones[0].mint, -5);
  EXPECT_EQ(out.tombstones[0].maxt, 5);

  std::string metadata(1, 6);
  PutUvarint(&metadata, 7);
  metadata.push_back(1);
  PutUvarint(&metadata, 3);
  for (const char* text : {"UNIT", "s", "NEW", "?", "HELP", "Help."}) PutText(&metadata, text);
  ASSERT_TRUE(DecodeWalRecord(metadata, &out).ok());
  EXPECT_EQ(out.metadata[0].type, "counter");
  EXPECT_EQ(out.metadata[0].unit, "s");
  EXPECT_EQ(out.metadata[0].help, "Help.");
}

TEST(WalRecord, Exemplars) {
  std::string r(1, 4);
  PutBe64(&r, 7);
  PutBe64(&r, 1000);
  for (int i = 0; i < 2; ++i) {
    PutSignedVarint(&r, i);
    PutSignedVarint(&r, -i * 15);
    PutBe64(&r, std::bit_cast<uint64_t>(-0.5 * i));
    PutUvarint(&r, 1);
    for (const char* text : {"trace_id", "abc"}) PutText(&r, text);
  }
  WalRecord out;
  ASSERT_TRUE(DecodeWalRecord(r, &out).ok());
  ASSERT_EQ(out.exemplars.size(), 2u);
  EXPECT_EQ(out.exemplars[0].ref, 7u);
  EXPECT_EQ(out.exemplars[1].ref, 8u);
  EXPECT_EQ(out.exemplars[1].t, 985);
  EXPECT_EQ(out.exemplars[1].v, -0.5);
  EXPECT_EQ(out.exemplars[0].labels.Get("trace_id"), "abc");
  EXPECT_FALSE(DecodeWalRecord(r.substr(0, r.size() - 1), &out).ok());
}

TEST(WalRecord, SamplesWithStartTimestamps) {
  std::string r(1, 11);
  const auto value = [&](double v) { PutBe64(&r, std::bit_cast<uint64_t>(v)); };
  for (int64_t n : {7, 1000, 900}) PutSignedVarint(&r, n);
  value(1);
  for (int64_t n : {1, 5}) PutSignedVarint(&r, n);
  r.push_back(1);  // start as before
  value(2);
  for (int64_t n : {1, 6}) PutSignedVarint(&r, n);
  r.push_back(0);  // none
  value(3);
  for (int64_t n : {1, 7}) PutSignedVarint(&r, n);
  r.push_back(2);
  PutSignedVarint(&r, 11);
  value(4);
  WalRecord out;
  ASSERT_TRUE(DecodeWalRecord(r, &out).ok());
  ASSERT_EQ(out.samples.size(), 4u);
  const int64_t starts[] = {900, 900, 0, 911};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(out.samples[i].ref, 7 + i);
    EXPECT_EQ(out.samples[i].t, i == 0 ? 1000 : 1004 + static_cast<int64_t>(i));
    EXPECT_EQ(out.samples[i].start_t, starts[i]) << i;
  }
}

std::string HistogramRecord(bool floats, bool custom) {
  std::string r(1, static_cast<char>(floats ? (custom ? 10 : 8) : (custom ? 9 : 7)));
  const auto number = [&](double v) {
    floats ? PutBe64(&r, std::bit_cast<uint64_t>(v)) : PutUvarint(&r, static_cast<uint64_t>(v));
  };
  const auto bucket = [&](double v, double previous) {
    floats ? PutBe64(&r, std::bit_cast<uint64_t>(v))
           : PutSignedVarint(&r, static_cast<int64_t>(v - previous));
  };
  PutBe64(&r, 7);
  PutBe64(&r, 1000);
  PutSignedVarint(&r, 0);
  PutSignedVarint(&r, 0);
  r.push_back(3);
  PutSignedVarint(&r, custom ? -53 : 2);
  PutBe64(&r, std::bit_cast<uint64_t>(0.001));
  number(1);
  number(6);
  PutBe64(&r, std::bit_cast<uint64_t>(2.5));
  PutUvarint(&r, 1);
  PutSignedVarint(&r, -1);
  PutUvarint(&r, 2);
  PutUvarint(&r, 0);
  PutUvarint(&r, 2);
  bucket(4, 0);
  bucket(1, 4);
  PutUvarint(&r, 0);
  if (custom) {
    PutUvarint(&r, 1);
    PutBe64(&r, std::bit_cast<uint64_t>(0.25));
  }
  return r;
}

TEST(WalRecord, HistogramsOfAllKinds) {
  for (bool floats : {false, true}) {
    for (bool custom : {false, true}) {
      WalRecord out;
      ASSERT_TRUE(DecodeWalRecord(HistogramRecord(floats, custom), &out).ok());
      ASSERT_EQ(out.samples.size(), 1u);
      const FloatHistogram& h = *out.samples[0].h;
      EXPECT_EQ(h.hint, CounterResetHint::kGauge);
      EXPECT_EQ(h.count, 6);
      EXPECT_EQ(h.positive_buckets, (std::vector<double>{4, 1}));
      EXPECT_EQ(h.positive_spans, (std::vector<HistogramSpan>{{-1, 2}}));
      EXPECT_EQ(h.custom_values.size(), custom ? 1u : 0u);
    }
  }
}

TEST(WalRecord, DamageIsAnError) {
  std::mt19937_64 random(3);
  for (const std::string& r : {SeriesRecord(), HistogramRecord(false, true), HistogramRecord(true, false)}) {
    WalRecord out;
    EXPECT_FALSE(DecodeWalRecord(r.substr(0, r.size() - 1), &out).ok());
    for (int i = 0; i < 500; ++i) {  // must end
      std::string bad = r;
      bad[random() % bad.size()] = static_cast<char>(random());
      DecodeWalRecord(bad, &out).IgnoreError();
    }
  }
  WalRecord out;
  EXPECT_EQ(DecodeWalRecord(SeriesRecord().substr(0, 12), &out).message(), "malformed record of type 1");
  EXPECT_TRUE(DecodeWalRecord("\x7f unknown", &out).ok());
}

TEST(HeadChunks, ReadUpToTheTailOfZeros) {
  std::string file;
  PutBe32(&file, 0x0130BC91);
  file += std::string("\1\0\0\0", 4);
  std::string body;
  PutBe64(&body, 7);
  PutBe64(&body, 1000);
  PutBe64(&body, 2000);
  body.push_back(static_cast<char>(0x81));  // XOR, out of order
  PutUvarint(&body, 3);
  body += "abc";
  PutBe32(&body, Crc32c(0, body));
  file += body + std::string(100, '\0');
  std::vector<HeadChunk> got;
  const auto visit = [&](const HeadChunk& c) { got.push_back(c); };
  const absl::Status s = VisitHeadChunks(file, "chunks_head/000001", visit);
  EXPECT_TRUE(s.ok()) << s;
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].series, 7u);
  EXPECT_EQ(got[0].maxt, 2000);
  EXPECT_TRUE(got[0].out_of_order);
  EXPECT_EQ(got[0].chunk.encoding, 1);
  EXPECT_EQ(got[0].chunk.data, "abc");
  file[40] ^= 1;
  EXPECT_EQ(VisitHeadChunks(file, "chunks_head/000001", visit).message(),
            "chunks_head/000001: chunk: invalid checksum at offset 8");
  EXPECT_TRUE(VisitHeadChunks("", "empty", visit).ok());
}

TEST(Tombstones, ReadAndChecked) {
  std::string body;
  PutUvarint(&body, 5);
  PutSignedVarint(&body, -10);
  PutSignedVarint(&body, 20);
  std::string file;
  PutBe32(&file, 0x0130BA30);
  file.push_back(1);
  file += body;
  PutBe32(&file, Crc32c(0, body));
  absl::StatusOr<TombstoneMap> map = ParseTombstones(file, "tombstones");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*map)[5], (Intervals{{-10, 20}}));
  file[6] ^= 1;
  EXPECT_EQ(ParseTombstones(file, "tombstones").status().message(),
            "tombstones: invalid checksum at offset 8");
}

TEST(BlockMeta, WrittenAndRead) {
  BlockMeta meta;
  meta.ulid = MakeUlid(1'700'000'000'000, 0x1234, 0x5678);
  EXPECT_TRUE(IsUlid(meta.ulid)) << meta.ulid;
  EXPECT_EQ(meta.ulid, "01HF7YAT0028T0000000000NKR");
  meta.mint = 7200'000;
  meta.maxt = 2 * 7200'000;
  meta.samples = 5;
  meta.series = 2;
  meta.chunks = 3;
  meta.sources = {meta.ulid};
  absl::StatusOr<BlockMeta> got = ParseBlockMeta(FormatBlockMeta(meta), "meta.json");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->ulid, meta.ulid);
  EXPECT_EQ(got->mint, meta.mint);
  EXPECT_EQ(got->samples, 5u);
  EXPECT_EQ(got->sources, meta.sources);
  EXPECT_FALSE(got->out_of_order);
  EXPECT_EQ(ParseBlockMeta("{\"version\": 2}", "meta.json").status().message(),
            "meta.json: unexpected meta file version 2");
  EXPECT_FALSE(ParseBlockMeta("[", "meta.json").ok());
}

}  // namespace
}  // namespace narthex::tsdb::blocks
