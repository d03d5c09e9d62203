#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "base/http_server.h"
#include "base/strings.h"
#include "discovery/discovery.h"
#include "tests/support/raw_server.h"

namespace narthex::discovery {
namespace {

class WatcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "narthex_watcher_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    std::error_code error;
    std::filesystem::remove_all(dir_, error);
  }

  // Each write gets a modification time of its own, however fast the test is.
  void Write(const std::string& name, std::string_view text) {
    std::string path = Path(name);
    std::ofstream(path, std::ios::binary) << text;
    ++writes_;
    timespec times[2] = {{1'000'000 + writes_, 0}, {1'000'000 + writes_, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  std::string Path(const std::string& name) const { return dir_ + "/" + name; }

  void Watch(Configs configs) { watcher_ = Watcher::Create(std::move(configs), &http_, &clock_, &logger_); }
  void WatchFiles(std::vector<std::string> names) {
    Configs configs;
    Configs::FileSd& section = configs.file_sd.emplace_back();
    for (const std::string& name : names) section.files.push_back(Path(name));
    Watch(std::move(configs));
  }

  // The addresses known now, one after the other.
  std::string Addresses() {
    std::string out;
    for (const TargetGroup& group : watcher_->Current()) {
      for (const Labels& target : group.targets) StrAppend(&out, target.Get("__address__"), " ");
    }
    return out;
  }

  std::string dir_;
  int writes_ = 0;
  FakeClock clock_{1'700'000'000'000};
  std::string log_;
  Logger logger_{LogLevel::kInfo, LogFormat::kLogfmt, &clock_,
                 [this](std::string_view line) { StrAppend(&log_, line, "\n"); }};
  HttpClient http_;
  std::unique_ptr<Watcher> watcher_;
};

TEST_F(WatcherTest, StaticGroupsAreAlwaysThere) {
  Configs configs;
  configs.static_groups = {{{Labels{{"__address__", "a:1"}}}, Labels{{"env", "x"}}, "0"}};
  Watch(std::move(configs));
  EXPECT_EQ(Addresses(), "a:1 ");
  EXPECT_EQ(watcher_->Current()[0].labels.Get("env"), "x");
}

TEST_F(WatcherTest, FilesThatMatchAreRead) {
  Write("a.yml", "[{targets: ['a:1'], labels: {env: x}}]");
  Write("b.yml", "[{targets: ['b:1', 'b:2']}]");
  Write("c.json", "[{\"targets\": [\"c:1\"]}]");
  WatchFiles({"*.yml", "none.json"});
  EXPECT_EQ(Addresses(), "a:1 b:1 b:2 ");
  EXPECT_EQ(watcher_->Current()[0].labels, (Labels{{"__meta_filepath", Path("a.yml")}, {"env", "x"}}));
  EXPECT_EQ(log_, "");
}

TEST_F(WatcherTest, ChangedNewAndRemovedFilesAreSeen) {
  Write("a.yml", "[{targets: ['a:1']}]");
  WatchFiles({"*.yml"});
  EXPECT_EQ(Addresses(), "a:1 ");
  Write("a.yml", "[{targets: ['a:2']}]");
  EXPECT_EQ(Addresses(), "a:2 ");
  Write("b.yml", "[{targets: ['b:1']}]");
  EXPECT_EQ(Addresses(), "a:2 b:1 ");
  std::filesystem::remove(Path("a.yml"));
  EXPECT_EQ(Addresses(), "b:1 ");
}

TEST_F(WatcherTest, AFileThatAppearsLaterIsFound) {
  WatchFiles({"late.yml"});
  EXPECT_EQ(Addresses(), "");
  Write("late.yml", "[{targets: ['a:1']}]");
  EXPECT_EQ(Addresses(), "a:1 ");
}

TEST_F(WatcherTest, AnUnchangedFileIsNotReadAgain) {
  Write("a.yml", "[{targets: ['a:1']}]");
  WatchFiles({"a.yml"});
  EXPECT_EQ(Addresses(), "a:1 ");
  // The same size and the same time: nothing tells that it changed.
  std::ofstream(Path("a.yml")) << "[{targets: ['z:9']}]";
  timespec times[2] = {{1'000'000 + writes_, 0}, {1'000'000 + writes_, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, Path("a.yml").c_str(), times, 0), 0);
  EXPECT_EQ(Addresses(), "a:1 ");
}

TEST_F(WatcherTest, ABrokenFileKeepsItsLastTargetsAndIsReportedOnce) {
  Write("a.yml", "[{targets: ['a:1']}]");
  WatchFiles({"a.yml"});
  EXPECT_EQ(Addresses(), "a:1 ");
  Write("a.yml", "[{targats: ['a:2']}]");
  EXPECT_EQ(Addresses(), "a:1 ");
  EXPECT_NE(log_.find("field targats not found"), log_.npos) << log_;
  EXPECT_NE(log_.find(Path("a.yml")), log_.npos) << log_;
  log_.clear();
  EXPECT_EQ(Addresses(), "a:1 ");
  EXPECT_EQ(log_, "");
  Write("a.yml", "[{targets: ['a:3']}]");
  EXPECT_EQ(Addresses(), "a:3 ");
}

TEST_F(WatcherTest, AnUnreadableFileKeepsItsLastTargets) {
  Write("a.yml", "[{targets: ['a:1']}]");
  WatchFiles({"a.yml"});
  EXPECT_EQ(Addresses(), "a:1 ");
  std::filesystem::remove(Path("a.yml"));
  std::filesystem::create_directory(Path("a.yml"));
  EXPECT_EQ(Addresses(), "a:1 ");
  EXPECT_NE(log_.find("Error reading file"), log_.npos) << log_;
}

TEST_F(WatcherTest, AFileThatTwoPatternsNameCountsOnce) {
  Write("a.yml", "[{targets: ['a:1']}]");
  WatchFiles({"*.yml", "a.yml"});
  EXPECT_EQ(Addresses(), "a:1 ");
  EXPECT_EQ(Addresses(), "a:1 ");
}

TEST_F(WatcherTest, UnsupportedDiscoveryIsNamedOnceInTheLog) {
  Configs configs;
  configs.unsupported = {"consul_sd_configs"};
  Watch(std::move(configs));
  EXPECT_NE(log_.find("consul_sd_configs"), log_.npos);
  log_.clear();
  EXPECT_EQ(Addresses(), "");
  EXPECT_EQ(log_, "");
}

// Records as the test says, asked without a network.
class DnsDiscoveryTest : public WatcherTest {
 protected:
  void WatchDns(const std::string& type, int64_t port) {
    Configs configs;
    configs.dns_sd.push_back({{"x.example"}, type, port, 30'000});
    WatcherOptions options;
    options.http = &http_;
    options.clock = &clock_;
    options.logger = &logger_;
    options.metrics = &metrics_;
    options.dns = [this](const std::string& name, const std::string& type) {
      ++asked_;
      return answer_;
    };
    watcher_ = Watcher::Create(std::move(configs), std::move(options));
  }
  Labels First() { return watcher_->Current().at(0).targets.at(0); }

  int asked_ = 0;
  absl::StatusOr<std::vector<DnsRecord>> answer_ = std::vector<DnsRecord>();
  MetricsRegistry metrics_;
};

TEST_F(DnsDiscoveryTest, AddressesCarryThePortAndTheName) {
  answer_ = std::vector<DnsRecord>{{"10.0.0.1"}, {"10.0.0.2"}};
  WatchDns("A", 9100);
  EXPECT_EQ(Addresses(), "10.0.0.1:9100 10.0.0.2:9100 ");
  EXPECT_EQ(First(), (Labels{{"__address__", "10.0.0.1:9100"}, {"__meta_dns_name", "x.example"}}));
  answer_ = std::vector<DnsRecord>{{"2001:db8::1"}};
  WatchDns("AAAA", 9100);
  EXPECT_EQ(Addresses(), "[2001:db8::1]:9100 ");
}

TEST_F(DnsDiscoveryTest, ServiceRecordsBringTheirPorts) {
  answer_ = std::vector<DnsRecord>{{"host.example", 1234}};
  WatchDns("SRV", 0);
  EXPECT_EQ(First(), (Labels{{"__address__", "host.example:1234"},
                             {"__meta_dns_name", "x.example"},
                             {"__meta_dns_srv_record_port", "1234"},
                             {"__meta_dns_srv_record_target", "host.example."}}));
  WatchDns("MX", 25);
  EXPECT_EQ(First(), (Labels{{"__address__", "host.example:25"},
                             {"__meta_dns_mx_record_target", "host.example."},
                             {"__meta_dns_name", "x.example"}}));
  WatchDns("NS", 53);
  EXPECT_EQ(First().Get("__meta_dns_ns_record_target"), "host.example.");
}

TEST_F(DnsDiscoveryTest, AFailureKeepsTheLastAnswerAndIsCounted) {
  answer_ = std::vector<DnsRecord>{{"10.0.0.1"}};
  WatchDns("A", 1);
  EXPECT_EQ(Addresses(), "10.0.0.1:1 ");
  answer_ = absl::UnavailableError("could not resolve \"x.example\": no servers returned a viable answer");
  clock_.AdvanceMs(30'000);
  EXPECT_EQ(Addresses(), "10.0.0.1:1 ");
  EXPECT_EQ(asked_, 2);
  EXPECT_NE(log_.find("could not resolve"), log_.npos) << log_;
  EXPECT_NE(metrics_.Expose().find("prometheus_sd_dns_lookup_failures_total 1\n"), std::string::npos);
  answer_ = std::vector<DnsRecord>();
  clock_.AdvanceMs(30'000);
  EXPECT_EQ(Addresses(), "") << "a name that is gone has no targets";
}

// A discovery server whose answer the test sets.
class HttpDiscoveryTest : public WatcherTest {
 protected:
  void SetUp() override {
    WatcherTest::SetUp();
    HttpServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    auto server = HttpServer::Start(options, [this](const HttpRequest& request, HttpResponseWriter& out) {
      ++asked_;
      absl::MutexLock lock(&mutex_);
      for (const auto& [name, value] : request.headers) {
        if (absl::EqualsIgnoreCase(name, "X-Prometheus-Refresh-Interval-Seconds")) interval_ = value;
      }
      out.Send(code_, "application/json", body_);
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    url_ = StrCat("http://127.0.0.1:", server_->ports()[0], "/targets");
    Configs configs;
    configs.http_sd.push_back({url_, 60'000, std::make_shared<HttpClientConfig>()});
    Watch(std::move(configs));
  }
  void Answer(int code, std::string body) {
    absl::MutexLock lock(&mutex_);
    code_ = code;
    body_ = std::move(body);
  }

  std::atomic<int> asked_ = 0;
  absl::Mutex mutex_;
  int code_ ABSL_GUARDED_BY(mutex_) = 200;
  std::string body_ ABSL_GUARDED_BY(mutex_) = R"([{"targets": ["a:1"], "labels": {"k": "v"}}])";
  std::string interval_ ABSL_GUARDED_BY(mutex_);
  std::string url_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpDiscoveryTest, AnswersBecomeTargets) {
  std::vector<TargetGroup> groups = watcher_->Current();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].targets, std::vector<Labels>{(Labels{{"__address__", "a:1"}})});
  EXPECT_EQ(groups[0].labels, (Labels{{"__meta_url", url_}, {"k", "v"}}));
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(interval_, "60");
}

TEST_F(HttpDiscoveryTest, TheServerIsAskedAgainWhenDue) {
  EXPECT_EQ(Addresses(), "a:1 ");
  Answer(200, R"([{"targets": ["b:1"]}])");
  clock_.AdvanceMs(59'999);
  EXPECT_EQ(Addresses(), "a:1 ");
  EXPECT_EQ(asked_, 1);
  clock_.AdvanceMs(1);
  EXPECT_EQ(Addresses(), "b:1 ");
  EXPECT_EQ(asked_, 2);
}

// Only elapsed time counts: a wall clock set back or forth asks neither early nor late.
TEST_F(HttpDiscoveryTest, StepsOfTheWallClockDoNotMatter) {
  EXPECT_EQ(Addresses(), "a:1 ");
  clock_.StepWall(3'600'000);
  Addresses();
  EXPECT_EQ(asked_, 1);
  clock_.StepWall(-7'200'000);
  clock_.AdvanceMs(60'000);
  Addresses();
  EXPECT_EQ(asked_, 2);
}

TEST_F(HttpDiscoveryTest, AnInterruptedWatcherDoesNotWaitForAServerThatHangs) {
  testing::RawServer hanging([](testing::RawServer::Connection& c) { c.WaitForClient(); });
  Configs configs;
  configs.http_sd.push_back(
      {StrCat("http://", hanging.address(), "/"), 3'600'000, std::make_shared<HttpClientConfig>()});
  Watch(std::move(configs));
  std::thread asking([this] { EXPECT_EQ(Addresses(), ""); });
  while (hanging.requests() == 0) std::this_thread::yield();
  watcher_->Interrupt();
  asking.join();
  clock_.AdvanceMs(3'600'000);
  EXPECT_EQ(Addresses(), "");
  EXPECT_EQ(hanging.requests(), 1);
}

TEST_F(HttpDiscoveryTest, AFailureKeepsTheLastAnswer) {
  EXPECT_EQ(Addresses(), "a:1 ");
  Answer(500, "[]");
  clock_.AdvanceMs(60'000);
  EXPECT_EQ(Addresses(), "a:1 ");
  EXPECT_NE(log_.find("server returned HTTP status 500 Internal Server Error"), log_.npos) << log_;
  Answer(200, "{not a list");
  clock_.AdvanceMs(60'000);
  EXPECT_EQ(Addresses(), "a:1 ");
  Answer(200, "[]");
  clock_.AdvanceMs(60'000);
  EXPECT_EQ(Addresses(), "");
}

}  // namespace
}  // namespace narthex::discovery
