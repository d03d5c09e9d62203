// A Prometheus directory into the store and back: counts, samples, interruptions, damage.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/strings.h"
#include "tsdb/blocks/block_reader.h"
#include "tsdb/blocks/block_writer.h"
#include "tsdb/blocks/blocks.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kHour = 3600'000;
constexpr int64_t kStart = 1'700'000'000'000 / (2 * kHour) * (2 * kHour);
using Points = std::map<int64_t, std::string>;  // time -> value as text

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void WriteText(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string WalPart(std::string_view data) {
  std::string out(1, 1);
  out.push_back(static_cast<char>(data.size() >> 8));
  out.push_back(static_cast<char>(data.size()));
  PutBe32(&out, Crc32c(0, data));
  return out + std::string(data);
}

class ImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() /
            StrCat("narthex_import_", ::getpid(), "_",
                   std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "prom");
    Open();
  }
  void TearDown() override {
    db_.reset();
    fs::remove_all(root_);
  }
  void Open() {
    db_.reset();
    Options o;
    o.path = (root_ / "store").string();
    o.background_work = false;
    o.retention_ms = 0;
    o.clock = &clock_;
    o.logger = &logger_;
    o.metrics = &metrics_;
    auto db = Db::Open(o);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
  }
  std::string Prom() const { return (root_ / "prom").string(); }

  // Three series of one target, one of them with gaps and a stale marker; one with times of its own; a
  // histogram.
  std::vector<std::pair<Labels, Samples>> Series(int64_t from, int64_t to) {
    std::vector<std::pair<Labels, Samples>> out;
    for (int i = 0; i < 3; ++i) {
      Samples s;
      for (int64_t t = from; t < to; t += 15'000) {
        if (i == 2 && t / 60'000 % 3 == 0) continue;
        s.t.push_back(t);
        s.v.push_back(i == 2 && t / 60'000 % 3 == 2 ? StaleNan() : std::sin(static_cast<double>(t)) * i);
      }
      out.emplace_back(
          Labels({{"__name__", StrCat("m", i)}, {"instance", "a:1"}, {"job", "x"}, {"path", "/é\n"}}), s);
    }
    Samples own;
    for (int64_t t = from + 17; t < to; t += 7'013) {
      own.t.push_back(t);
      own.v.push_back(static_cast<double>(t));
    }
    out.emplace_back(Labels({{"__name__", "m3"}, {"instance", "a:1"}, {"job", "x"}}), own);
    Samples h;
    for (int64_t t = from; t < to; t += 60'000) {
      auto one = std::make_shared<FloatHistogram>();
      one->schema = 0;
      one->positive_spans = {{0, 1}};
      one->positive_buckets = {static_cast<double>(t - from)};
      one->count = one->positive_buckets[0];
      one->sum = 0.5;
      h.h.push_back({t, one});
    }
    out.emplace_back(Labels({{"__name__", "m4"}}), h);
    return out;
  }

  std::string WriteBlock(int number, int64_t from, int64_t to) {
    const std::string ulid = MakeUlid(1'700'000'000'000 + number, 0, static_cast<uint64_t>(number));
    auto writer = BlockWriter::Create(Prom(), ulid);
    EXPECT_TRUE(writer.ok()) << writer.status();
    const auto series = Series(from, to);
    for (const auto& [labels, samples] : series) (*writer)->AddSymbols(labels);
    for (const auto& [labels, samples] : series) {
      EXPECT_TRUE((*writer)->AddSeries(labels, EncodeChunks(samples)).ok());
      Note(labels, samples);
    }
    EXPECT_TRUE((*writer)->Finish(from, to).ok());
    return ulid;
  }

  void Note(const Labels& labels, const Samples& samples) {
    Points& points = want_[labels.ToString()];
    for (size_t i = 0; i < samples.t.size(); ++i) points[samples.t[i]] = Text(samples.v[i]);
    for (const HistogramPoint& p : samples.h) points[p.t] = p.h->ToString();
  }
  static std::string Text(double v) {
    char text[64];
    std::snprintf(text, sizeof text, "%a", v);
    return IsStale(v) ? "stale" : text;
  }
  std::map<std::string, Points> Stored() const {
    std::map<std::string, Points> out;
    auto querier = db_->NewQuerier(INT64_MIN, INT64_MAX);
    auto set = (*querier)->Select({}, INT64_MIN, INT64_MAX, {});
    std::vector<Row> rows;
    EXPECT_TRUE((*set)->ReadBlock(0, (*set)->size(), &rows).ok());
    for (size_t i = 0; i < rows.size(); ++i) {
      Points& points = out[(*set)->labels(i).ToString()];
      for (size_t k = 0; k < rows[i].t.size(); ++k)
        EXPECT_TRUE(points.emplace(rows[i].t[k], Text(rows[i].v[k])).second) << "twice at " << rows[i].t[k];
      for (const HistogramPoint& p : rows[i].h) EXPECT_TRUE(points.emplace(p.t, p.h->ToString()).second);
    }
    return out;
  }
  absl::StatusOr<std::vector<Moved>> Run(size_t max_samples = 1 << 20) {
    ImportOptions options;
    options.max_samples = max_samples;
    options.warn = [this](const std::string& text) { warnings_.push_back(text); };
    return Import(db_.get(), Prom(), options);
  }
  uint64_t StoredSamples() const {
    uint64_t n = 0;
    const auto blocks = db_->Inspect({});
    for (const BlockInfo& b : *blocks) n += b.samples;
    return n;
  }

  fs::path root_;
  FakeClock clock_{kStart};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_};
  MetricsRegistry metrics_;
  std::unique_ptr<Db> db_;
  std::map<std::string, Points> want_;
  std::vector<std::string> warnings_;
};

