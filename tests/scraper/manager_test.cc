#include <atomic>

#include "absl/time/clock.h"
#include "base/http_server.h"
#include "base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/sample.h"
#include "scraper/scraper.h"
#include "scraper/text_util.h"
#include "tests/support/memory_db.h"

namespace narthex::scraper {
namespace {

constexpr int64_t kStart = 1'700'000'000'000;

class ManagerTest : public ::testing::Test {
 protected:
  ManagerTest() {
    auto server = HttpServer::Start({.listen_addresses = {"127.0.0.1:0"}, .workers = 2},
                                    [this](const HttpRequest&, HttpResponseWriter& writer) {
                                      ++requests_;
                                      writer.Send(200, "text/plain; version=0.0.4", "m 1\n");
                                    });
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    ManagerOptions options;
    options.db = db_.get();
    options.http = &http_;
    options.pool = &pool_;
    options.clock = &clock_;
    options.logger = &logger_;
    options.metrics = &registry_;
    manager_ = Manager::Create(options);
  }
  ~ManagerTest() override {
    manager_->Stop();
    server_->Stop(0);
  }

  std::string Address() const { return StrCat("127.0.0.1:", server_->ports()[0]); }

  void Apply(const std::string& jobs) {
    auto node = YamlNode::Parse(jobs);
    ASSERT_TRUE(node.ok()) << node.status();
    auto configs = ParseScrapeConfigs(&*node, {}, "/");
    ASSERT_TRUE(configs.ok()) << configs.status();
    ASSERT_TRUE(manager_->Apply({}, std::move(*configs)).ok());
  }
  std::string Job(const std::string& name, const std::string& more = "") const {
    return StrCat("- job_name: ", name, "\n  scrape_interval: 10s\n  static_configs: [{targets: ['",
                  Address(), "']}]\n", more);
  }

  // Moves the fake clock on until the condition holds or a minute of real time is over.
  bool Until(const std::function<bool()>& condition) {
    for (int i = 0; i < 600; ++i) {
      if (condition()) return true;
      clock_.AdvanceMs(1000);
      http_.Wake();
      absl::SleepFor(absl::Milliseconds(100));
    }
    return false;
  }
  std::string Health() const {
    auto targets = manager_->ActiveTargets();
    return targets.empty() ? "none" : targets[0].health;
  }
  // Last value of the series of this name, or nullopt.
  std::optional<double> Last(std::string_view name) {
    auto querier = db_->NewQuerier(0, kStart * 2);
    auto set = (*querier)->Select({Matcher::Equal("__name__", name)}, 0, kStart * 2, {});
    std::vector<tsdb::Row> rows;
    if ((*set)->size() == 0 || !(*set)->ReadBlock(0, 1, &rows).ok() || rows[0].v.empty()) return std::nullopt;
    return rows[0].v.back();
  }

  std::atomic<int> requests_{0};
  FakeClock clock_{kStart};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}};
  MetricsRegistry registry_;
  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  HttpClient http_;
  ThreadPool pool_{2};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Manager> manager_;
};

TEST_F(ManagerTest, ScrapesRepeatedly) {
  Apply(Job("j"));
  ASSERT_EQ(manager_->ActiveTargets().size(), 1u);
  EXPECT_EQ(Health(), "unknown");
  ASSERT_TRUE(Until([this] { return requests_ >= 3; }));
  ASSERT_TRUE(Until([this] { return Health() == "up"; }));
  EXPECT_EQ(Last("m"), 1);
  EXPECT_EQ(Last("up"), 1);
  EXPECT_EQ(manager_->Pools(), std::vector<std::string>{"j"});
}

TEST_F(ManagerTest, UnchangedJobGoesOnAndRemovedJobEnds) {
  Apply(Job("j"));
  ASSERT_TRUE(Until([this] { return Health() == "up"; }));
  const int64_t last = manager_->ActiveTargets()[0].last_scrape_ms;
  Apply(Job("j") + Job("other", "  metrics_path: /other\n"));
  EXPECT_EQ(manager_->ActiveTargets()[0].last_scrape_ms, last);
  Apply(Job("other", "  metrics_path: /other\n"));
  EXPECT_EQ(manager_->Pools(), std::vector<std::string>{"other"});
  ASSERT_TRUE(Until([this] {
    auto querier = db_->NewQuerier(0, kStart * 2);
    auto set =
        (*querier)->Select({Matcher::Equal("__name__", "m"), Matcher::Equal("job", "j")}, 0, kStart * 2, {});
    std::vector<tsdb::Row> rows;
    return (*set)->size() == 1 && (*set)->ReadBlock(0, 1, &rows).ok() && IsStale(rows[0].v.back());
  }));
}

TEST_F(ManagerTest, TargetLimitFailsEveryTarget) {
  Apply(StrCat("- job_name: j\n  scrape_interval: 10s\n  target_limit: 1\n  static_configs: [{targets: ['",
               Address(), "', 'x:1']}]\n"));
  ASSERT_TRUE(Until([this] { return Health() == "down"; }));
  EXPECT_EQ(manager_->ActiveTargets()[0].last_error,
            "target_limit exceeded (number of targets: 2, limit: 1)");
  EXPECT_EQ(requests_, 0);
}

TEST_F(ManagerTest, DroppedTargetsAreCountedAndKeptUpToTheLimit) {
  Apply(
      "- job_name: j\n  keep_dropped_targets: 1\n  static_configs: [{targets: ['a:1', 'b:1', 'c:1']}]\n"
      "  relabel_configs: [{source_labels: [__address__], regex: 'a:1', action: keep}]\n");
  EXPECT_EQ(manager_->ActiveTargets().size(), 1u);
  EXPECT_EQ(manager_->DroppedTargets().size(), 1u);
  EXPECT_EQ(manager_->DroppedCounts()["j"], 2);
}

TEST_F(ManagerTest, UnreachableTargetIsDown) {
  server_->Stop(0);
  Apply(Job("j"));
  ASSERT_TRUE(Until([this] { return Health() == "down"; }));
  EXPECT_THAT(manager_->ActiveTargets()[0].last_error, ::testing::StartsWith("Get \"http://127.0.0.1:"));
  EXPECT_EQ(Last("up"), 0);
}

}  // namespace
}  // namespace narthex::scraper
