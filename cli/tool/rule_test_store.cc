#include "cli/tool/rule_test_store.h"
#include "base/files.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/config.h"

namespace narthex::cli {

namespace {

// Prometheus's storage notes of each histogram but the first whether the counter was reset before it, and
// expected samples say so.
void SetResetHints(std::vector<promql::SequencePoint>* points) {
  const promql::SequencePoint* before = nullptr;
  for (promql::SequencePoint& point : *points) {
    if (point.missing || !point.h || point.h->IsStaleMarker()) {
      if (!point.missing) before = nullptr;
      continue;
    }
    if (before != nullptr && point.h->hint == CounterResetHint::kUnknown) {
      auto hinted = std::make_shared<FloatHistogram>(*point.h);
      hinted->hint =
          point.h->DetectReset(*before->h) ? CounterResetHint::kReset : CounterResetHint::kNotReset;
      point.h = std::move(hinted);
    }
    before = &point;
  }
}

}  // namespace

RuleTestStore::RuleTestStore(const RuleTest& test)
    : start_ms_(test.start_ms),
      interval_ms_(test.interval_ms),
      clock_(test.start_ms),
      logger_(LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}),
      pool_(1) {}

RuleTestStore::~RuleTestStore() {
  manager_.reset();
  engine_.reset();
  db_.reset();
  std::error_code error;
  if (!dir_.empty()) std::filesystem::remove_all(dir_, error);
}

absl::StatusOr<std::unique_ptr<RuleTestStore>> RuleTestStore::Open(const RuleTest& test,
                                                                   const RuleTestFile& file,
                                                                   const RuleTestOptions& options) {
  std::unique_ptr<RuleTestStore> store(new RuleTestStore(test));
  RETURN_IF_ERROR(store->ReadSeries(test));
  RETURN_IF_ERROR(store->OpenDb());
  promql::EngineOptions engine;
  engine.default_subquery_step_ms = file.evaluation_interval_ms;
  engine.delayed_name_removal = options.delayed_name_removal;
  engine.parser = options.parser;
  engine.clock = &store->clock_;
  engine.metrics = &store->metrics_;
  store->engine_ = std::make_unique<promql::Engine>(engine);
  RETURN_IF_ERROR(store->LoadRules(test, file, options));
  return store;
}

absl::Status RuleTestStore::ReadSeries(const RuleTest& test) {
  for (size_t i = 0; i < test.series.size(); ++i) {
    const auto& [name, values] = test.series[i];
    absl::StatusOr<promql::SeriesDescription> points =
        promql::ParseSeriesDescription(StrCat(name, " ", values));
    if (!points.ok()) {
      // promtool counts the lines of the text that it makes of all series.
      std::string message(points.status().message());
      size_t colon = message.find(':');
      if (message.starts_with("1:")) message = StrCat(i + 2, message.substr(colon));
      return absl::InvalidArgumentError(message);
    }
    SetResetHints(&points->points);
    series_.push_back({*std::move(points), 0, 0});
  }
  return absl::OkStatus();
}

absl::Status RuleTestStore::OpenDb() {
  std::string dir = (std::filesystem::temp_directory_path() / "narthex-test-XXXXXX").string();
  if (::mkdtemp(dir.data()) == nullptr)
    return absl::UnavailableError(StrCat("cannot make a temporary folder ", dir));
  dir_ = dir;
  tsdb::Options options;
  options.path = dir_;
  options.retention_ms = 0;
  options.sync_interval_ms = 3600'000;
  options.background_work = false;
  options.clock = &clock_;
  options.logger = &logger_;
  options.metrics = &metrics_;
  ASSIGN_OR_RETURN(db_, tsdb::Db::Open(options));
  return absl::OkStatus();
}

absl::Status RuleTestStore::LoadRules(const RuleTest& test, const RuleTestFile& file,
                                      const RuleTestOptions& options) {
  std::vector<rules::GroupSpec> groups;
  for (const std::string& path : file.rule_files) {
    ASSIGN_OR_RETURN(std::string text, ReadFile(path));
    ASSIGN_OR_RETURN(std::vector<rules::GroupSpec> parsed,
                     rules::ParseRuleFile(path, text, options.parser, options.ignore_unknown));
    for (rules::GroupSpec& group : parsed) groups.push_back(std::move(group));
  }
  auto place = [&file](const rules::GroupSpec& group) {
    auto it = file.group_order.find(group.name);
    return it == file.group_order.end() ? 0 : it->second;
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  rules::ManagerOptions managing;
  managing.db = db_.get();
  managing.engine = engine_.get();
  managing.pool = &pool_;
  managing.clock = &clock_;
  managing.logger = &logger_;
  managing.metrics = &metrics_;
  managing.external_url = test.external_url;
  manager_ = rules::Manager::Create(managing);
  return manager_->Apply(std::move(groups), interval_ms_, /*query_offset_ms=*/0, test.external_labels);
}

absl::Status RuleTestStore::EvaluateAt(int64_t t_ms) {
  clock_.AdvanceMs(t_ms - clock_.NowMs());
  std::unique_ptr<tsdb::Appender> appender = db_->NewAppender();
  for (InputSeries& series : series_) {
    for (; series.next < series.points.points.size(); ++series.next) {
      const int64_t t = start_ms_ + static_cast<int64_t>(series.next) * interval_ms_;
      if (t > t_ms) break;
      const promql::SequencePoint& point = series.points.points[series.next];
      if (point.missing) continue;
      ASSIGN_OR_RETURN(tsdb::AppendResult result,
                       appender->Append(&series.ref, series.points.labels, {t, point.v, point.h, 0}));
      if (result != tsdb::AppendResult::kOk)
        return absl::InvalidArgumentError(StrCat("cannot load ", series.points.labels.ToString(), " at ", t));
    }
  }
  RETURN_IF_ERROR(appender->Commit());
  manager_->EvaluateAllAt(t_ms);
  return absl::OkStatus();
}

absl::StatusOr<promql::Result> RuleTestStore::Query(const std::string& expr, int64_t t_ms) {
  promql::QueryParams params;
  params.query = expr;
  params.start_ms = params.end_ms = t_ms;
  return engine_->Run(*db_, params);
}

}  // namespace narthex::cli
