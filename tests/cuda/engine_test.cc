// The engine's whole way over a device, with the host's code in its place: every script of tests/promql
// again, and random queries on a real store, whose answers must have the CPU's bits.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <unistd.h>

#include "base/strings.h"
#include "gtest/gtest.h"
#include "promql/devices.h"
#include "promql/promql.h"
#include "promql/script/script.h"
#include "tests/cuda/rows.h"
#include "tsdb/tsdb.h"

namespace narthex::promql {
namespace {

class DeviceTest : public ::testing::Test {
 protected:
  DeviceTest()
      : logger_(LogLevel::kInfo, LogFormat::kLogfmt, &SystemClock(),
                [this](std::string_view line) { log_.append(line); }) {
    cuda::SetHostFaults(&faults_);
  }
  ~DeviceTest() override { cuda::SetHostFaults(nullptr); }

  DevicesOptions HostOptions(KernelMode mode, int64_t cache_bytes = 8 << 20) {
    DevicesOptions options;
    options.mode = mode;
    options.api = cuda::HostDevice();
    options.device.cache_bytes = cache_bytes;
    options.clock = &SystemClock();
    options.logger = &logger_;
    options.metrics = &metrics_;
    return options;
  }
  std::unique_ptr<Devices> Open(KernelMode mode = KernelMode::kCuda, int64_t cache_bytes = 8 << 20) {
    return Devices::Create(HostOptions(mode, cache_bytes));
  }
  // The value of a line of the exposition; -1 if there is none.
  double Metric(const std::string& line) const {
    const std::string text = metrics_.Expose();
    const size_t at = text.find("\n" + line + " ");
    return at == text.npos ? -1 : std::stod(text.substr(at + line.size() + 2));
  }
  double Ran() const { return Metric("narthex_promql_device_queries_total{backend=\"device\"}"); }
  double Fallbacks(const std::string& reason) const {
    return Metric(StrCat("narthex_promql_device_fallbacks_total{reason=\"", reason, "\"}"));
  }

  cuda::HostFaults faults_;
  MetricsRegistry metrics_;
  std::string log_;
  Logger logger_;
};

class DeviceScripts : public DeviceTest, public ::testing::WithParamInterface<std::string> {};

std::vector<std::string> ScriptFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/promql")) {
    if (entry.path().extension() == ".test") files.push_back(entry.path().string());
  }
  files.push_back("tests/cuda/device.test");
  std::sort(files.begin(), files.end());
  return files;
}

TEST_P(DeviceScripts, SayTheSameWithADevice) {
  std::ifstream in(GetParam());
  std::stringstream text;
  text << in.rdbuf();
  const std::unique_ptr<Devices> devices = Open();
  ScriptOptions options;
  options.clock = &SystemClock();
  options.devices = devices.get();
  const ScriptReport report = RunScript(text.str(), options);
  EXPECT_GT(report.passed, 0);
  for (const ScriptFailure& failure : report.failures) {
    ADD_FAILURE_AT(GetParam().c_str(), failure.line) << failure.message;
  }
  if (GetParam() == "tests/cuda/device.test") {
    EXPECT_GT(Ran(), 100);
  }
  EXPECT_EQ(Fallbacks("lost"), 0);
}

INSTANTIATE_TEST_SUITE_P(All, DeviceScripts, ::testing::ValuesIn(ScriptFiles()),
                         [](const ::testing::TestParamInfo<std::string>& info) {
                           return std::filesystem::path(info.param).stem().string();
                         });

// A store with counters, gauges, histograms with gaps and late samples; part of it sealed.
class DeviceStore : public DeviceTest {
 protected:
  static constexpr size_t kMany = 60;
  static constexpr int64_t kStart = 1'700'000'000'000, kEnd = kStart + 3 * 3600'000;

