// Remote write out, against a server of its own: what arrives, what is tried again, and that nothing is left
// out.
#include <gtest/gtest.h>
#include <snappy.h>

#include <set>

#include "base/http_server.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "remote/delivery.h"
#include "remote/endpoint.h"
#include "remote/read_query.h"
#include "tests/remote/fixture.h"
#include "tests/support/memory_db.h"

namespace narthex::remote {
namespace {

// A receiver that stores what it gets in a Db, or answers what the test says.
class Receiver {
 public:
  explicit Receiver(const Clock* clock) : clock_(clock) {
    HttpServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    server_ = *HttpServer::Start(options, [this](const HttpRequest& request, HttpResponseWriter& out) {
      MutexLock lock(&mutex_);
      ++requests_;
      last_ = request;
      if (!script_.empty()) {
        auto [status, retry_after] = script_.front();
        script_.erase(script_.begin());
        if (!retry_after.empty()) out.SetHeader("Retry-After", retry_after);
        return out.Send(status, "text/plain", "scripted");
      }
      WriteOutcome outcome = HandleWrite({db_.get(), clock_, &metrics_}, request.body,
                                         request.Header("content-type"), request.Header("content-encoding"));
      out.Send(outcome.http_status, "", outcome.error);
    });
  }
  std::string Url() const { return StrCat("http://127.0.0.1:", server_->ports()[0], "/api/v1/write"); }
  void Script(std::vector<std::pair<int, std::string>> answers) {
    MutexLock lock(&mutex_);
    script_ = std::move(answers);
  }
  int requests() {
    MutexLock lock(&mutex_);
    return requests_;
  }
  HttpRequest last() {
    MutexLock lock(&mutex_);
    return last_;
  }
  std::vector<std::string> Stored() {
    MutexLock lock(&mutex_);
    return StoredIn(*db_);
  }
  tsdb::Db* db() { return db_.get(); }

 private:
  const Clock* const clock_;
  MetricsRegistry metrics_;
  Mutex mutex_;
  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  std::vector<std::pair<int, std::string>> script_;
  int requests_ = 0;
  HttpRequest last_;
  std::unique_ptr<HttpServer> server_;  // stops first
};

class SenderTest : public ::testing::Test {
 protected:
  SenderTest() {
    options_.db = db_.get();
    options_.http = &http_;
    options_.clock = &clock_;
    options_.logger = &logger_;
    options_.metrics = &metrics_;
    config_.url = receiver_.Url();
    config_.http = std::make_shared<HttpClientConfig>();
    config_.queue.min_backoff_ms = 1;
    config_.queue.max_backoff_ms = 2;
    config_.send_metadata = false;
  }
  void Append(const std::string& name, int64_t t, double v) { AppendSample(name, {t, v, nullptr, 0}); }
  void AppendSample(const std::string& name, const tsdb::Sample& sample,
                    const tsdb::Exemplar* exemplar = nullptr) {
    auto appender = db_->NewAppender();
    tsdb::SeriesRef ref = 0;
    ASSERT_TRUE(appender->Append(&ref, Labels({{"__name__", name}}), sample).ok());
    if (exemplar != nullptr) appender->AddExemplar(ref, *exemplar);
    ASSERT_TRUE(appender->Commit().ok());
  }
  std::unique_ptr<Endpoint> NewEndpoint(LabelPairs external = {}) {
    return std::make_unique<Endpoint>(options_, config_, std::move(external));
  }
  double Metric(const std::string& name) {
    std::string page = metrics_.Expose();
    size_t at = page.find("\n" + name);
    if (at == page.npos) return -1;
    size_t space = page.find("} ", at);
    return std::stod(page.substr(space + 2));
  }

  FakeClock clock_{1'000'000};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}};
  MetricsRegistry metrics_;
  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  HttpClient http_;
  Receiver receiver_{&clock_};
  SenderOptions options_;
  RemoteWriteConfig config_;
};

using Lines = std::vector<std::string>;

