// Power cuts, full disks and disks that fail to sync, under journal and RocksDB alike.
#include "tests/tsdb/power_cut.h"

#include "tests/tsdb/db_fixture.h"
#include "tests/tsdb/workload.h"

namespace narthex::tsdb {
namespace {

class PowerCutTest : public DbTest {
 protected:
  Options WorkOptions(const std::string& name, FileHooks* hooks, int64_t sync_ms) {
    Options o = MakeOptions(name);
    o.window_ms = 60'000;
    o.file_hooks = hooks;
    o.sync_interval_ms = sync_ms;
    return o;
  }
  // Every sample of `got` is in `all`, and every one of `sure` is in `got`.
  static std::string Check(const Content& sure, const Content& all, const Content& got) {
    for (const auto& [labels, cells] : got) {
      const auto it = all.find(labels);
      for (const auto& [t, cell] : cells) {
        if (it == all.end() || !it->second.contains(t) || it->second.at(t) != cell) {
          return labels + " at " + std::to_string(t) + " was never written like that: " + cell;
        }
      }
    }
    for (const auto& [labels, cells] : sure) {
      const auto it = got.find(labels);
      for (const auto& [t, cell] : cells) {
        if (it == got.end() || !it->second.contains(t))
          return labels + " at " + std::to_string(t) + " is lost";
      }
    }
    return "";
  }
  // Works with a disk that loses power now and then and goes on with what is left. Deletions and cleaning are
  // left out: they would make the order of losses matter.
  void RunCuts(int64_t sync_ms, int rounds, int steps);
};

void PowerCutTest::RunCuts(int64_t sync_ms, int rounds, int steps) {
  std::mt19937_64 random(17);
  for (int round = 0; round < rounds; ++round) {
    const Workload work(100 + static_cast<uint64_t>(round), kStart);
    PowerCut disk;
    const std::string name = "p" + std::to_string(round);
    auto db = Db::Open(WorkOptions(name, &disk, sync_ms));
    ASSERT_TRUE(db.ok()) << db.status();
    auto driver = std::make_unique<Driver>(db->get(), &clock_);
    Model all, sure;
    const int cut = 1 + static_cast<int>(random() % static_cast<uint64_t>(steps));
    for (int i = 0; i < cut; ++i) {
      const Step s = work.At(i);
      if (s.kind == Step::kDelete || s.kind == Step::kClean) continue;
      ASSERT_TRUE(driver->Do(s).ok()) << i;
      all.Apply(s);
      if (sync_ms == 0) sure.Apply(s);
    }
    for (uint64_t image = 0; image < 3; ++image) {
      const std::string copy = name + "image" + std::to_string(image);
      disk.Image(root_ / name, root_ / copy, image * 1000 + static_cast<uint64_t>(round));
      auto after = Db::Open(WorkOptions(copy, nullptr, sync_ms));
      ASSERT_TRUE(after.ok()) << after.status() << " round " << round;
      const Content got = ReadContent(**after);
      ASSERT_EQ(Check(sure.content(), all.content(), got), "") << "round " << round << " image " << image;
      // It goes on from there, and nothing that is written now ends up under a name from before.
      Model later, both = all;
      {
        Driver more(after->get(), &clock_);
        for (int i = cut; i < cut + 20; ++i) {
          const Step s = work.At(i);
          if (s.kind != Step::kRound && s.kind != Step::kLoose) continue;
          ASSERT_TRUE(more.Do(s).ok());
          both.Apply(s);
          later.Apply(s);
        }
      }
      after->reset();
      auto again = Db::Open(WorkOptions(copy, nullptr, sync_ms));
      ASSERT_TRUE(again.ok()) << again.status();
      Content extra = ReadContent(**again);
      // Stale markers depend on the last round that is left.
      Content want = later.content(), may = both.content();
      for (Content* c : {&extra, &want}) {
        for (auto& [labels, cells] : *c) {
          std::erase_if(cells,
                        [](const auto& cell) { return cell.second == CellText(StaleNan(), nullptr, 0); });
        }
      }
      ASSERT_EQ(Check(want, may, extra), "") << "round " << round << " image " << image;
    }
    driver.reset();
  }
}

TEST_F(PowerCutTest, SyncedCommitsSurvive) { RunCuts(0, 6, 300); }
TEST_F(PowerCutTest, UnsyncedCommitsMayBeLostButNothingIsMadeUp) { RunCuts(5000, 6, 300); }

// The rows of new series go into the index together. Whatever of them a power cut leaves, there is no sample
// whose series has no labels, neither in answers nor below.
TEST_F(PowerCutTest, NewSeriesHaveTheirLabelsOrNoSamples) {
  PowerCut disk;
  auto db = Db::Open(WorkOptions("new", &disk, 5000));
  ASSERT_TRUE(db.ok()) << db.status();
  const auto labels_of = [](const std::string& metric, int i) {
    return Labels({{"__name__", metric}, {"i", std::to_string(i)}});
  };
  auto group = *(*db)->OpenGroup({{"job", "x"}});
  Content all;
  const auto note = [&](const Labels& labels, int64_t t, double v) {
    all[labels.ToString()][t] = CellText(v, nullptr, 0);
  };
  std::vector<Slot> slots;
  std::set<size_t> sizes;
  for (int step = 0; step < 8; ++step) {
    clock_.AdvanceMs(1000);
    const int64_t t = clock_.NowMs();
    group->Begin(t);
    for (int i = 0; i < 150; ++i) slots.push_back(*group->AddSeries(labels_of("scraped", step * 150 + i)));
    for (size_t i = 0; i < slots.size(); ++i) {
      group->Set(slots[i], static_cast<double>(i));
      note(labels_of("scraped", static_cast<int>(i)), t, static_cast<double>(i));
    }
    ASSERT_TRUE(group->Commit().ok());
    auto app = (*db)->NewAppender();
    for (int i = 0; i < (step + 1) * 150; ++i) {
      SeriesRef ref = 0;
      ASSERT_EQ(*app->Append(&ref, labels_of("sent", i), Sample{t, i * 1.0}), AppendResult::kOk);
      note(labels_of("sent", i), t, i);
    }
    ASSERT_TRUE(app->Commit().ok());
    if (step % 4 == 0) {  // what was written up to here is safe
      group.reset();
      db->reset();
      db = Db::Open(WorkOptions("new", &disk, 5000));
      ASSERT_TRUE(db.ok()) << db.status();
      group = *(*db)->OpenGroup({{"job", "x"}});
      for (size_t i = 0; i < slots.size(); ++i) {
        ASSERT_EQ(*group->AddSeries(labels_of("scraped", static_cast<int>(i))), slots[i]);
      }
    }
    for (uint64_t image = 0; image < 8; ++image) {
      const std::string copy = "image" + std::to_string(step) + "-" + std::to_string(image);
      disk.Image(root_ / "new", root_ / copy, static_cast<uint64_t>(step) * 100 + image);
      auto after = Db::Open(WorkOptions(copy, nullptr, 5000));
      ASSERT_TRUE(after.ok()) << after.status();
      for (bool sealed : {false, true}) {
        if (sealed) {
          ASSERT_TRUE((*after)->Maintain(true).ok());
        }
        const Content got = ReadContent(**after);
        ASSERT_EQ(Check({}, all, got), "") << copy;
        size_t readable = 0;
        for (const auto& [labels, cells] : got) readable += cells.size();
        uint64_t stored = 0;
        const auto blocks =
            (*after)->Inspect({[](const std::string& what) { ADD_FAILURE() << what; }, nullptr});
        ASSERT_TRUE(blocks.ok()) << blocks.status();
        for (const BlockInfo& block : *blocks) stored += block.samples;
        // Before the seal a slot whose row is lost may still stand in rounds that nobody can ask for.
        if (sealed) {
          ASSERT_EQ(stored, readable) << copy;
        }
        sizes.insert(readable);
      }
    }
  }
  EXPECT_GT(sizes.size(), 6u) << "the cuts took different parts";
}

TEST_F(PowerCutTest, AFullDiskStopsNothingAndWritingResumes) {
  PowerCut disk;
  const Workload work(7, kStart);
  Model model;
  auto db = Db::Open(WorkOptions("full", &disk, 5000));
  ASSERT_TRUE(db.ok()) << db.status();
  auto driver = std::make_unique<Driver>(db->get(), &clock_);
  const auto run = [&](int from, int to, bool maintain) {
    for (int i = from; i < to; ++i) {
      const Step s = work.At(i);
      const bool background = s.kind != Step::kRound && s.kind != Step::kLoose;
      if (background && !maintain) continue;
      const absl::Status done = driver->Do(s);
      if (!background) {
        ASSERT_TRUE(done.ok()) << i << " " << done;
      }
      model.Apply(s);
    }
  };
  run(0, 200, true);
  disk.SetSpace(0);
  run(200, 260, false);
  EXPECT_GT(disk.refused(), 0);
  EXPECT_EQ(Difference(model.content(), ReadContent(**db)), "");
  (void)(*db)->Maintain(true);  // it cannot
  EXPECT_EQ(Difference(model.content(), ReadContent(**db)), "");
  run(260, 300, false);
  disk.SetSpace(INT64_MAX);
  ASSERT_TRUE((*db)->Maintain(false).ok());
  run(300, 340, true);
  EXPECT_EQ(Difference(model.content(), ReadContent(**db)), "");
  ASSERT_TRUE((*db)->Maintain(true).ok());
  driver.reset();
  db->reset();
  auto again = Db::Open(WorkOptions("full", nullptr, 5000));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Difference(model.content(), ReadContent(**again)), "");
}

TEST_F(PowerCutTest, ADiskThatFailsToSyncIsReportedAndLosesNothingInMemory) {
  PowerCut disk;
  const Workload work(9, kStart);
  Model model;
  auto db = Db::Open(WorkOptions("sync", &disk, 0));
  ASSERT_TRUE(db.ok()) << db.status();
  auto driver = std::make_unique<Driver>(db->get(), &clock_);
  int failed = 0;
  for (int i = 0; i < 120; ++i) {
    disk.SetSyncFails(i >= 50 && i < 60);
    const Step s = work.At(i);
    if (s.kind != Step::kRound && s.kind != Step::kLoose) continue;
    failed += driver->Do(s).ok() ? 0 : 1;
    model.Apply(s);
  }
  EXPECT_GT(failed, 0);
  EXPECT_EQ(Difference(model.content(), ReadContent(**db)), "");
  disk.SetSyncFails(false);
  ASSERT_TRUE((*db)->Maintain(true).ok());
  driver.reset();
  db->reset();
  auto again = Db::Open(WorkOptions("sync", nullptr, 5000));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Difference(model.content(), ReadContent(**again)), "");
}

}  // namespace
}  // namespace narthex::tsdb