TEST_F(ImportTest, EverySampleArrivesAndSurvivesAReopen) {
  WriteBlock(1, kStart - 2 * kHour, kStart);
  WriteBlock(2, kStart, kStart + 2 * kHour);
  const auto moved = Run();
  ASSERT_TRUE(moved.ok()) << moved.status();
  ASSERT_EQ(moved->size(), 2u);
  EXPECT_EQ((*moved)[0].series, 5u);
  EXPECT_EQ(Stored(), want_);
  EXPECT_EQ((*moved)[0].samples + (*moved)[1].samples, StoredSamples());
  Open();
  EXPECT_EQ(Stored(), want_);
  // The series of the target share their times.
  auto querier = db_->NewQuerier(kStart, kStart + kHour);
  auto set = (*querier)->Select({}, kStart, kStart + kHour - 1, {});
  std::vector<Row> rows;
  ASSERT_TRUE((*set)->ReadBlock(0, 2, &rows).ok());
  EXPECT_EQ(rows[0].t.data(), rows[1].t.data());
  EXPECT_EQ(rows[0].t.size(), 240u);
}

TEST_F(ImportTest, ASecondRunImportsNothingTwice) {
  WriteBlock(1, kStart, kStart + 2 * kHour);
  ASSERT_TRUE(Run().ok());
  const uint64_t samples = StoredSamples();
  WriteBlock(2, kStart + 2 * kHour, kStart + 4 * kHour);
  const auto again = Run();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)[0].skipped);
  EXPECT_FALSE((*again)[1].skipped);
  EXPECT_EQ(Stored(), want_);
  EXPECT_EQ(StoredSamples(), 2 * samples);
}

TEST_F(ImportTest, ABlockCompactedFromImportedOnesIsKnown) {
  const std::string a = WriteBlock(1, kStart, kStart + 2 * kHour);
  ASSERT_TRUE(Run().ok());
  const std::string b = WriteBlock(2, kStart, kStart + 2 * kHour);
  std::string meta = ReadText(root_ / "prom" / b / "meta.json");
  const size_t at = meta.rfind(b);
  WriteText(root_ / "prom" / b / "meta.json", meta.replace(at, b.size(), a));
  fs::remove_all(root_ / "prom" / a);
  const auto again = Run();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)[0].skipped);
}

TEST_F(ImportTest, AnInterruptedBlockGoesOnWhereItWas) {
  const std::string ulid = WriteBlock(1, kStart, kStart + 6 * kHour);
  const fs::path chunks = root_ / "prom" / ulid / "chunks" / "000001";
  const std::string good = ReadText(chunks);
  std::string bad = good;
  bad[bad.size() / 6] ^= 1;  // in a later hour of the first series
  WriteText(chunks, bad);
  const absl::Status failed = Run(/*max_samples=*/1000).status();
  EXPECT_TRUE(absl::IsDataLoss(failed)) << failed;
  EXPECT_NE(failed.message().find("chunks/000001: chunk: invalid checksum at offset"), std::string::npos)
      << failed;
  auto notes = db_->ScanState("import/");
  ASSERT_EQ(notes->size(), 1u);
  EXPECT_EQ((*notes)[0].second.substr(0, 3), "at ");
  WriteText(chunks, good);
  Open();
  const auto moved = Run(/*max_samples=*/1000);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(Stored(), want_);
  EXPECT_EQ((*moved)[0].samples, StoredSamples());
}