TEST_F(SenderTest, SendsWhatCameSinceItBegan) {
  Append("old", 999'000, 1);
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(10'000);
  Append("a", 1'005'000, 1);
  Append("b", 1'005'000, 2);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), (Lines{"a 1@1005000", "b 2@1005000"}));
  EXPECT_EQ(receiver_.requests(), 1);
  EXPECT_EQ(receiver_.last().Header("x-prometheus-remote-write-version"), "0.1.0");
  EXPECT_EQ(receiver_.last().Header("content-type"), "application/x-protobuf");
  clock_.AdvanceMs(10'000);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.requests(), 1) << "nothing new";
  EXPECT_EQ(Metric("prometheus_remote_storage_samples_total"), 2);
  EXPECT_EQ(Metric("prometheus_remote_storage_queue_highest_sent_timestamp_seconds"), 1005);
}

TEST_F(SenderTest, WhatBecomesVisibleLateIsSentToo) {
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(10'000);
  Append("a", 1'009'000, 1);
  EXPECT_TRUE(endpoint->RunRound());
  Append("slow", 1'003'000, 2);  // a scrape that took its time
  clock_.AdvanceMs(5'000);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), (Lines{"a 1@1009000", "slow 2@1003000"}));
}

TEST_F(SenderTest, AnOutageLeavesNoGap) {
  auto endpoint = NewEndpoint();
  std::string expected = "a";
  for (int i = 0; i < 5; ++i) {
    clock_.AdvanceMs(15'000);
    Append("a", clock_.NowMs(), i);
    StrAppend(&expected, " ", i, "@", clock_.NowMs());
  }
  receiver_.Script({{500, ""}, {503, ""}, {502, ""}});
  while (receiver_.Stored() != Lines{expected}) ASSERT_TRUE(endpoint->RunRound());
  EXPECT_EQ(Metric("prometheus_remote_storage_samples_retried_total"), 12)
      << "four samples of the first minute, thrice";
  EXPECT_EQ(Metric("prometheus_remote_storage_samples_failed_total"), 0);
}

TEST_F(SenderTest, ARestartGoesOnWhereTheLastLifeEnded) {
  {
    auto endpoint = NewEndpoint();
    clock_.AdvanceMs(15'000);
    Append("a", clock_.NowMs(), 1);
    EXPECT_TRUE(endpoint->RunRound());
  }
  clock_.AdvanceMs(7'200'000);  // two hours down; somebody else kept storing
  std::string expected = "a 1@1015000";
  for (int64_t t = 1'020'000; t < clock_.NowMs(); t += 600'000) {
    Append("a", t, 2);
    StrAppend(&expected, " 2@", t);
  }
  auto endpoint = NewEndpoint();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), Lines{expected});
}

TEST_F(SenderTest, ARoundCutShortIsSentAgainAndRefusalsAreHalved) {
  config_.queue.batch_send_deadline_ms = 100;
  {
    auto endpoint = NewEndpoint();
    clock_.AdvanceMs(15'000);
    for (const char* name : {"a", "b", "c"}) {
      Append(name, clock_.NowMs() - 2, 1);
      Append(name, clock_.NowMs() - 1, 2);
    }
    EXPECT_TRUE(endpoint->RunRound());
  }
  // The life that sent them did not get to save that it did: only the round's beginning is known. Of b
  // nothing came.
  auto fresh = std::make_unique<Receiver>(&clock_);
  config_.url = fresh->Url();
  ASSERT_TRUE(db_->PutState(StrCat("remote_write//", config_.url), "1000000 1015000").ok());
  for (const char* name : {"a", "c"}) {
    auto appender = fresh->db()->NewAppender();
    tsdb::SeriesRef ref = 0;
    for (int i = 1; i <= 2; ++i) {
      ASSERT_TRUE(
          appender->Append(&ref, Labels({{"__name__", name}}), {1'014'997 + i, 1.0 * i, nullptr, 0}).ok());
    }
    ASSERT_TRUE(appender->Commit().ok());
  }
  auto endpoint = NewEndpoint();
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(fresh->Stored(),
            (Lines{"a 1@1014998 2@1014999", "b 1@1014998 2@1014999", "c 1@1014998 2@1014999"}));
}

TEST_F(SenderTest, ARefusalAfterALostAnswerIsHalvedToo) {
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(15'000);
  Append("a", clock_.NowMs(), 1);
  Append("b", clock_.NowMs(), 1);
  receiver_.Script(
      {{502, ""}, {400, ""}});  // the first attempt may have been stored by whoever is behind the proxy
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), (Lines{"a 1@1015000", "b 1@1015000"}));
}

TEST_F(SenderTest, RefusedBatchesAreNotTriedAgain) {
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(15'000);
  Append("a", clock_.NowMs(), 1);
  receiver_.Script({{400, ""}});
  EXPECT_TRUE(endpoint->RunRound());
  clock_.AdvanceMs(15'000);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.requests(), 1);
  EXPECT_EQ(Metric("prometheus_remote_storage_samples_failed_total"), 1);
}

TEST_F(SenderTest, TooManyRequestsIsARefusalUnlessRetriesAreOn) {
  for (bool retry : {false, true}) {
    config_.queue.retry_on_429 = retry;
    config_.name = retry ? "with" : "without";
    auto endpoint = NewEndpoint();
    clock_.AdvanceMs(15'000);
    Append("a", clock_.NowMs(), 1);
    receiver_.Script({{429, "0"}});
    int before = receiver_.requests();
    EXPECT_TRUE(endpoint->RunRound());
    EXPECT_EQ(receiver_.requests() - before, retry ? 2 : 1);
  }
}

TEST_F(SenderTest, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(RetryAfterMs("7", 0), 7000);
  EXPECT_EQ(RetryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 4000), 5000);
  EXPECT_EQ(RetryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 10'000), 0);
  EXPECT_EQ(RetryAfterMs("soon", 0), 0);
  EXPECT_EQ(RetryAfterMs("99999999999", 0), 600'000) << "not for ever";
}

TEST_F(SenderTest, LabelsAreExternalOnesAddedAndThenRelabelled) {
  config_.relabel_configs = *ParseRelabelConfigs(
      *YamlNode::Parse(
          "[{source_labels: [__name__], regex: drop.*, action: drop}, {source_labels: [site], target_label: "
          "place}]"),
      NameValidation::kUtf8);
  auto endpoint = NewEndpoint({{"site", "here"}});
  clock_.AdvanceMs(15'000);
  Append("a", clock_.NowMs(), 1);
  Append("dropped", clock_.NowMs(), 1);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), (Lines{"a{place=\"here\", site=\"here\"} 1@1015000"}));
  EXPECT_EQ(Metric("prometheus_remote_storage_samples_dropped_total{reason=\"dropped_series\""), 1);
}

TEST_F(SenderTest, BatchesKeepToTheirSize) {
  config_.queue.max_samples_per_send = 3;
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(15'000);
  std::string expected = "a";
  for (int i = 0; i < 10; ++i) {
    Append("a", 1'001'000 + i, i);
    StrAppend(&expected, " ", i, "@", 1'001'000 + i);
  }
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), Lines{expected});
  EXPECT_EQ(receiver_.requests(), 4);
}

TEST_F(SenderTest, V2CarriesHistogramsExemplarsAndStartTimes) {
  config_.message = std::string(kWriteV2);
  config_.send_native_histograms = config_.send_exemplars = true;
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(15'000);
  auto h = std::make_shared<FloatHistogram>();
  h->count = 5;
  h->sum = 6;
  h->positive_spans = {{1, 2}};
  h->positive_buckets = {2, 3};
  AppendSample("h", {1'002'000, 0, h, 0});
  tsdb::Exemplar exemplar{Labels({{"trace", "t1"}}), 0.5, 1'002'500, true};
  AppendSample("c", {1'003'000, 7, nullptr, 0}, &exemplar);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), (Lines{"c 7@1003000", "h {count:5, sum:6, (1,2]:2, (2,4]:3}@1002000"}));
  EXPECT_EQ(receiver_.last().Header("x-prometheus-remote-write-version"), "2.0.0");
  EXPECT_EQ(receiver_.last().Header("content-type"),
            "application/x-protobuf;proto=io.prometheus.write.v2.Request");
  auto found = receiver_.db()->SelectExemplars({Matchers{}}, 0, INT64_MAX);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].exemplars[0].labels, exemplar.labels);
}

TEST_F(SenderTest, HistogramsStayHomeUnlessTheyAreAskedFor) {
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(15'000);
  auto h = std::make_shared<FloatHistogram>();
  AppendSample("h", {1'002'000, 0, h, 0});
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.requests(), 0);
}

TEST_F(SenderTest, MetadataIsSentOnceAnInterval) {
  config_.send_metadata = true;
  options_.metadata = [] {
    return std::vector<MetricMetadata>{{"a", "counter", "Help.", ""}, {"b", "gauge", "", ""}};
  };
  auto endpoint = NewEndpoint();
  for (int i = 0; i < 3; ++i) {
    clock_.AdvanceMs(25'000);
    EXPECT_TRUE(endpoint->RunRound());
  }
  EXPECT_EQ(receiver_.requests(), 1);
  clock_.AdvanceMs(25'000);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.requests(), 2);
  EXPECT_EQ(Metric("prometheus_remote_storage_metadata_total"), 4);
}

TEST_F(SenderTest, SamplesOlderThanTheLimitAreDropped) {
  config_.queue.sample_age_limit_ms = 5'000;
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(15'000);
  Append("a", 1'001'000, 1);
  Append("a", 1'014'000, 2);
  EXPECT_TRUE(endpoint->RunRound());
  EXPECT_EQ(receiver_.Stored(), Lines{"a 2@1014000"});
  EXPECT_EQ(Metric("prometheus_remote_storage_samples_dropped_total{reason=\"too_old\""), 1);
}

TEST_F(SenderTest, StoppingEndsEndlessRetries) {
  receiver_.Script(std::vector<std::pair<int, std::string>>(100'000, {500, ""}));
  config_.queue.batch_send_deadline_ms = 1;
  auto endpoint = NewEndpoint();
  clock_.AdvanceMs(15'000);
  Append("a", clock_.NowMs(), 1);
  endpoint->Start();
  while (receiver_.requests() < 3) {
  }
  endpoint->Stop(/*flush=*/true);
  EXPECT_TRUE(receiver_.Stored().empty());
}

TEST_F(SenderTest, ACleanStopSendsWhatIsThere) {
  auto sender = Sender::Create(options_);
  config_.fingerprint = "x";
  config_.queue.batch_send_deadline_ms = 3600'000;
  ASSERT_TRUE(sender->Apply({config_}, {}).ok());
  clock_.AdvanceMs(15'000);
  Append("a", clock_.NowMs(), 1);
  sender->Stop();
  EXPECT_EQ(receiver_.Stored(), Lines{"a 1@1015000"});
}

}  // namespace
}  // namespace narthex::remote
