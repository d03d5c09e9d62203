// The whole handler on a store in memory, with hand-written neighbours whose answers a test sets.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/api.h"
#include "base/clock.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "promql/promql.h"
#include "tests/support/memory_db.h"

namespace narthex::api {

class FakeScraper : public scraper::Manager {
 public:
  absl::Status Apply(const scraper::GlobalConfig&, std::vector<scraper::ScrapeConfig>) override {
    return absl::OkStatus();
  }
  std::vector<scraper::TargetState> ActiveTargets() const override { return active; }
  std::vector<scraper::DroppedTarget> DroppedTargets() const override { return dropped; }
  std::map<std::string, int> DroppedCounts() const override { return {{"node", 1}}; }
  std::vector<std::string> Pools() const override { return {"web", "node"}; }
  std::vector<std::pair<Labels, scraper::TargetMetadata>> Metadata(const std::string& metric) const override {
    std::vector<std::pair<Labels, scraper::TargetMetadata>> found;
    for (const auto& entry : metadata) {
      if (metric.empty() || entry.second.metric == metric) found.push_back(entry);
    }
    return found;
  }
  void Stop() override {}

  std::map<std::string, std::vector<std::string>> UnsupportedDiscovery() const override {
    return unsupported;
  }

  std::map<std::string, std::vector<std::string>> unsupported;
  std::vector<scraper::TargetState> active;
  std::vector<scraper::DroppedTarget> dropped;
  std::vector<std::pair<Labels, scraper::TargetMetadata>> metadata;
};

class FakeRules : public rules::Manager {
 public:
  absl::Status Apply(std::vector<rules::GroupSpec>, int64_t, int64_t,
                     std::vector<std::pair<std::string, std::string>>) override {
    return absl::OkStatus();
  }
  std::vector<rules::GroupView> Groups() const override { return groups; }
  void Start() override {}
  void Stop() override {}
  void EvaluateAllAt(int64_t) override {}

  std::vector<rules::GroupView> groups;
};

class FakeNotifier : public alerting::Notifier {
 public:
  absl::Status Apply(alerting::AlertingConfig, std::vector<std::pair<std::string, std::string>>) override {
    return absl::OkStatus();
  }
  std::vector<alerting::AlertmanagerView> Active() const override {
    return {{"http://am:9093/api/v2/alerts"}};
  }
  std::vector<alerting::AlertmanagerView> Dropped() const override { return {}; }
  void Send(std::vector<rules::Notification>) override {}
  void Stop() override {}
};

// What a client would have seen.
class RecordingWriter : public HttpResponseWriter {
 public:
  void SetHeader(std::string_view name, std::string_view value) override {
    headers[std::string(name)] = std::string(value);
  }
  void Send(int code, std::string_view type, std::string text) override {
    ++answers;
    status = code;
    content_type = std::string(type);
    body = std::move(text);
  }
  absl::Status Start(int code, std::string_view type) override {
    ++answers;
    status = code;
    content_type = std::string(type);
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view piece) override {
    ++pieces;
    if (on_write) on_write();
    largest_piece = std::max(largest_piece, piece.size());
    body += piece;
    return gone ? absl::CancelledError("the client went away") : absl::OkStatus();
  }

  void ExpectLong() override { ++long_expected; }
  void BreakOff() override { broken_off = true; }

  int status = 0, answers = 0, pieces = 0, long_expected = 0;
  size_t largest_piece = 0;
  bool gone = false, broken_off = false;
  std::function<void()> on_write;
  std::string content_type, body;
  std::map<std::string, std::string> headers;
};

class ApiTest : public ::testing::Test {
 protected:
  static constexpr int64_t kNow = 1'000'000;  // ms

  ApiTest() : clock(kNow), logger(LogLevel::kError, LogFormat::kLogfmt, &clock, [](std::string_view) {}) {
    db = testing::NewMemoryDb();
    promql::EngineOptions engine_options;
    engine_options.clock = &clock;
    engine_options.metrics = &metrics;
    engine = std::make_unique<promql::Engine>(engine_options);
    options.db = db.get();
    options.engine = engine.get();
    options.scraper = &scraper;
    options.rules = &rules;
    options.notifier = &notifier;
    options.receiver.db = db.get();
    options.receiver.clock = &clock;
    options.receiver.metrics = &metrics;
    options.clock = &clock;
    options.logger = &logger;
    options.metrics = &metrics;
    options.external_url = "http://prom.example:9090/";
    options.data_path = "/data";
    options.build = {"3.14.0", "abc", "main", "me", "today", "g++"};
    options.ready = [this] { return ready; };
  }

  void Append(const Labels& labels, int64_t t, double v) {
    tsdb::Sample sample;
    sample.t = t;
    sample.v = v;
    AppendSample(labels, sample);
  }
  void AppendSample(const Labels& labels, const tsdb::Sample& sample) {
    std::unique_ptr<tsdb::Appender> appender = db->NewAppender();
    tsdb::SeriesRef ref = 0;
    ASSERT_TRUE(appender->Append(&ref, labels, sample).ok());
    ASSERT_TRUE(appender->Commit().ok());
  }

  // target: path and query. The answer stays until the next call.
  RecordingWriter& Do(std::string method, std::string target, std::string form = "",
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    HttpRequest request;
    request.method = std::move(method);
    size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != target.npos) request.query = target.substr(mark + 1);
    request.headers = std::move(headers);
    if (!form.empty()) request.headers.emplace_back("content-type", "application/x-www-form-urlencoded");
    request.body = std::move(form);
    request.cancelled = cancelled;
    answer = RecordingWriter();
    answer.gone = client_gone;
    answer.on_write = writing;
    if (!handler) handler = NewHandler(options);
    handler(request, answer);
    EXPECT_EQ(answer.answers, 1);
    return answer;
  }
  std::string Get(const std::string& target) { return Do("GET", target).body; }
  static std::string Success(std::string_view data) {
    return StrCat("{\"status\":\"success\",\"data\":", data, "}");
  }
  // `text` is inside JSON already.
  static std::string Error(std::string_view type, std::string_view text) {
    return StrCat("{\"status\":\"error\",\"errorType\":\"", type, "\",\"error\":\"", text, "\"}");
  }

  FakeClock clock;
  Logger logger;
  MetricsRegistry metrics;
  std::unique_ptr<tsdb::Db> db;
  std::unique_ptr<promql::Engine> engine;
  FakeScraper scraper;
  FakeRules rules;
  FakeNotifier notifier;
  Options options;  // read at the first request
  HttpHandler handler;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  bool ready = true, client_gone = false;
  std::function<void()> writing;  // called for each piece of an answer
  RecordingWriter answer;
};

}  // namespace narthex::api