TEST_F(ImportTest, WrongCountsAreAnError) {
  const std::string ulid = WriteBlock(1, kStart, kStart + 2 * kHour);
  const fs::path path = root_ / "prom" / ulid / "meta.json";
  std::string meta = ReadText(path);
  meta.replace(meta.find("\"numSeries\": 5"), 14, "\"numSeries\": 6");
  WriteText(path, meta);
  EXPECT_NE(Run().status().message().find("meta.json counts 6 series, the index has 5"), std::string::npos);
}

TEST_F(ImportTest, DeletedSamplesAreLeftOut) {
  const std::string ulid = WriteBlock(1, kStart, kStart + 2 * kHour);
  auto block = BlockReader::Open((root_ / "prom" / ulid).string());
  const uint64_t first = (*block)->index().AllSeries()->front();
  std::string body;
  PutUvarint(&body, first);
  PutSignedVarint(&body, kStart);
  PutSignedVarint(&body, kStart + kHour - 1);
  std::string file;
  PutBe32(&file, 0x0130BA30);
  file.push_back(1);
  file += body;
  PutBe32(&file, Crc32c(0, body));
  WriteText(root_ / "prom" / ulid / "tombstones", file);
  const auto moved = Run();
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ((*moved)[0].deleted, 240u);
  Points& points = want_.begin()->second;
  points.erase(points.begin(), points.lower_bound(kStart + kHour));
  EXPECT_EQ(Stored(), want_);
}