  DeviceStore() : clock_(kStart) {
    path_ = StrCat(::testing::TempDir(), "/narthex-device-", getpid());
    std::filesystem::remove_all(path_);
    tsdb::Options options;
    options.path = path_;
    options.background_work = false;
    options.out_of_order_window_ms = 600'000;
    options.clock = &clock_;
    options.logger = &logger_;
    options.metrics = &store_metrics_;
    db_ = *tsdb::Db::Open(options);
    Write();
  }
  ~DeviceStore() override {
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  void Write() {
    std::mt19937_64 random(5);
    constexpr int kTargets = 7;
    const std::vector<std::string> bounds = {"0.1", "0.5", "1", "2.5", "+Inf"};
    std::vector<std::unique_ptr<tsdb::GroupAppender>> groups;
    std::vector<std::vector<tsdb::Slot>> slots(kTargets);
    for (int t = 0; t < kTargets; ++t) {
      const std::string instance = StrCat("host", t, ":80");
      groups.push_back(*db_->OpenGroup(Labels({{"instance", instance}, {"job", "x"}})));
      const auto add = [&](std::string_view name, std::string_view label, std::string_view value) {
        slots[t].push_back(*groups[t]->AddSeries(
            Labels({{"__name__", name}, {"instance", instance}, {"job", "x"}, {label, value}})));
      };
      for (const std::string& le : bounds) add("h_bucket", "le", le);
      for (int i = 0; i < 9; ++i) add("c_total", "path", StrCat("/", i));
      for (int i = 0; i < 9; ++i) add("g", "part", StrCat(i));
      for (size_t i = 0; i < kMany; ++i) add("many_total", "number", StrCat(i));
    }
    std::vector<std::vector<double>> values(kTargets, std::vector<double>(23 + kMany, 0));
    for (int64_t t = kStart; t < kEnd; t += 15'000) {
      clock_.AdvanceMs(t - clock_.NowMs());
      for (int k = 0; k < kTargets; ++k) {
        if (random() % 90 == 0) continue;
        groups[k]->Begin(t + k * 100);
        double sum = 0;
        for (size_t i = 0; i < 23 + kMany; ++i) {
          double& v = values[k][i];
          if (i < 5) {
            sum += static_cast<double>(random() % 7);
            v += sum;
          } else if (i < 14) {
            if (random() % 200 == 0) v = 0;
            if (i % 3 != 0) v += static_cast<double>(random() % 100000) / (i % 2 == 0 ? 1 : 1000);
          } else if (i >= 23) {
            v += static_cast<double>(random() % 9);
          } else {
            v = i == 14 ? std::exp(static_cast<double>(random() % 1000) / 50)
                        : static_cast<double>(random() % 50) / 4;
          }
          if (i == 8 && random() % 10 == 0) continue;  // gaps, and with them stale markers
          groups[k]->Set(slots[k][i], v);
        }
        ASSERT_TRUE(groups[k]->Commit().ok());
      }
      if (t != kStart + 7200'000) continue;
      ASSERT_TRUE(db_->Maintain(/*force_seal=*/false).ok());
    }
    // Loose samples, some of them late.
    std::unique_ptr<tsdb::Appender> loose = db_->NewAppender();
    tsdb::SeriesRef ref = 0;
    const Labels labels = Labels({{"__name__", "c_total"}, {"instance", "pushed"}, {"job", "y"}});
    for (int i = 0; i < 200; ++i) {
      tsdb::Sample s;
      s.t = kEnd - 400'000 + (i * 7919 % 200) * 2000;
      s.v = static_cast<double>(s.t - kStart);
      (void)loose->Append(&ref, labels, s);
    }
    ASSERT_TRUE(loose->Commit().ok());
  }

  QueryParams Params(const std::string& query, int64_t step_ms) {
    QueryParams params;
    params.query = query;
    params.start_ms = step_ms > 0 ? kStart + 300'000 : kEnd - 60'000;
    params.end_ms = kEnd;
    params.step_ms = step_ms;
    return params;
  }

  Result Run(Devices* devices, const QueryParams& params, int threads = 1) {
    MetricsRegistry metrics;
    EngineOptions options;
    options.clock = &SystemClock();
    options.metrics = &metrics;
    options.devices = devices;
    options.threads = threads;
    options.min_shared_samples = 1;
    Engine engine(options);
    absl::StatusOr<Result> result = engine.Run(*db_, params);
    EXPECT_TRUE(result.ok()) << params.query << ": " << result.status().message();
    return result.ok() ? *result : Result();
  }

  static void ExpectSame(const Result& want, const Result& got, const std::string& query) {
    SCOPED_TRACE(query);
    ASSERT_EQ(got.series.size(), want.series.size());
    EXPECT_EQ(got.stats.samples, want.stats.samples);
    EXPECT_EQ(got.warnings, want.warnings);
    EXPECT_EQ(got.infos, want.infos);
    for (size_t s = 0; s < want.series.size(); ++s) {
      EXPECT_EQ(got.series[s].labels, want.series[s].labels);
      ASSERT_EQ(got.series[s].floats.size(), want.series[s].floats.size());
      for (size_t i = 0; i < want.series[s].floats.size(); ++i) {
        ASSERT_EQ(got.series[s].floats[i].t, want.series[s].floats[i].t);
        ASSERT_EQ(cuda::Bits(got.series[s].floats[i].v), cuda::Bits(want.series[s].floats[i].v))
            << got.series[s].floats[i].v << " for " << want.series[s].floats[i].v;
      }
    }
  }

  FakeClock clock_;
  std::string path_;
  MetricsRegistry store_metrics_;
  std::unique_ptr<tsdb::Db> db_;
};

constexpr const char* kQueries[] = {
    "sum by (le, instance)(rate(h_bucket[5m]))",
    "sum(rate(c_total[5m]))",
    "avg by (path)(increase(c_total[2m]))",
    "min by (instance)(irate(c_total[5m]))",
    "max without (path)(resets(c_total[10m]))",
    "count by (job)(changes(g[5m]))",
    "stddev by (instance)(avg_over_time(g[7m]))",
    "stdvar(sum_over_time(g[1h]))",
    "group by (part)(last_over_time(g[1m]))",
    "sum by (part)(stddev_over_time(g[5m] offset 3m))",
    "sum by (instance)(delta(g[5m]))",
    "sum(rate(g[5m]))",
    "topk(3, rate(c_total[5m]))",
    "bottomk by (instance) (2, max_over_time(g[5m]))",
    "histogram_quantile(0.9, sum by (le)(rate(h_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le, instance)(rate(h_bucket[5m])))",
    "histogram_fraction(0.2, 2, sum by (le, instance)(rate(h_bucket[5m])))",
    "histogram_quantile(0.5, sum by (le)(delta(h_bucket[1m])))",
    "sum by (path)(count_over_time(c_total[5m] @ 1700005000))",
};

TEST_F(DeviceStore, GivesTheCpusBits) {
  const std::unique_ptr<Devices> devices = Open();
  double ran = 0;
  for (const char* query : kQueries) {
    for (int64_t step : {0, 7'000, 60'000, 900'000}) {
      const QueryParams params = Params(query, step);
      ExpectSame(Run(nullptr, params), Run(devices.get(), params), query);
      EXPECT_EQ(Ran(), ++ran) << query;
    }
  }
  EXPECT_GT(Metric("narthex_promql_device_cache_hits_total"), 0);
}

TEST_F(DeviceStore, KeepsToItsCacheBudgetAndStillAnswersRight) {
  faults_.memory = 12 << 20;
  const std::unique_ptr<Devices> devices = Open(KernelMode::kCuda, 20'000);
  for (const char* query : kQueries) {
    const QueryParams params = Params(query, 60'000);
    ExpectSame(Run(nullptr, params), Run(devices.get(), params), query);
  }
  EXPECT_LE(Metric("narthex_promql_device_cache_bytes"), 20'000);
}

// Queries share the cache, and wait for nobody.
TEST_F(DeviceStore, AnswersManyQueriesAtOnce) {
  const std::unique_ptr<Devices> devices = Open(KernelMode::kCuda, 30'000);
  std::vector<Result> want;
  for (const char* query : kQueries) want.push_back(Run(nullptr, Params(query, 60'000)));
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 2 * std::size(kQueries); ++i) {
        const size_t q = (i * (t + 1) + t) % std::size(kQueries);
        ExpectSame(want[q], Run(devices.get(), Params(kQueries[q], 60'000)), kQueries[q]);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(Fallbacks("lost") + Fallbacks("memory") + Fallbacks("data"), 0);
}

// Whenever the device goes away, the same query is answered by the CPU.
TEST_F(DeviceStore, AnswersTheQueryDuringWhichTheDeviceIsLost) {
  const QueryParams params = Params(kQueries[0], 60'000);
  const Result want = Run(nullptr, params);
  int fell = 0;
  for (int64_t after = 0; after < 40; ++after) {
    faults_.lost_after = after;
    MetricsRegistry metrics;
    DevicesOptions options = HostOptions(KernelMode::kCuda, 0);
    options.metrics = &metrics;
    const std::unique_ptr<Devices> devices = Devices::Create(options);
    ExpectSame(want, Run(devices.get(), params), "lost");
    if (devices->available()) continue;
    ++fell;
    ExpectSame(want, Run(devices.get(), params), "after it was lost");
  }
  EXPECT_GT(fell, 5);
  EXPECT_LT(fell, 40);
  EXPECT_NE(log_.find("The device failed: queries run on the CPU from now on"), std::string::npos);
}

// Several threads read; the batches are added in their order, so that sums have the same bits.
TEST_F(DeviceStore, ReadsWithSeveralThreads) {
  DeviceApi api = *cuda::HostDevice();
  static int batches;
  api.add = [](void* query, const DeviceBatch* batch) {
    ++batches;
    return cuda::HostDevice()->add(query, batch);
  };
  DevicesOptions options = HostOptions(KernelMode::kCuda);
  options.api = &api;
  const std::unique_ptr<Devices> devices = Devices::Create(options);
  const QueryParams params = Params("sum by (instance)(rate(many_total[5m]))", 1000);
  const Result want = Run(nullptr, params);
  for (int threads : {1, 4}) {
    for (const char* run : {"first", "again"}) {
      batches = 0;
      ExpectSame(want, Run(devices.get(), params, threads), run);
      EXPECT_EQ(batches, threads == 1 ? 1 : 3);
    }
  }
}

// The second time the device has all stripes: storage is not asked for them.
TEST_F(DeviceStore, ReadsNoStripeThatTheDeviceHas) {
  DeviceApi api = *cuda::HostDevice();
  static int with_bytes, all;
  api.add = [](void* query, const DeviceBatch* batch) {
    for (uint32_t i = 0; i < batch->stripe_count; ++i) {
      if (batch->stripes[i].key[0] == 0) continue;
      ++all;
      with_bytes += batch->stripes[i].bytes != nullptr ? 1 : 0;
    }
    return cuda::HostDevice()->add(query, batch);
  };
  DevicesOptions options = HostOptions(KernelMode::kCuda);
  options.api = &api;
  const std::unique_ptr<Devices> devices = Devices::Create(options);
  const QueryParams params = Params("sum by (le, instance)(rate(h_bucket[5m]))", 60'000);
  const Result want = Run(nullptr, params);
  with_bytes = all = 0;
  ExpectSame(want, Run(devices.get(), params), "first");
  EXPECT_GT(all, 0);
  EXPECT_EQ(with_bytes, all);
  with_bytes = all = 0;
  ExpectSame(want, Run(devices.get(), params), "again");
  EXPECT_GT(all, 0);
  EXPECT_EQ(with_bytes, 0);
}

// It says that it has all stripes, and has none: they are read after all, in the same query.
TEST_F(DeviceStore, AnswersWhenStripesAreEvictedMeanwhile) {
  const std::unique_ptr<Devices> filled = Open();
  const QueryParams params = Params("sum by (le, instance)(rate(h_bucket[5m]))", 60'000);
  const Result want = Run(nullptr, params);
  ExpectSame(want, Run(filled.get(), params), "so that the directories are known");
  DeviceApi api = *cuda::HostDevice();
  static int missing;
  missing = 0;
  api.resident = [](void*, const DeviceStripe*, uint32_t count) { return count; };
  api.add = [](void* query, const DeviceBatch* batch) {
    const int32_t status = cuda::HostDevice()->add(query, batch);
    missing += status == kDeviceMissing ? 1 : 0;
    return status;
  };
  MetricsRegistry metrics;
  DevicesOptions options = HostOptions(KernelMode::kCuda);
  options.api = &api;
  options.metrics = &metrics;
  const std::unique_ptr<Devices> devices = Devices::Create(options);
  ExpectSame(want, Run(devices.get(), params), "evicted");
  EXPECT_EQ(missing, 1);
  EXPECT_NE(metrics.Expose().find("narthex_promql_device_queries_total{backend=\"device\"} 1"),
            std::string::npos);
  EXPECT_EQ(metrics.Expose().find("fallbacks_total{reason=\"data\"} 1"), std::string::npos);
}

TEST_F(DeviceStore, AnswersWhenTheDeviceHasNoMemory) {
  const std::unique_ptr<Devices> devices = Open();
  faults_.memory = 1000;
  const QueryParams params = Params(kQueries[0], 60'000);
  ExpectSame(Run(nullptr, params), Run(devices.get(), params), "no memory");
  EXPECT_EQ(Fallbacks("memory"), 1);
  EXPECT_EQ(Ran(), 0);
  EXPECT_TRUE(devices->available());
}

TEST_F(DeviceStore, TheModelKeepsSmallQueriesOnTheCpu) {
  const std::unique_ptr<Devices> devices = Open(KernelMode::kAuto);
  const QueryParams params = Params("sum(rate(c_total[5m]))", 0);
  ExpectSame(Run(nullptr, params), Run(devices.get(), params), params.query);
  EXPECT_EQ(Ran(), 0);
  EXPECT_EQ(Metric("narthex_promql_device_queries_total{backend=\"cpu\"}"), 1);
  EXPECT_GT(Metric("narthex_promql_device_actual_seconds_total{backend=\"cpu\"}"), 0);
  EXPECT_GT(Metric("narthex_promql_device_predicted_seconds_total{backend=\"cpu\"}"), 0);
}

TEST_F(DeviceStore, ExplainSaysWhereItRan) {
  const std::unique_ptr<Devices> devices = Open();
  MetricsRegistry metrics;
  EngineOptions options;
  options.clock = &SystemClock();
  options.metrics = &metrics;
  options.devices = devices.get();
  Engine engine(options);
  const QueryParams params = Params("sum(rate(c_total[5m]))", 60'000);
  const std::string plan = *engine.Explain(*db_, params, /*run=*/false);
  EXPECT_NE(plan.find("DeviceChoice sum(rate): may run on host"), std::string::npos) << plan;
  const std::string run = *engine.Explain(*db_, params, /*run=*/true);
  EXPECT_NE(run.find("DeviceChoice sum(rate): on host"), std::string::npos) << run;
}

// With the rates of a large GPU.
TEST_F(DeviceTest, TheModelTakesTheDeviceForLargeWorkUntilItTurnsOutSlow) {
  DeviceApi api = *cuda::HostDevice();
  api.info = [](void* device, DeviceInfo* out) {
    cuda::HostDevice()->info(device, out);
    out->copy_rate = 5e10;
    out->device_rate = 3e12;
    out->sample_rate = 1.8e11;
    out->launch_seconds = 1e-5;
  };
  DevicesOptions options = HostOptions(KernelMode::kAuto, 0);
  options.api = &api;
  const std::unique_ptr<Devices> devices = Devices::Create(options);
  DeviceWork large;
  large.series = 1e6;
  large.samples = 1.44e9;
  large.bytes = large.resident = 5.76e8;
  large.outputs = 3.6e8;
  large.results = 4e6;
  const Devices::Choice first = devices->Choose(large);
  EXPECT_TRUE(first.device);
  EXPECT_GT(first.cpu_seconds, 3 * first.device_seconds);
  DeviceWork cold = large;
  cold.resident = 0;
  EXPECT_GE(devices->Choose(cold).device_seconds, first.device_seconds);
  DeviceWork small;
  small.series = 100;
  small.samples = 2000;
  small.bytes = 4000;
  small.outputs = 100;
  small.results = 1;
  EXPECT_FALSE(devices->Choose(small).device);
  for (int i = 0; i < 20; ++i) devices->Report(devices->Choose(large), /*on_device=*/true, 100);
  EXPECT_FALSE(devices->Choose(large).device);
  EXPECT_EQ(Ran(), 20);
  const Devices::Choice now = devices->Choose(large);
  for (int i = 0; i < 1000; ++i) devices->Report(now, /*on_device=*/false, now.cpu_seconds);
  EXPECT_TRUE(devices->Choose(large).device);
}

TEST_F(DeviceTest, AGpuInsideTheProcessorIsUsedOnlyIfAskedFor) {
  DeviceApi api = *cuda::HostDevice();
  api.info = [](void* device, DeviceInfo* out) {
    cuda::HostDevice()->info(device, out);
    out->integrated = 1;
  };
  DevicesOptions options = HostOptions(KernelMode::kAuto, 0);
  options.api = &api;
  EXPECT_FALSE(Devices::Create(options)->available());
  options.mode = KernelMode::kCuda;
  EXPECT_TRUE(Devices::Create(options)->available());
}

TEST_F(DeviceTest, WithoutADeviceOneLineSaysSo) {
  faults_.opens = false;
  const std::unique_ptr<Devices> devices = Open();
  EXPECT_FALSE(devices->available());
  EXPECT_NE(log_.find("Queries run on the CPU: no device"), std::string::npos) << log_;
  EXPECT_NE(log_.find("the host device was told not to open"), std::string::npos) << log_;
  EXPECT_EQ(std::count(log_.begin(), log_.end(), '\n'), log_.ends_with("\n") ? 1 : 0);
}

TEST_F(DeviceTest, WithoutALibraryOneLineSaysSo) {
  DevicesOptions options = HostOptions(KernelMode::kAuto, 0);
  options.api = nullptr;
  options.libraries = {"/nonexistent/libnarthex_cuda.so"};
  const std::unique_ptr<Devices> devices = Devices::Create(options);
  EXPECT_FALSE(devices->available());
  EXPECT_NE(log_.find("/nonexistent/libnarthex_cuda.so"), std::string::npos) << log_;
  EXPECT_EQ(Metric("narthex_promql_device_available"), 0);
}

}  // namespace
}  // namespace narthex::promql
