// Rules at work against a store in memory and a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "rules/rules.h"
#include "tests/support/memory_db.h"

namespace narthex::rules {

constexpr int64_t kMinute = 60'000;

struct RecordingSink : AlertSink {
  void Send(std::vector<Notification> alerts) override {
    for (Notification& alert : alerts) sent.push_back(std::move(alert));
  }
  std::vector<Notification> sent;
};

class RulesFixture : public ::testing::Test {
 protected:
  RulesFixture()
      : clock_(100 * kMinute),
        logger_(LogLevel::kError, LogFormat::kLogfmt, &clock_, [this](std::string_view l) { log_ += l; }),
        db_(testing::NewMemoryDb()),
        pool_(3) {
    promql::EngineOptions engine;
    engine.clock = &clock_;
    engine.metrics = &metrics_;
    engine_ = std::make_unique<promql::Engine>(engine);
  }

  std::unique_ptr<Manager> NewManager() {
    ManagerOptions options;
    options.db = db_.get();
    options.engine = engine_.get();
    options.sink = &sink_;
    options.pool = &pool_;
    options.clock = &clock_;
    options.logger = &logger_;
    options.metrics = &metrics_;
    options.external_url = "http://prom.example:9090";
    options.concurrent_rules = concurrent_rules_;
    return Manager::Create(options);
  }

  static void Load(Manager* manager, const std::string& rules, const std::string& group = "") {
    absl::StatusOr<std::vector<GroupSpec>> groups = ParseRuleFile(
        "r.yml", "groups:\n- name: g\n" + group + "  rules:\n" + rules, promql::ParserOptions());
    ASSERT_TRUE(groups.ok()) << groups.status();
    ASSERT_TRUE(manager->Apply(*std::move(groups), kMinute, 0, {{"site", "north"}}).ok());
  }

  void Append(const Labels& labels, int64_t t, double v) {
    std::unique_ptr<tsdb::Appender> appender = db_->NewAppender();
    tsdb::SeriesRef ref = 0;
    ASSERT_TRUE(appender->Append(&ref, labels, {t, v, nullptr, 0}).ok());
    ASSERT_TRUE(appender->Commit().ok());
  }

  FakeClock clock_;
  std::string log_;
  Logger logger_;
  MetricsRegistry metrics_;
  std::unique_ptr<tsdb::Db> db_;
  std::unique_ptr<promql::Engine> engine_;
  ThreadPool pool_;
  bool concurrent_rules_ = false;
  RecordingSink sink_;
};

}  // namespace narthex::rules
