// A store in a directory of its own, with what most tests do to it.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

namespace fs = std::filesystem;
constexpr int64_t kStart = 1'700'000'000'000 / 3600'000 * 3600'000;
using Points = std::vector<std::pair<int64_t, double>>;

class DbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("narthex_db_test_" + std::to_string(::getpid()) + "_" +
                                         ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override {
    db_.reset();
    fs::remove_all(root_);
  }
  Options MakeOptions(const std::string& name) {
    Options o;
    o.path = (root_ / name).string();
    o.background_work = false;
    o.clock = &clock_;
    o.logger = &logger_;
    o.metrics = &metrics_;
    o.out_of_order_window_ms = ooo_;
    o.retention_ms = retention_;
    return o;
  }
  void Open(const std::string& name) {
    db_.reset();
    auto db = Db::Open(MakeOptions(name));
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
  }
  // As after kill -9: the files as they are now, opened by somebody else.
  void Kill() {
    // The store's own threads may still put files into place: what counts is a copy that nothing came
    // between.
    std::error_code changed;
    std::string before;
    do {
      before = Listing(root_ / "a");
      fs::remove_all(root_ / "b");
      changed.clear();
      fs::copy(root_ / "a", root_ / "b", fs::copy_options::recursive, changed);
    } while (changed || before.empty() || Listing(root_ / "a") != before);
    db_.reset();
    fs::remove_all(root_ / "a");
    fs::rename(root_ / "b", root_ / "a");
    Open("a");
  }
  // Names, sizes and times of all files; "" if one went away meanwhile.
  static std::string Listing(const fs::path& root) {
    std::map<std::string, std::string> files;
    std::error_code gone;
    for (fs::recursive_directory_iterator it(root, gone), end; !gone && it != end; it.increment(gone)) {
      if (!it->is_regular_file(gone)) continue;
      files[it->path().string()] = std::to_string(it->file_size(gone)) + " " +
                                   std::to_string(it->last_write_time(gone).time_since_epoch().count());
    }
    std::string out;
    for (const auto& [name, state] : files) out += name + " " + state + "\n";
    return gone ? "" : out;
  }
  AppendResult Append(const Labels& labels, int64_t t, double v) {
    auto app = db_->NewAppender();
    SeriesRef ref = 0;
    auto r = app->Append(&ref, labels, Sample{t, v});
    EXPECT_TRUE(r.ok() && app->Commit().ok());
    return *r;
  }
  std::map<std::string, Points> Select(const std::string& metric, int64_t mint = 0,
                                       int64_t maxt = INT64_MAX / 2) {
    std::map<std::string, Points> out;
    auto q = db_->NewQuerier(mint, maxt);
    auto set = (*q)->Select({Matcher::Equal("__name__", metric)}, mint, maxt, {});
    EXPECT_TRUE(set.ok());
    std::vector<Row> rows;
    EXPECT_TRUE((*set)->ReadBlock(0, (*set)->size(), &rows).ok());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].t.size(), rows[i].v.size());
      Points& p = out[(*set)->labels(i).ToString()];
      for (size_t k = 0; k < rows[i].t.size(); ++k) p.emplace_back(rows[i].t[k], rows[i].v[k]);
    }
    return out;
  }
  // Rounds [from, to) of a group with two series; the second is absent in rounds divisible by 5.
  void Rounds(int from, int to) {
    auto group = db_->OpenGroup({{"job", "x"}});
    ASSERT_TRUE(group.ok()) << group.status();
    const Slot a = *(*group)->AddSeries({{"__name__", "m"}, {"i", "a"}});
    const Slot b = *(*group)->AddSeries({{"__name__", "m"}, {"i", "b"}});
    for (int i = from; i < to; ++i) {
      clock_.AdvanceMs(15'000);
      (*group)->Begin(kStart + i * 15'000);
      EXPECT_EQ((*group)->Set(a, i * 1.5), AppendResult::kOk);
      if (i % 5 != 0) {
        EXPECT_EQ((*group)->Set(b, i), AppendResult::kOk);
      }
      ASSERT_TRUE((*group)->Commit().ok());
    }
  }
  void ExpectRounds(int to) {
    auto got = Select("m");
    const Points& a = got["m{i=\"a\"}"];
    const Points& b = got["m{i=\"b\"}"];
    ASSERT_EQ(a.size(), static_cast<size_t>(to));
    for (int i = 0; i < to; ++i) {
      EXPECT_EQ(a[i].first, kStart + i * 15'000);
      EXPECT_EQ(a[i].second, i * 1.5);
    }
    size_t k = 0;
    for (int i = 1; i < to; ++i, ++k) {  // absent in round 0, then present or stale
      ASSERT_LT(k, b.size());
      EXPECT_EQ(b[k].first, kStart + i * 15'000);
      if (i % 5 == 0)
        EXPECT_TRUE(IsStale(b[k].second));
      else
        EXPECT_EQ(b[k].second, i);
    }
    EXPECT_EQ(k, b.size());
  }

  fs::path root_;
  int64_t ooo_ = 0, retention_ = 15LL * 24 * 3600'000;
  FakeClock clock_{kStart};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}};
  MetricsRegistry metrics_;
  std::unique_ptr<Db> db_;
};

}  // namespace narthex::tsdb