// Two series in the log, the second with a chunk that was moved out before; the log ends in a torn record.
TEST_F(ImportTest, TheHeadComesFromLogAndChunks) {
  WriteBlock(1, kStart, kStart + 2 * kHour);
  const int64_t head = kStart + 2 * kHour;
  std::string series(1, 1);
  for (int i = 0; i < 2; ++i) {
    PutBe64(&series, static_cast<uint64_t>(i + 1));
    PutUvarint(&series, 2);
    for (const std::string& text :
         {std::string("__name__"), StrCat("h", i), std::string("job"), std::string("x")})
      PutText(&series, text);
  }
  std::string samples(1, 2);
  PutBe64(&samples, 1);
  PutBe64(&samples, static_cast<uint64_t>(head));
  const auto add = [&](int i, int64_t t, double v) {
    PutSignedVarint(&samples, i);
    PutSignedVarint(&samples, t - head);
    PutBe64(&samples, std::bit_cast<uint64_t>(v));
  };
  Samples a, b, moved_out;
  for (int k = -2; k < 20; ++k) {
    const int64_t t = head + k * 15'000;
    add(0, t, k);  // before the end of the block: the block has it
    if (k >= 5) add(1, t, -k);
    Samples& second = k < 8 ? moved_out : b;
    if (k < 0) continue;
    a.t.push_back(t);
    a.v.push_back(k);
    second.t.push_back(t);
    second.v.push_back(-k);
  }
  // The first series' exemplars; one of a series that the log does not name.
  std::string exemplars(1, 4);
  PutBe64(&exemplars, 1);
  PutBe64(&exemplars, static_cast<uint64_t>(head));
  for (int k = 0; k < 3; ++k) {
    PutSignedVarint(&exemplars, k == 2 ? 98 : 0);
    PutSignedVarint(&exemplars, k * 1000);
    PutBe64(&exemplars, std::bit_cast<uint64_t>(0.5 * k));
    PutUvarint(&exemplars, 1);
    PutText(&exemplars, "trace_id");
    PutText(&exemplars, StrCat("t", k));
  }
  std::string torn = WalPart("torn record");
  torn.resize(torn.size() - 3);
  WriteText(root_ / "prom" / "wal" / "00000003",
            WalPart(series) + WalPart(samples) + WalPart(exemplars) + torn);
  std::string chunk;
  PutBe64(&chunk, 2);
  PutBe64(&chunk, static_cast<uint64_t>(moved_out.t.front()));
  PutBe64(&chunk, static_cast<uint64_t>(moved_out.t.back()));
  const std::string data = EncodeChunks(moved_out)[0].data;
  chunk.push_back(1);
  PutUvarint(&chunk, data.size());
  chunk += data;
  PutBe32(&chunk, Crc32c(0, chunk));
  std::string file;
  PutBe32(&file, 0x0130BC91);
  WriteText(root_ / "prom" / "chunks_head" / "000001", file + std::string("\1\0\0\0", 4) + chunk);
  Note({{"__name__", "h0"}, {"job", "x"}}, a);
  Note({{"__name__", "h1"}, {"job", "x"}}, moved_out);
  Note({{"__name__", "h1"}, {"job", "x"}}, b);
  const auto moved = Run(/*max_samples=*/20);  // several passes over the log
  ASSERT_TRUE(moved.ok()) << moved.status();
  ASSERT_EQ(moved->size(), 2u);
  EXPECT_EQ((*moved)[1].samples, 40u);
  EXPECT_EQ((*moved)[1].exemplars, 2u);
  const auto traced = db_->SelectExemplars({{Matcher::Equal("job", "x")}}, head, head + 10'000);
  ASSERT_TRUE(traced.ok() && traced->size() == 1);
  EXPECT_EQ((*traced)[0].labels.MetricName(), "h0");
  ASSERT_EQ((*traced)[0].exemplars.size(), 2u);
  EXPECT_EQ((*traced)[0].exemplars[1].t, head + 1000);
  EXPECT_EQ((*traced)[0].exemplars[1].value, 0.5);
  EXPECT_EQ((*traced)[0].exemplars[1].labels.Get("trace_id"), "t1");
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_NE(warnings_[0].find("wal/00000003: record part runs past its page"), std::string::npos)
      << warnings_[0];
  EXPECT_EQ(Stored(), want_);
  EXPECT_TRUE((*Run())[1].skipped);
}

TEST_F(ImportTest, ExportedBlocksReadBackTheSame) {
  WriteBlock(1, kStart - 2 * kHour, kStart + kHour);
  ASSERT_TRUE(Run().ok());
  ExportOptions options;
  options.clock = &clock_;
  const std::string target = (root_ / "out").string();
  fs::create_directories(target);
  const auto written = Export(*db_, target, options);
  ASSERT_TRUE(written.ok()) << written.status();
  ASSERT_EQ(written->size(), 2u);
  EXPECT_EQ((*written)[0].mint, kStart - 2 * kHour);
  EXPECT_EQ((*written)[0].maxt, kStart);
  EXPECT_LT((*written)[1].maxt, kStart + kHour);  // Prometheus goes on where the samples end
  std::map<std::string, Points> want;
  want.swap(want_);
  const auto blocks = ListBlocks(target);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  for (const BlockMeta& meta : *blocks) {
    auto block = BlockReader::Open(StrCat(target, "/", meta.ulid));
    ASSERT_TRUE(block.ok()) << block.status();
    const auto all = (*block)->index().AllSeries();
    EXPECT_EQ(all->size(), meta.series);
    for (uint64_t ref : *all) {
      Labels labels;
      std::vector<ChunkMeta> chunks;
      Samples samples;
      uint64_t deleted = 0;
      ASSERT_TRUE((*block)->index().Series(ref, &labels, &chunks).ok());
      ASSERT_TRUE((*block)->Read(ref, chunks, INT64_MIN, INT64_MAX, &samples, &deleted).ok());
      Note(labels, samples);
    }
  }
  EXPECT_EQ(want_, want);
}

TEST_F(ImportTest, ADamagedIndexNamesItsPlace) {
  const std::string ulid = WriteBlock(1, kStart, kStart + 2 * kHour);
  const fs::path path = root_ / "prom" / ulid / "index";
  const std::string good = ReadText(path);
  for (size_t at = 0; at < good.size(); at += 3) {
    std::string bad = good;
    bad[at] ^= 0x41;
    IndexReader::Open(bad, "index").status().IgnoreError();
    WriteText(path, bad);
    auto block = BlockReader::Open((root_ / "prom" / ulid).string());
    if (!block.ok()) {
      EXPECT_NE(block.status().message().find("/index: "), std::string::npos) << block.status();
      continue;
    }
    const auto all = (*block)->index().AllSeries();
    if (!all.ok()) continue;
    for (uint64_t ref : *all) {  // must not crash
      Labels labels;
      std::vector<ChunkMeta> chunks;
      (*block)->index().Series(ref, &labels, &chunks).IgnoreError();
    }
  }
  for (size_t n = 0; n < good.size(); n += 7)
    EXPECT_FALSE(IndexReader::Open(good.substr(0, n), "index").ok());
}

}  // namespace
}  // namespace narthex::tsdb::blocks
