// Rows of the index with many series or slots: bytes, damage, and the index that is loaded from them.
#include "tsdb/format/index_rows.h"

#include <algorithm>
#include <map>
#include <random>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "model/labels.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/crc.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {
namespace {

std::string Resealed(std::string body) {
  PutFixed32(&body, Crc32c(0, body));
  return body;
}

std::string RowOf(const SeriesIndex& index, const std::vector<SeriesId>& ids) {
  return EncodeSeriesRow(index.RowOf(ids));
}

std::string SmallRow() {
  SeriesIndex index;
  index.Add(7, Labels({{"__name__", "up"}, {"job", "a"}}));
  index.Add(8, Labels({{"__name__", "up"}, {"job", "b"}}));
  index.Add(20, Labels({{"__name__", "x"}}));
  return RowOf(index, {7, 8, 20});
}

// What is on disks out there: if one of these changes, FORMAT's version must, too.
TEST(IndexRows, GoldenBytes) {
  EXPECT_EQ(absl::BytesToHexString(SmallRow()),
            "01"
            "04"
            "085f5f6e616d655f5f"
            "027570"
            "085f5f6e616d655f5f"
            "0178"
            "036a6f62"
            "0161"
            "036a6f62"
            "0162"
            "03"
            "02"
            "0702"
            "0b01"
            "00020001"
            "010102"
            "000101"
            "d8f3e368");
  std::vector<SlotRun> runs;
  for (uint32_t slot : {0, 1, 2, 9, 10}) AddSlotTo(&runs, slot, 100 + slot);
  AddSlotTo(&runs, 11, 5);
  EXPECT_EQ(runs, (std::vector<SlotRun>{{0, 100, 3}, {9, 109, 2}, {11, 5, 1}}));
  EXPECT_EQ(absl::BytesToHexString(EncodeSlotRow(runs.data(), runs.size())),
            "0103"
            "00c80103"
            "060c02"
            "00d30101"
            "2eb89b11");
}

TEST(IndexRows, NoFlippedBitAndNoEndTooSoonGoesUnnoticed) {
  std::vector<SlotRun> runs = {{0, 100, 3}, {9, 109, 2}};
  const std::string series = SmallRow(), slots = EncodeSlotRow(runs.data(), runs.size());
  SeriesRow row;
  ASSERT_TRUE(DecodeSeriesRow(series, &row));
  ASSERT_TRUE(DecodeSlotRow(slots, &runs));
  for (const std::string& whole : {series, slots}) {
    for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string bad = whole;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(DecodeSeriesRow(bad, &row) || DecodeSlotRow(bad, &runs)) << bit;
    }
    for (size_t n = 0; n < whole.size(); ++n) {
      EXPECT_FALSE(DecodeSeriesRow(whole.substr(0, n), &row) || DecodeSlotRow(whole.substr(0, n), &runs));
    }
  }
}

TEST(IndexRows, RefuseAnotherVersion) {
  for (const char version : {0, 2}) {
    std::string series = SmallRow();
    series.resize(series.size() - 4);
    series[0] = version;
    SeriesRow row;
    EXPECT_FALSE(DecodeSeriesRow(Resealed(series), &row));
  }
}

// With a checksum that is right, but nothing that a writer writes.
TEST(IndexRows, RefuseWhatNoSeriesIs) {
  const std::string a = std::string("\x01") + "a" + "\x01" + "1",
                    a2 = std::string("\x01") + "a" + "\x01" + "2",
                    b = std::string("\x01") + "b" + "\x01" + "1";
  const auto decodes = [](const std::string& pairs, const std::string& rest) {
    SeriesRow row;
    return DecodeSeriesRow(Resealed("\x01" + pairs + rest), &row);
  };
  const std::string one("\x01\x01\x05\x01", 4);  // series 5
  EXPECT_TRUE(decodes("\x03" + a + a2 + b, one + std::string("\0\x02\0\x01", 4)));
  EXPECT_FALSE(decodes("\x03" + a + a2 + b, one + std::string("\0\x02\0\0", 4))) << "two values of a label";
  EXPECT_FALSE(decodes("\x03" + a + a2 + b, one + std::string("\0\x01\x03", 3))) << "no such pair";
  EXPECT_FALSE(decodes("\x03" + a + a2 + b, one + std::string("\x01\x01\0", 3))) << "shares with nobody";
  EXPECT_FALSE(decodes("\x02" + b + a, one + std::string("\0\x01\0", 3))) << "pairs out of order";
  EXPECT_FALSE(decodes("\x02" + a + a, one + std::string("\0\x01\0", 3))) << "a pair twice";
  EXPECT_FALSE(decodes("\x01" + a, std::string("\x01\x01\0\x01", 4) + std::string("\0\x01\0", 3)))
      << "series 0";
  EXPECT_FALSE(decodes("\x01" + a, one + std::string("\0\x01\0\0", 4))) << "something behind it";
  EXPECT_FALSE(decodes("\x01" + a, std::string("\x01\x01\x05\x02", 4) + std::string("\0\x01\0", 3)))
      << "more ids than series";
}

