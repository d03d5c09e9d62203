// Series as they are stored hold the samples that rows hold.
#include <cmath>

#include "tests/tsdb/db_fixture.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {

class StoredRows : public DbTest {
 protected:
  // What the pieces of a row hold between mint and maxt.
  static Points Decode(const StoredRow& stored, const StoredBlock& block, int64_t mint, int64_t maxt) {
    Points out;
    const auto add = [&](int64_t t, double v) {
      if (t >= mint && t <= maxt && !IsStale(v)) out.emplace_back(t, v);
    };
    for (size_t i = 0; i < stored.row.t.size(); ++i) add(stored.row.t[i], stored.row.v[i]);
    for (const StoredPiece& p : stored.pieces) {
      std::vector<double> values(p.t.size());
      if (p.chunk.empty()) {
        EXPECT_EQ(p.v.size(), p.t.size());
        values.assign(p.v.begin(), p.v.end());
      } else {
        ByteReader in(p.chunk);
        EXPECT_TRUE(ReadNxChunk(&in, values.data(), values.size()));
      }
      if (p.stripe != StoredPiece::kNoStripe) {
        const std::string_view stripe = block.stripes[p.stripe].bytes;
        EXPECT_GE(p.chunk.data(), stripe.data());
        EXPECT_LE(p.chunk.data() + p.chunk.size(), stripe.data() + stripe.size());
        EXPECT_GE(block.stripes[p.stripe].max_t, p.t.back());
      }
      for (size_t i = 0; i < values.size(); ++i) add(p.t[i], values[i]);
    }
    return out;
  }

  // Compares all series of a metric; returns how many stripes were among them.
  size_t Compare(const std::string& metric, int64_t mint, int64_t maxt, size_t decoded) {
    auto q = db_->NewQuerier(mint, maxt);
    auto set = *(*q)->Select({Matcher::Equal("__name__", metric)}, mint, maxt, {});
    StoredBlock block;
    std::vector<Points> got;
    EXPECT_TRUE(*set->ReadStored(0, set->size(), {}, &block));
    size_t came_decoded = 0;
    for (const StoredRow& row : block.rows) {
      got.push_back(Decode(row, block, mint, maxt));
      came_decoded += row.decoded ? 1 : 0;
      if (!row.decoded) {
        EXPECT_EQ(row.samples, got.back().size());
      }
    }
    EXPECT_EQ(came_decoded, decoded);
    const size_t stripes = block.stripes.size();
    std::vector<Row> rows;
    EXPECT_TRUE(set->ReadBlock(0, set->size(), &rows).ok());
    for (size_t i = 0; i < rows.size(); ++i) {
      Points want;
      for (size_t k = 0; k < rows[i].t.size(); ++k) {
        if (!IsStale(rows[i].v[k])) want.emplace_back(rows[i].t[k], rows[i].v[k]);
      }
      EXPECT_FALSE(want.empty());
      EXPECT_EQ(got[i], want) << i;
    }
    return stripes;
  }
};

