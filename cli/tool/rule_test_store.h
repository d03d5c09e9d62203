// The parts of a server that one rule test needs: a store in a temporary folder, the engine, the rules.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "cli/tool/rule_test_file.h"
#include "cli/tool/rule_test_run.h"
#include "promql/promql.h"
#include "rules/rules.h"
#include "tsdb/tsdb.h"

namespace narthex::cli {

// Time is what it is told. Not thread-safe; owner: one test's run.
class RuleTestStore {
 public:
  static absl::StatusOr<std::unique_ptr<RuleTestStore>> Open(const RuleTest& test, const RuleTestFile& file,
                                                             const RuleTestOptions& options);
  ~RuleTestStore();  // removes the folder

  // Loads the input up to t_ms, then evaluates every group once.
  absl::Status EvaluateAt(int64_t t_ms);
  std::vector<rules::GroupView> Groups() const { return manager_->Groups(); }
  absl::StatusOr<promql::Result> Query(const std::string& expr, int64_t t_ms);

 private:
  struct InputSeries {
    promql::SeriesDescription points;
    tsdb::SeriesRef ref = 0;
    size_t next = 0;  // the first point not loaded
  };
  RuleTestStore(const RuleTest& test);
  absl::Status ReadSeries(const RuleTest& test);
  absl::Status OpenDb();
  absl::Status LoadRules(const RuleTest& test, const RuleTestFile& file, const RuleTestOptions& options);

  const int64_t start_ms_, interval_ms_;
  FakeClock clock_;
  Logger logger_;
  MetricsRegistry metrics_;
  ThreadPool pool_;
  std::string dir_;
  std::unique_ptr<tsdb::Db> db_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<rules::Manager> manager_;
  std::vector<InputSeries> series_;
};

}  // namespace narthex::cli
