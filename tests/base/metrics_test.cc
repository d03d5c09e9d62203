#include "base/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

namespace narthex {
namespace {

TEST(Metrics, CountersAndGaugesAreExposedWithTheirHeadings) {
  MetricsRegistry registry;
  registry.GetCounter("requests_total", "Requests.")->Add(3);
  registry.GetGauge("depth", "Depth of the queue.")->Set(-1.5);
  EXPECT_EQ(registry.Expose(),
            "# HELP depth Depth of the queue.\n# TYPE depth gauge\ndepth -1.5\n"
            "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total 3\n");
}

TEST(Metrics, EqualNameAndLabelsAreOneMetric) {
  MetricsRegistry registry;
  Counter* a = registry.GetCounter("c", "h", {{"job", "x"}});
  EXPECT_EQ(registry.GetCounter("c", "h", {{"job", "x"}}), a);
  EXPECT_NE(registry.GetCounter("c", "h", {{"job", "y"}}), a);
  a->Add();
  a->Add(0.5);
  EXPECT_EQ(a->value(), 1.5);
}

TEST(Metrics, ChildrenOfAFamilyShareOneHeading) {
  MetricsRegistry registry;
  registry.GetGauge("g", "h", {{"b", "2"}})->Set(2);
  registry.GetGauge("g", "h", {{"a", "1"}, {"b", "x"}})->Set(1);
  EXPECT_EQ(registry.Expose(), "# HELP g h\n# TYPE g gauge\ng{a=\"1\",b=\"x\"} 1\ng{b=\"2\"} 2\n");
}

TEST(Metrics, TextIsEscaped) {
  MetricsRegistry registry;
  registry.GetGauge("g", "back\\slash\nand \"quotes\"", {{"path", "C:\\\"x\"\n"}});
  EXPECT_EQ(registry.Expose(),
            "# HELP g back\\\\slash\\nand \"quotes\"\n# TYPE g gauge\ng{path=\"C:\\\\\\\"x\\\"\\n\"} 0\n");
}

TEST(Metrics, ValuesHaveTheFormOfTheFormat) {
  MetricsRegistry registry;
  registry.GetGauge("a", "h")->Set(std::nan(""));
  registry.GetGauge("b", "h")->Set(INFINITY);
  registry.GetGauge("c", "h")->Set(1e21);
  std::string text = registry.Expose();
  EXPECT_NE(text.find("\na NaN\n"), text.npos) << text;
  EXPECT_NE(text.find("\nb +Inf\n"), text.npos) << text;
  EXPECT_NE(text.find("\nc 1e+21\n"), text.npos) << text;
}

TEST(Metrics, HistogramBucketsAreCumulativeAndIncludeTheirBound) {
  HistogramMetric histogram({0.5, 1});
  for (double v : {0.25, 0.5, 0.75, 1.0, 7.0}) histogram.Observe(v);
  std::string out;
  histogram.Write("h", {{"job", "x"}}, &out);
  EXPECT_EQ(out,
            "h_bucket{job=\"x\",le=\"0.5\"} 2\nh_bucket{job=\"x\",le=\"1\"} 4\n"
            "h_bucket{job=\"x\",le=\"+Inf\"} 5\nh_sum{job=\"x\"} 9.5\nh_count{job=\"x\"} 5\n");
}

TEST(Metrics, NanIsInNoFiniteBucket) {
  HistogramMetric histogram({1});
  histogram.Observe(std::nan(""));
  std::string out;
  histogram.Write("h", {}, &out);
  EXPECT_EQ(out, "h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 1\nh_sum NaN\nh_count 1\n");
}

TEST(Metrics, CallbacksAreAskedAtEachExposition) {
  MetricsRegistry registry;
  int asked = 0;
  registry.AddCallback("blocks", "Blocks.", "gauge", [&] {
    ++asked;
    return std::vector<std::pair<MetricLabels, double>>{{{{"dir", "a"}}, asked * 10.0}};
  });
  EXPECT_EQ(registry.Expose(), "# HELP blocks Blocks.\n# TYPE blocks gauge\nblocks{dir=\"a\"} 10\n");
  EXPECT_EQ(registry.Expose(), "# HELP blocks Blocks.\n# TYPE blocks gauge\nblocks{dir=\"a\"} 20\n");
}

// A callback's owner may count something itself while it is asked.
TEST(Metrics, ACallbackMayUseTheRegistry) {
  MetricsRegistry registry;
  registry.AddCallback("a", "h", "counter", [&] {
    registry.GetCounter("b", "h")->Add();
    return std::vector<std::pair<MetricLabels, double>>{{{}, 1.0}};
  });
  EXPECT_NE(registry.Expose().find("\na 1\n"), std::string::npos);
  EXPECT_NE(registry.Expose().find("\nb 2\n"), std::string::npos);
}

TEST(Metrics, RemovedChildrenAreGoneAndStartAnew) {
  MetricsRegistry registry;
  registry.GetCounter("c", "h", {{"pool", "a"}})->Add(5);
  registry.GetCounter("c", "h", {{"pool", "b"}})->Add(6);
  registry.Remove("c", {{"pool", "a"}});
  registry.Remove("c", {{"pool", "never there"}});
  registry.Remove("d", {});
  EXPECT_EQ(registry.Expose(), "# HELP c h\n# TYPE c counter\nc{pool=\"b\"} 6\n");
  EXPECT_EQ(registry.GetCounter("c", "h", {{"pool", "a"}})->value(), 0);
}

TEST(Metrics, AFamilyWithoutChildrenIsNotExposed) {
  MetricsRegistry registry;
  registry.GetCounter("c", "h", {{"pool", "a"}});
  registry.Remove("c", {{"pool", "a"}});
  registry.AddCallback("d", "h", "gauge", [] { return std::vector<std::pair<MetricLabels, double>>(); });
  EXPECT_EQ(registry.Expose(), "");
}

TEST(Metrics, ConcurrentAdditionsAllCount) {
  MetricsRegistry registry;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&registry] {
      for (int n = 0; n < 1000; ++n) {
        registry.GetCounter("c", "h")->Add();
        registry.GetGauge("g", "h")->Add(n % 2 == 0 ? 2 : -1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(registry.GetCounter("c", "h")->value(), 4000);
  EXPECT_EQ(registry.GetGauge("g", "h")->value(), 2000);
}

}  // namespace
}  // namespace narthex
