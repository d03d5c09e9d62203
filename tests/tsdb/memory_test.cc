// The memory limit: what the store says it holds is what it holds, and it stays below the limit by shrinking
// caches, sealing early and refusing new series, in this order.
#include <malloc.h>

#include <cstdlib>

#include "tests/tsdb/db_fixture.h"
#include "tests/tsdb/power_cut.h"
#include "tests/tsdb/workload.h"

namespace narthex::tsdb {
namespace {

constexpr int64_t kMiB = 1 << 20;

// What the allocator has given out; 0 where a sanitizer is in its place.
int64_t HeapInUse() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

class MemoryTest : public DbTest {
 protected:
  void OpenLimited(int64_t limit, FileHooks* hooks = nullptr) {
    Options o = MakeOptions("a");
    o.memory_limit_bytes = limit;
    o.file_hooks = hooks;
    auto db = Db::Open(o);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
  }
  double Metric(const std::string& name) {
    const std::string text = "\n" + metrics_.Expose();
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::atof(text.c_str() + at + name.size() + 2);
  }
  double Part(const std::string& part) {
    return Metric("narthex_storage_memory_bytes{part=\"" + part + "\"}");
  }
  int64_t Used() {
    double sum = 0;
    for (const char* part : {"index", "head", "exemplars", "windows", "write_buffers", "caches"})
      sum += Part(part);
    return static_cast<int64_t>(sum);
  }
  static Labels Name(int i) {
    return Labels({{"__name__", "flood"},
                   {"instance", "box-" + std::to_string(i % 7)},
                   {"job", "node"},
                   {"pod", "pod-with-a-long-name-" + std::to_string(i)}});
  }
};

TEST_F(MemoryTest, AFloodOfSeriesStopsAtTheLimitAndKnownSeriesGoOn) {
  constexpr int64_t kLimit = 24 * kMiB;
  std::vector<Slot> slots;
  slots.reserve(300'000);  // not the store's
  const int64_t before = HeapInUse();
  OpenLimited(kLimit);
  auto group = *db_->OpenGroup({{"job", "node"}});
  absl::Status refused;
  int64_t most = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 5000 && refused.ok(); ++i) {
      auto slot = group->AddSeries(Name(static_cast<int>(slots.size())));
      refused = slot.status();
      if (slot.ok()) slots.push_back(*slot);
    }
    clock_.AdvanceMs(15'000);
    group->Begin(clock_.NowMs());
    for (size_t i = 0; i < slots.size(); ++i)
      ASSERT_EQ(group->Set(slots[i], round * 7.25 + static_cast<double>(i)), AppendResult::kOk);
    ASSERT_TRUE(group->Commit().ok());
    ASSERT_TRUE(db_->Maintain(false).ok());
    most = std::max(most, HeapInUse() - before);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_NE(std::string(refused.message()).find("its limit is 25165824 (--storage.max-memory)"),
            std::string::npos)
      << refused;
  EXPECT_GE(Metric("narthex_storage_series_refused_total"), 1);
  EXPECT_EQ(Metric("narthex_storage_memory_limit_bytes"), kLimit);
  EXPECT_GT(slots.size(), 20'000u);
  EXPECT_LE(Used(), kLimit + kLimit / 20);
  EXPECT_GT(Used(), kLimit / 2) << "refused too early";
  if (before > 0) {
    std::printf("series %zu, accounted %.2f MiB, heap %.2f MiB at the most, %.2f now\n", slots.size(),
                static_cast<double>(Used()) / kMiB, static_cast<double>(most) / kMiB,
                static_cast<double>(HeapInUse() - before) / kMiB);
    EXPECT_NEAR(static_cast<double>(HeapInUse() - before), static_cast<double>(Used()), kLimit / 20.0);
  }
  // All rounds of the first series, sealed early or not.
  auto q = *db_->NewQuerier(0, INT64_MAX / 2);
  auto set = *q->Select({Matcher::Equal("pod", "pod-with-a-long-name-0")}, 0, INT64_MAX / 2, {});
  std::vector<Row> rows;
  ASSERT_EQ(set->size(), 1u);
  ASSERT_TRUE(set->ReadBlock(0, 1, &rows).ok());
  ASSERT_EQ(rows[0].v.size(), 60u);
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(rows[0].v[i], static_cast<double>(i) * 7.25);
  // A series that is known already needs no room, wherever it comes from.
  EXPECT_EQ(Append(Name(3), clock_.NowMs() + 1, 1), AppendResult::kOk);
  // The other writer is refused, too.
  auto appender = db_->NewAppender();
  absl::Status other;
  for (int i = 0; i < 20'000 && other.ok(); ++i) {
    SeriesRef ref = 0;
    other =
        appender->Append(&ref, {{"__name__", "more"}, {"i", std::to_string(i)}}, Sample{clock_.NowMs(), 1})
            .status();
  }
  EXPECT_TRUE(absl::IsResourceExhausted(other)) << other;
}

TEST_F(MemoryTest, WindowsAreSealedEarlyBeforeTheLimit) {
  constexpr int64_t kLimit = 8 * kMiB;
  OpenLimited(kLimit);
  std::mt19937_64 random(1);
  std::map<int64_t, double> want;
  auto group = *db_->OpenGroup({{"job", "noise"}});
  std::vector<Slot> slots;
  for (int i = 0; i < 2000; ++i)
    slots.push_back(*group->AddSeries({{"__name__", "noise"}, {"i", std::to_string(i)}}));
  // All within one window: nothing is due.
  for (int round = 0; round < 600; ++round) {
    clock_.AdvanceMs(5'000);
    group->Begin(clock_.NowMs());
    for (Slot slot : slots) {
      const double v = static_cast<double>(random()) / 3;
      if (slot == slots[0]) want[clock_.NowMs()] = v;
      ASSERT_EQ(group->Set(slot, v), AppendResult::kOk);
    }
    ASSERT_TRUE(group->Commit().ok());
    if (round % 2 == 1) {
      ASSERT_TRUE(db_->Maintain(false).ok());
      ASSERT_LE(Used(), kLimit + kLimit / 20) << "round " << round;
    }
  }
  EXPECT_GE(Metric("narthex_storage_early_seals_total"), 1);
  EXPECT_EQ(Metric("narthex_storage_series_refused_total"), 0);
  const auto got = Select("noise")["noise{i=\"0\"}"];
  EXPECT_EQ(Points(want.begin(), want.end()), got);
}

TEST_F(MemoryTest, CachesShrinkFirst) {
  OpenLimited(16 * kMiB);
  const auto write = [&](int from, int to) {
    auto group = *db_->OpenGroup({{"job", "x"}});
    std::mt19937_64 random(static_cast<uint64_t>(from));
    std::vector<Slot> slots;
    for (int i = 0; i < 500; ++i)
      slots.push_back(*group->AddSeries({{"__name__", "m"}, {"i", std::to_string(i)}}));
    for (int round = from; round < to; ++round) {
      clock_.AdvanceMs(15'000);
      group->Begin(clock_.NowMs());
      for (Slot slot : slots) group->Set(slot, static_cast<double>(random()));
      ASSERT_TRUE(group->Commit().ok());
    }
    ASSERT_TRUE(db_->Maintain(true).ok());
  };
  write(0, 1000);
  ASSERT_EQ(Select("m").size(), 500u);
  ASSERT_TRUE(db_->Maintain(false).ok());
  const double filled = Part("caches");
  EXPECT_GT(filled, 2.0 * kMiB);
  auto group = *db_->OpenGroup({{"job", "flood"}});
  const double refused = Metric("narthex_storage_series_refused_total");
  for (int i = 0; Part("caches") > filled / 2 && i < 200'000; ++i) {
    if (!group->AddSeries(Name(i)).ok()) break;
  }
  EXPECT_LE(Part("caches"), filled / 2);
  EXPECT_EQ(Metric("narthex_storage_series_refused_total"), refused)
      << "series were refused before caches shrank";
}

TEST_F(MemoryTest, ADiskThatTakesNothingDoesNotFillTheMemory) {
  constexpr int64_t kLimit = 12 * kMiB;
  PowerCut disk;
  OpenLimited(kLimit, &disk);
  auto group = *db_->OpenGroup({{"job", "noise"}});
  std::vector<Slot> slots;
  for (int i = 0; i < 1000; ++i)
    slots.push_back(*group->AddSeries({{"__name__", "noise"}, {"i", std::to_string(i)}}));
  std::map<int64_t, double> want;
  std::mt19937_64 random(1);
  int refused = 0;
  const auto round = [&] {
    clock_.AdvanceMs(5'000);
    group->Begin(clock_.NowMs());
    const double first = static_cast<double>(random());
    for (Slot slot : slots) group->Set(slot, slot == slots[0] ? first : static_cast<double>(random()));
    const absl::Status s = group->Commit().status();
    if (s.ok()) want[clock_.NowMs()] = first;
    EXPECT_TRUE(s.ok() || absl::IsResourceExhausted(s)) << s;
    refused += s.ok() ? 0 : 1;
    if (want.size() % 8 == 0 || !s.ok()) (void)db_->Maintain(false);
  };
  disk.SetSpace(0);
  for (int i = 0; i < 2000 && refused < 20; ++i) round();
  EXPECT_GT(refused, 0);
  EXPECT_EQ(Metric("narthex_storage_commits_refused_total"), refused);
  EXPECT_LE(Used(), kLimit + kLimit / 20);
  disk.SetSpace(INT64_MAX);
  ASSERT_TRUE(db_->Maintain(false).ok());
  const int before = refused;
  for (int i = 0; i < 50; ++i) round();
  EXPECT_EQ(refused, before) << "it goes on by itself";
  auto got = Select("noise")["noise{i=\"0\"}"];
  std::erase_if(got, [](const auto& point) { return IsStale(point.second); });
  EXPECT_EQ(Points(want.begin(), want.end()), got);
  group.reset();
  db_.reset();  // before its disk
}

}  // namespace
}  // namespace narthex::tsdb