Labels RandomLabels(std::mt19937* random) {
  LabelsBuilder labels;
  for (const char* name : {"__name__", "a", "b", "instance", "z"}) {
    if ((*random)() % 4 != 0) labels.Set(name, std::to_string((*random)() % 20));
  }
  return labels.Build();
}

// Loaded from rows in any order, it is the index that was filled one by one.
TEST(IndexRows, LoadTheIndexThatTheyWereMadeOf) {
  std::mt19937 random(5);
  SeriesIndex whole;
  std::vector<SeriesId> ids;
  for (SeriesId id = 1; id < 3000; ++id) {
    if (random() % 5 == 0) continue;
    const Labels labels = RandomLabels(&random);
    if (labels.empty() || whole.Find(labels) != 0) continue;
    whole.Add(id, labels);
    ids.push_back(id);
  }
  // Series go in runs and one by one to one of ten rows.
  std::vector<std::vector<SeriesId>> parts(10);
  for (size_t i = 0; i < ids.size(); ++i) parts[i < 1000 ? i / 250 : random() % 10].push_back(ids[i]);
  std::shuffle(parts.begin(), parts.end(), random);
  SeriesIndex loaded;
  SeriesRow row;
  std::string bytes;
  for (const std::vector<SeriesId>& part : parts) {
    bytes = RowOf(whole, part);
    ASSERT_TRUE(DecodeSeriesRow(bytes, &row));
    ASSERT_EQ(row.ids, part);
    loaded.Load(row);
  }
  loaded.Load(row);  // a series is there once, whatever the rows say
  loaded.FinishLoad();
  ASSERT_EQ(loaded.series_count(), ids.size());
  EXPECT_EQ(loaded.text_bytes(), whole.text_bytes());
  for (SeriesId id : ids) {
    EXPECT_EQ(loaded.LabelsOf(id), whole.LabelsOf(id));
    EXPECT_EQ(loaded.Find(whole.LabelsOf(id)), id);
  }
  for (const char* name : {"__name__", "a", "b", "instance", "z"}) {
    for (int value = 0; value < 20; ++value) {
      const Matchers matchers = {*Matcher::Create(MatchOp::kEqual, name, std::to_string(value))};
      EXPECT_EQ(loaded.Select(matchers), whole.Select(matchers)) << name << value;
    }
  }
  EXPECT_EQ(*loaded.RanksByLabels(), *whole.RanksByLabels());
  const size_t filled = whole.MemoryBytes();
  EXPECT_LT(loaded.MemoryBytes(), filled + filled / 4);
  // It goes on as any other.
  loaded.Remove(std::vector<SeriesId>(ids.begin(), ids.begin() + 1500));
  whole.Remove(std::vector<SeriesId>(ids.begin(), ids.begin() + 1500));
  const Matchers some = {*Matcher::Create(MatchOp::kEqual, "a", "3")};
  EXPECT_EQ(loaded.Select(some), whole.Select(some));
  EXPECT_EQ(loaded.Find(whole.LabelsOf(ids[1600])), ids[1600]);
}

// A file with changes may be lost: what it deleted is there again, and an id names two series.
TEST(IndexRows, TheLastRowOfASeriesCounts) {
  SeriesIndex before, after, loaded;
  for (SeriesId id = 1; id <= 3; ++id)
    before.Add(id, Labels({{"__name__", "old"}, {"i", std::to_string(id)}}));
  after.Add(2, Labels({{"__name__", "new"}}));
  SeriesRow row;
  for (const std::string& bytes : {RowOf(before, {1, 2, 3}), RowOf(after, {2})}) {
    ASSERT_TRUE(DecodeSeriesRow(bytes, &row));
    loaded.Load(row);
  }
  loaded.FinishLoad();
  EXPECT_EQ(loaded.series_count(), 3u);
  EXPECT_EQ(loaded.LabelsOf(2), Labels({{"__name__", "new"}}));
  EXPECT_EQ(loaded.Find(Labels({{"__name__", "new"}})), 2u);
  EXPECT_EQ(loaded.Find(Labels({{"__name__", "old"}, {"i", "2"}})), 0u);
  EXPECT_EQ(loaded.Select({*Matcher::Create(MatchOp::kEqual, "__name__", "old")}),
            (std::vector<SeriesId>{1, 3}));
}

}  // namespace
}  // namespace narthex::tsdb
