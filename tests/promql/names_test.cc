// Metric names as most servers have them, without --enable-feature=promql-delayed-name-removal: scripts run
// with it. And --enable-feature=type-and-unit-labels.
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "promql/promql.h"
#include "tests/support/memory_db.h"

namespace narthex::promql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NamesTest : public ::testing::Test {
 protected:
  NamesTest() : clock_(600'000), db_(narthex::testing::NewMemoryDb()) {
    options_.clock = &clock_;
    options_.metrics = &metrics_;
  }

  void Add(const Labels& labels, std::vector<double> values) {
    std::unique_ptr<tsdb::Appender> appender = db_->NewAppender();
    tsdb::SeriesRef ref = 0;
    tsdb::Sample sample;
    for (double value : values) {
      sample.v = value;
      EXPECT_TRUE(appender->Append(&ref, labels, sample).ok());
      sample.t += 60'000;
    }
    EXPECT_TRUE(appender->Commit().ok());
  }

  absl::StatusOr<Result> Run(std::string query) {
    QueryParams params;
    params.query = std::move(query);
    params.start_ms = params.end_ms = 120'000;
    return Engine(options_).Run(*db_, params);
  }

  FakeClock clock_;
  MetricsRegistry metrics_;
  EngineOptions options_;
  std::unique_ptr<tsdb::Db> db_;
};

TEST_F(NamesTest, NotesOnBucketsNameNoMetric) {
  for (const char* le : {"1", "2", "+Inf"}) {
    Add({{"__name__", "lat_bucket"}, {"le", le}}, {1, 2, *le == '2' ? 9.0 : 3.0});
  }
  Add({{"__name__", "odd_bucket"}, {"le", "wide"}}, {1, 2, 3});
  absl::StatusOr<Result> result = Run("histogram_quantile(0.5, lat_bucket)");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->infos.size(), 1u);
  EXPECT_THAT(result->infos[0], Not(HasSubstr("lat_bucket")));
  result = Run("histogram_quantile(0.5, odd_bucket)");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->warnings.size(), 1u);
  EXPECT_THAT(result->warnings[0], Not(HasSubstr("odd_bucket")));
  options_.delayed_name_removal = true;
  result = Run("histogram_quantile(0.5, lat_bucket)");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->infos.size(), 1u);
  EXPECT_THAT(result->infos[0], HasSubstr("lat_bucket"));
}

TEST_F(NamesTest, HistogramsOfTwoNamesAreTwo) {
  for (const char* name : {"a_bucket", "b_bucket"}) {
    for (const char* le : {"1", "+Inf"}) Add({{"__name__", name}, {"le", le}}, {1, 2, 3});
  }
  absl::StatusOr<Result> result = Run("histogram_quantile(0.5, {__name__=~\"[ab]_bucket\"})");
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), HasSubstr("same labelset"));
}

TEST_F(NamesTest, ANameThatIsIncludedStays) {
  Add({{"__name__", "many"}, {"n", "1"}}, {1, 2, 3});
  Add({{"__name__", "one"}}, {4, 5, 6});
  absl::StatusOr<Result> result = Run("many * on () group_left (__name__) one");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->series.size(), 1u);
  EXPECT_EQ(result->series[0].labels, Labels({{"__name__", "one"}, {"n", "1"}}));
}

TEST_F(NamesTest, FunctionsOfHistogramsKeepTypes) {
  std::unique_ptr<tsdb::Appender> appender = db_->NewAppender();
  auto histogram = std::make_shared<FloatHistogram>();
  histogram->count = 2;
  histogram->zero_count = 2;
  histogram->sum = 3;
  tsdb::SeriesRef ref = 0;
  tsdb::Sample sample;
  sample.t = 120'000;
  sample.h = histogram;
  ASSERT_TRUE(appender->Append(&ref, Labels({{"__name__", "h"}, {"__type__", "histogram"}}), sample).ok());
  ASSERT_TRUE(appender->Commit().ok());
  EXPECT_EQ(Run("histogram_count(h)")->series[0].labels, Labels({{"__type__", "histogram"}}));
  EXPECT_EQ(Run("histogram_quantile(0.5, h)")->series[0].labels, Labels());
  options_.delayed_name_removal = true;
  EXPECT_EQ(Run("histogram_count(h)")->series[0].labels, Labels());
}

TEST_F(NamesTest, WhatIsAbsentOverTimeLosesItsTypeInTheEnd) {
  const char* query = "absent_over_time(x{__type__=\"gauge\", a=\"b\"}[5m])";
  EXPECT_EQ(Run(query)->series[0].labels, Labels({{"__type__", "gauge"}, {"a", "b"}}));
  options_.delayed_name_removal = true;
  EXPECT_EQ(Run(query)->series[0].labels, Labels({{"a", "b"}}));
}

TEST_F(NamesTest, TypesTellCountersWhereTheyAreLabels) {
  Add({{"__name__", "steps"}, {"__type__", "counter"}}, {1, 2, 3});
  Add({{"__name__", "level_total"}, {"__type__", "gauge"}}, {1, 2, 3});
  absl::StatusOr<Result> result = Run("rate(steps[5m])");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->infos, ElementsAre(HasSubstr("_total/_sum/_count/_bucket")));
  EXPECT_THAT(Run("rate(level_total[5m])")->infos, IsEmpty());
  options_.type_and_unit_labels = true;
  EXPECT_THAT(Run("rate(steps[5m])")->infos, IsEmpty());
  EXPECT_THAT(Run("rate(level_total[5m])")->infos, ElementsAre(HasSubstr("__type__")));
}

}  // namespace
}  // namespace narthex::promql
