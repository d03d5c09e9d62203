// Clocks that step, names that come and go, restarts.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/tsdb/db_fixture.h"
#include "tests/tsdb/workload.h"

namespace narthex::tsdb {
namespace {

class FaultsTest : public DbTest {
 protected:
  Options WorkOptions(const std::string& name) {
    Options o = MakeOptions(name);
    o.window_ms = 60'000;
    return o;
  }
};

TEST_F(FaultsTest, ClockStepsDeleteNothing) {
  constexpr int64_t kHour = 3600'000;
  retention_ = 2 * 24 * kHour;
  for (const int64_t step :
       {kHour, -kHour, 6 * kHour, -6 * kHour, -1'600'000'000'000, 10 * 365 * 24 * kHour}) {
    const std::string name = "step" + std::to_string(step);
    clock_.StepWall(kStart - clock_.NowMs());
    auto db = Db::Open(MakeOptions(name));
    ASSERT_TRUE(db.ok()) << db.status();
    auto group = *(*db)->OpenGroup({{"job", "x"}});
    const Slot slot = *group->AddSeries({{"__name__", "m"}});
    std::map<int64_t, double> want;
    int lost = 0;
    const auto scrape = [&](int n) {
      for (int i = 0; i < n; ++i) {
        clock_.AdvanceMs(15'000);
        group->Begin(clock_.NowMs());
        const double v = static_cast<double>(want.size());
        if (group->Set(slot, v) == AppendResult::kOk)
          want[clock_.NowMs()] = v;
        else
          ++lost;
        ASSERT_TRUE(group->Commit().ok());
        if (i % 20 == 19) {
          ASSERT_TRUE((*db)->Maintain(false).ok());
        }
      }
    };
    scrape(400);
    clock_.StepWall(step);
    scrape(60);
    clock_.StepWall(-step);
    scrape(60);
    EXPECT_LE(lost, 1) << step;
    const auto check = [&](const Db& store) {
      // What a clock in the seventies stamped is older than the retention time.
      const int64_t oldest = kStart - retention_;
      Content got = ReadContent(store), all;
      for (auto& [labels, cells] : got) cells.erase(cells.begin(), cells.lower_bound(oldest));
      for (const auto& [t, v] : want)
        if (t >= oldest) all["m"][t] = CellText(v, nullptr, 0);
      EXPECT_EQ(Difference(all, got), "") << step;
    };
    check(**db);
    ASSERT_TRUE((*db)->Maintain(true).ok());
    group.reset();
    db->reset();
    db = Db::Open(MakeOptions(name));
    ASSERT_TRUE(db.ok()) << db.status();
    ASSERT_TRUE((*db)->Maintain(true).ok());
    check(**db);
    // Remote write goes on, too.
    auto app = (*db)->NewAppender();
    SeriesRef ref = 0;
    auto r = app->Append(&ref, {{"__name__", "remote"}}, Sample{clock_.NowMs(), 1});
    ASSERT_TRUE(r.ok());
    EXPECT_EQ(*r, AppendResult::kOk) << step;
  }
}

TEST_F(FaultsTest, NamesThatCameAndWentAreForgotten) {
  Options o = WorkOptions("churn");
  o.retention_ms = 3 * 24 * 60'000;  // three days of windows of a minute
  auto db = Db::Open(o);
  ASSERT_TRUE(db.ok()) << db.status();
  auto group = *(*db)->OpenGroup({{"job", "x"}});
  std::map<int, Slot> slots;
  Slot highest = 0;
  for (int i = 0; i < 2500; ++i) {
    clock_.AdvanceMs(5'000);
    group->Begin(clock_.NowMs());
    const int first = i / 10;  // every 10 rounds one of 5 names is another
    for (int n = first; n < first + 5; ++n) {
      if (!slots.contains(n)) {
        slots[n] = *group->AddSeries({{"__name__", "m"}, {"pod", "pod-" + std::to_string(n)}});
      }
      highest = std::max(highest, slots[n]);
      group->Set(slots[n], n);
    }
    if (slots.contains(first - 1)) {
      group->Release(slots[first - 1]);
      slots.erase(first - 1);
    }
    ASSERT_TRUE(group->Commit().ok());
    if (i % 6 == 5) {
      ASSERT_TRUE((*db)->Maintain(false).ok());
    }
  }
  for (int pass = 0; pass < 2; ++pass) ASSERT_TRUE((*db)->Maintain(true).ok());
  // 72 to 97 minutes of history are 90 to 120 names at once, of 254.
  const auto status = *(*db)->GetStatus(10);
  EXPECT_LT(status.head_series, 140u);
  EXPECT_LT(highest, 30u) << "slots are used again";
  const Content before = ReadContent(**db);
  EXPECT_GT(before.size(), 80u);
  for (const auto& [labels, cells] : before) {
    const std::string n = labels.substr(labels.find("pod-") + 4);
    for (const auto& [t, cell] : cells) {
      EXPECT_TRUE(cell == CellText(std::atof(n.c_str()), nullptr, 0) ||
                  cell == CellText(StaleNan(), nullptr, 0))
          << labels << " has another series' value";
    }
  }
  group.reset();
  db->reset();
  db = Db::Open(o);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(Difference(before, ReadContent(**db)), "");
}

TEST_F(FaultsTest, TheLastSampleIsKnownAfterARestart) {
  const Labels l{{"__name__", "s"}};
  auto h = std::make_shared<FloatHistogram>();
  h->count = 3;
  for (const bool seal : {false, true}) {
    const std::string name = seal ? "sealed" : "journal";
    Open(name);
    EXPECT_EQ(Append(l, kStart, 1), AppendResult::kOk);
    EXPECT_EQ(Append(l, kStart + 1000, 2), AppendResult::kOk);
    if (seal) {
      ASSERT_TRUE(db_->Maintain(true).ok());
    }
    Open(name);
    EXPECT_EQ(Append(l, kStart + 1000, 3), AppendResult::kDuplicate) << name;
    EXPECT_EQ(Append(l, kStart + 1000, 2), AppendResult::kOk) << name;
    EXPECT_EQ(Append(l, kStart + 500, 1), AppendResult::kOutOfOrder) << name;
    EXPECT_EQ(Append(l, kStart + 2000, 3), AppendResult::kOk) << name;
  }
}

TEST_F(FaultsTest, ExemplarsSurviveAKillAndASeal) {
  Open("a");
  const auto add = [&](int64_t t) {
    auto group = *db_->OpenGroup({{"job", "x"}});
    const Slot slot = *group->AddSeries({{"__name__", "m"}});
    group->Begin(t);
    group->Set(slot, 1);
    Exemplar e;
    e.labels = Labels({{"trace", std::to_string(t)}});
    e.value = -0.0;
    e.t = t - 5;
    e.has_t = true;
    group->AddExemplar(slot, e);
    ASSERT_TRUE(group->Commit().ok());
  };
  const auto expect = [&](std::vector<int64_t> times) {
    auto got = *db_->SelectExemplars({{Matcher::Equal("__name__", "m")}}, 0, INT64_MAX);
    ASSERT_EQ(got.size(), 1u);
    ASSERT_EQ(got[0].exemplars.size(), times.size());
    for (size_t i = 0; i < times.size(); ++i) {
      EXPECT_EQ(got[0].exemplars[i].t, times[i] - 5);
      EXPECT_EQ(got[0].exemplars[i].labels.Get("trace"), std::to_string(times[i]));
      EXPECT_TRUE(std::signbit(got[0].exemplars[i].value));
    }
  };
  add(kStart);
  Kill();
  expect({kStart});
  ASSERT_TRUE(db_->Maintain(true).ok());
  add(kStart + 1000);
  Kill();
  expect({kStart, kStart + 1000});
  ASSERT_TRUE(db_->Maintain(true).ok());
  Kill();
  expect({kStart, kStart + 1000});
}

TEST_F(FaultsTest, ASnapshotWithoutTheHeadHasWhatIsSealed) {
  Open("a");
  Rounds(0, 300);
  ASSERT_TRUE(db_->Maintain(false).ok());
  const auto sealed = *db_->Snapshot((root_ / "snapshots").string(), true);
  const auto whole = *db_->Snapshot((root_ / "snapshots").string(), false);
  Rounds(300, 310);
  ASSERT_TRUE(db_->Maintain(true).ok());
  Open("snapshots/" + whole);
  ExpectRounds(300);
  Open("snapshots/" + sealed);
  EXPECT_EQ(Select("m")["m{i=\"a\"}"].size(), 240u) << "one hour is over";
  EXPECT_TRUE(fs::is_directory(root_ / "snapshots" / sealed / "store"));
}

uint64_t JournalBytes(const fs::path& directory) {
  uint64_t out = 0;
  for (const auto& f : fs::directory_iterator(directory / "journal")) out += f.file_size();
  return out;
}

TEST_F(FaultsTest, ASnapshotHasTheHeadInTheStoreAndWhatCameSinceInTheJournal) {
  Open("a");
  Rounds(0, 100);
  const std::string folder = (root_ / "snapshots").string();
  const auto first = *db_->Snapshot(folder, false);
  Rounds(100, 110);
  const auto second = *db_->Snapshot(folder, false);  // too soon for another file
  Rounds(110, 200);
  const auto third = *db_->Snapshot(folder, false);
  Rounds(200, 300);
  ASSERT_TRUE(db_->Maintain(true).ok());
  ExpectRounds(300);
  const uint64_t empty = JournalBytes(folder + "/" + first);
  EXPECT_LT(empty, 200u) << "heads of segments only";
  EXPECT_GT(JournalBytes(folder + "/" + second), empty);
  EXPECT_LT(JournalBytes(folder + "/" + second), 2000u) << "ten rounds";
  EXPECT_LE(JournalBytes(folder + "/" + third), empty);
  for (const auto& [name, rounds] : {std::pair(first, 100), {second, 110}, {third, 200}}) {
    Open("snapshots/" + name);
    ExpectRounds(rounds);
  }
}

TEST_F(FaultsTest, ASnapshotTakesRecordsAlongThatAreLargerThanWhatIsCopiedAtOnce) {
  Open("a");
  Rounds(0, 10);
  const std::string folder = (root_ / "snapshots").string();
  ASSERT_TRUE(db_->Snapshot(folder, false).ok());  // the next one takes the journal along
  constexpr int kSeries = 20'000;
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> value;
  std::vector<SeriesRef> refs(kSeries, 0);
  std::map<std::string, Points> want;
  for (int step = 0; step < 2; ++step) {
    Append({{"__name__", "small"}}, kStart + step, step);
    auto app = db_->NewAppender();
    for (int i = 0; i < kSeries; ++i) {
      const Sample sample{kStart + step * 1000, value(random)};
      const Labels labels{{"__name__", "large"}, {"i", std::to_string(i)}};
      ASSERT_TRUE(app->Append(&refs[static_cast<size_t>(i)], labels, sample).ok());
      want[labels.ToString()].emplace_back(sample.t, sample.v);
    }
    ASSERT_TRUE(app->Commit().ok());
  }
  Rounds(10, 20);
  const auto name = *db_->Snapshot(folder, false);
  EXPECT_GT(JournalBytes(folder + "/" + name), 2u * kSeries * 6);
  Open("snapshots/" + name);
  EXPECT_EQ(Select("large"), want);
  EXPECT_EQ(Select("small").at("small"), (Points{{kStart, 0}, {kStart + 1, 1}}));
  ExpectRounds(20);
}

TEST_F(FaultsTest, WhatIsWrittenToASnapshotIsNotTakenForSealed) {
  Open("a");
  Rounds(0, 30);
  ASSERT_TRUE(db_->Maintain(true).ok());
  Rounds(30, 50);
  const std::string folder = (root_ / "snapshots").string();
  for (const bool skip_head : {true, false}) {
    const auto name = *db_->Snapshot(folder, skip_head);
    fs::copy(folder + "/" + name, root_ / (skip_head ? "without" : "with"), fs::copy_options::recursive);
  }
  for (const auto& [name, rounds] : {std::pair("without", 30), {"with", 50}}) {
    Open(name);
    ExpectRounds(rounds);
    Rounds(rounds, rounds + 20);
    Append({{"__name__", "loose"}}, kStart, 1);
    Open(name);
    ExpectRounds(rounds + 20);
    EXPECT_EQ(Select("loose").at("loose"), (Points{{kStart, 1}}));
    ASSERT_TRUE(db_->Maintain(true).ok());
    Open(name);
    ExpectRounds(rounds + 20);
    EXPECT_EQ(Select("loose").at("loose"), (Points{{kStart, 1}}));
  }
}

TEST_F(FaultsTest, SnapshotsAreWholeWhileSamplesCome) {
  Open("a");
  std::atomic<bool> stop{false};
  std::atomic<int> done{0};
  std::thread writer([&] {
    auto group = *db_->OpenGroup({{"job", "y"}});
    const Slot slot = *group->AddSeries({{"__name__", "y"}});
    auto app = db_->NewAppender();
    SeriesRef ref = 0;
    for (int i = 0; !stop; ++i) {
      group->Begin(kStart + i * 1000);
      group->Set(slot, i);
      EXPECT_TRUE(group->Commit().ok());
      EXPECT_TRUE(app->Append(&ref, {{"__name__", "z"}}, Sample{kStart + i * 1000, 1.0 * i}).ok() &&
                  app->Commit().ok());
      done = i + 1;
    }
  });
  std::vector<std::pair<std::string, int>> snapshots;
  for (int k = 0; k < 8; ++k) {
    while (done < (k + 1) * 50) std::this_thread::yield();
    const int before = done;
    clock_.AdvanceMs(k % 2 == 0 ? 600'000 : 0);
    snapshots.emplace_back(*db_->Snapshot((root_ / "snapshots").string(), false), before);
  }
  stop = true;
  writer.join();
  for (const auto& [name, before] : snapshots) {
    Open("snapshots/" + name);
    for (const char* metric : {"y", "z"}) {
      const Points got = Select(metric).at(metric);
      EXPECT_GE(got.size(), static_cast<size_t>(before));
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i], std::pair(kStart + static_cast<int64_t>(i) * 1000, static_cast<double>(i)));
      }
    }
  }
}

}  // namespace
}  // namespace narthex::tsdb