TEST_F(StoredRows, HoldTheSamplesOfHeadHoursAndDays) {
  Open("a");
  for (int hour = 0; hour < 28; ++hour) {
    Rounds(hour * 240, hour * 240 + 240);
    ASSERT_TRUE(db_->Maintain(false).ok());
  }
  Rounds(28 * 240, 28 * 240 + 100);
  EXPECT_GT(Compare("m", kStart, kStart + 40 * 3600'000, 0), 20u);
  EXPECT_GT(Compare("m", kStart + 1000'000, kStart + 9000'000, 0), 1u);
  EXPECT_EQ(Compare("m", kStart + 28 * 3600'000 + 1, kStart + 40 * 3600'000, 0), 0u);
}

TEST_F(StoredRows, ComeDecodedWhereSamplesAreLateOrDeleted) {
  ooo_ = 3600'000;
  Open("a");
  Rounds(0, 480);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(Append({{"__name__", "m"}, {"i", "a"}}, kStart + 7000'007, -1), AppendResult::kOk);
  Compare("m", kStart, kStart + 40 * 3600'000, 1);
  ASSERT_TRUE(db_->DeleteSeries({Matcher::Equal("i", "b")}, kStart + 60'000, kStart + 90'000).ok());
  Compare("m", kStart, kStart + 40 * 3600'000, 2);
}

TEST_F(StoredRows, OfTheSameStripeHaveTheSameName) {
  Open("a");
  Rounds(0, 240);
  ASSERT_TRUE(db_->Maintain(true).ok());
  const auto ids = [&] {
    auto q = db_->NewQuerier(0, INT64_MAX / 2);
    auto set = *(*q)->Select({Matcher::Equal("__name__", "m")}, 0, INT64_MAX / 2, {});
    StoredBlock block;
    EXPECT_TRUE(*set->ReadStored(0, set->size(), {}, &block));
    std::vector<std::pair<uint64_t, uint64_t>> out;
    for (const StoredStripe& s : block.stripes) out.emplace_back(s.id[0], s.id[1]);
    return out;
  };
  const auto first = ids();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(ids(), first);
  Rounds(240, 480);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_NE(ids(), first);
}

// A device that has all stripes: nothing but what must be decoded here is read a second time.
class ResidentRows : public StoredRows {
 protected:
  // What all series of a metric hold; how many stripes came with their bytes, and how many came.
  std::vector<Points> Read(int64_t mint, int64_t maxt, bool resident, size_t* with_bytes, size_t* all) {
    auto q = db_->NewQuerier(mint, maxt);
    auto set = *(*q)->Select({Matcher::Equal("__name__", "m")}, mint, maxt, {});
    StoredBlock block;
    const HasStripe has = [&](const uint64_t id[2], uint64_t) {
      return resident && bytes_.contains({id[0], id[1]});
    };
    EXPECT_TRUE(*set->ReadStored(0, set->size(), has, &block));
    *with_bytes = 0;
    *all = block.stripes.size();
    for (StoredStripe& s : block.stripes) {
      std::string& kept = bytes_[{s.id[0], s.id[1]}];
      if (!s.bytes.empty()) {
        ++*with_bytes;
        kept = std::string(s.bytes);
      }
      EXPECT_EQ(kept.size(), s.size);
      s.bytes = kept;
    }
    std::vector<Points> out;
    for (StoredRow& row : block.rows) {
      for (StoredPiece& p : row.pieces) {
        if (p.stripe == StoredPiece::kNoStripe) continue;
        const std::string_view chunk = block.stripes[p.stripe].bytes.substr(p.offset, p.bytes);
        EXPECT_TRUE(p.chunk.empty() || p.chunk == chunk);
        p.chunk = chunk;
      }
      out.push_back(Decode(row, block, mint, maxt));
    }
    return out;
  }
  // Reads everything twice; how many stripes were read again.
  size_t ReadAgain(int64_t mint, int64_t maxt) {
    size_t with_bytes = 0, all = 0;
    const std::vector<Points> want = Read(mint, maxt, false, &with_bytes, &all);
    EXPECT_EQ(with_bytes, all);
    EXPECT_GT(all, 0u);
    EXPECT_EQ(Read(mint, maxt, true, &with_bytes, &all), want);
    return with_bytes;
  }

  std::map<std::pair<uint64_t, uint64_t>, std::string> bytes_;
};

TEST_F(ResidentRows, AreNotReadAgain) {
  Open("a");
  for (int hour = 0; hour < 28; ++hour) {
    Rounds(hour * 240, hour * 240 + 240);
    ASSERT_TRUE(db_->Maintain(false).ok());
  }
  EXPECT_EQ(ReadAgain(kStart, kStart + 40 * 3600'000), 0u);
  EXPECT_EQ(ReadAgain(kStart + 1000'000, kStart + 9000'000), 0u);
  // What moved on a little asks for windows that are known.
  size_t with_bytes = 0, all = 0;
  Read(kStart + 2000'000, kStart + 8000'000, true, &with_bytes, &all);
  EXPECT_EQ(with_bytes, 0u);
  EXPECT_GT(all, 0u);
}

TEST_F(ResidentRows, OutliveASeal) {
  Open("a");
  Rounds(0, 240);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(ReadAgain(kStart, kStart + 40 * 3600'000), 0u);
  Rounds(240, 480);
  ASSERT_TRUE(db_->Maintain(true).ok());
  size_t with_bytes = 0, all = 0;
  Read(kStart, kStart + 40 * 3600'000, true, &with_bytes, &all);
  EXPECT_GT(with_bytes, 0u);
  EXPECT_LT(with_bytes, all);
}

TEST_F(ResidentRows, AreReadWhereSamplesAreLateOrDeleted) {
  ooo_ = 3600'000;
  Open("a");
  Rounds(0, 480);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(ReadAgain(kStart, kStart + 40 * 3600'000), 0u);
  EXPECT_EQ(Append({{"__name__", "m"}, {"i", "a"}}, kStart + 7000'007, -1), AppendResult::kOk);
  EXPECT_GT(ReadAgain(kStart, kStart + 40 * 3600'000), 0u);
  ASSERT_TRUE(db_->DeleteSeries({Matcher::Equal("i", "b")}, kStart + 60'000, kStart + 90'000).ok());
  EXPECT_GT(ReadAgain(kStart, kStart + 40 * 3600'000), 0u);
  Compare("m", kStart, kStart + 40 * 3600'000, 2);
}

}  // namespace
}  // namespace narthex::tsdb
