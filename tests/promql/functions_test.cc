// What the conformance scripts do not reach: edges of the pure helpers behind the functions.
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/label.h"
#include "promql/functions/math_functions.h"
#include "promql/functions/quantile.h"
#include "promql/functions/statistics.h"
#include "promql/functions/time_functions.h"

namespace narthex::promql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<FloatPoint> Points(std::vector<double> values) {
  std::vector<FloatPoint> out;
  for (double v : values) out.push_back({static_cast<int64_t>(out.size()) * 1000, v});
  return out;
}

TEST(QuantileTest, EdgesOfQAndOfTheValues) {
  std::vector<double> values = {3, kNan, 1};
  EXPECT_EQ(Quantile(1, &values), 3) << "NaN sorts first";
  EXPECT_TRUE(std::isnan(Quantile(0, &values)));
  EXPECT_EQ(Quantile(-0.1, &values), -kInf);
  EXPECT_EQ(Quantile(1.1, &values), kInf);
  EXPECT_TRUE(std::isnan(Quantile(kNan, &values)));
  std::vector<double> none;
  EXPECT_TRUE(std::isnan(Quantile(0.5, &none)));
}

TEST(BucketQuantileTest, ForgivesRoundingButReportsFallingCounts) {
  BucketQuantileResult r = BucketQuantile(0.5, {{kInf, 10}, {2, 10 * (1 + 1e-14)}, {1, 5}});
  EXPECT_NEAR(r.value, 1, 1e-9);
  EXPECT_FALSE(r.forced_monotonicity);
  r = BucketQuantile(0.5, {{1, 5}, {2, 4}, {3, 2}, {kInf, 10}});
  EXPECT_TRUE(r.forced_monotonicity);
  EXPECT_EQ(r.min_bucket, 2);
  EXPECT_EQ(r.max_bucket, 3);
  EXPECT_EQ(r.max_diff, 3);
}

TEST(BucketQuantileTest, NeedsAnInfiniteBucketAndASecondOne) {
  EXPECT_TRUE(std::isnan(BucketQuantile(0.5, {{1, 5}, {2, 6}}).value));
  EXPECT_TRUE(std::isnan(BucketQuantile(0.5, {{kInf, 6}}).value));
  EXPECT_TRUE(std::isnan(BucketQuantile(0.5, {}).value));
  EXPECT_TRUE(std::isnan(BucketFraction(0, 1, {})));
}

TEST(BucketFractionTest, InterpolatesAtBothEnds) {
  EXPECT_EQ(BucketFraction(0.5, 1.5, {{1, 4}, {2, 8}, {kInf, 10}}), 0.4);
  EXPECT_EQ(BucketFraction(-kInf, kInf, {{1, 4}, {2, 8}, {kInf, 10}}), 1);
  EXPECT_EQ(BucketFraction(3, 2, {{1, 4}, {kInf, 10}}), 0);
}

TEST(HistogramQuantileTest, SaysWhenNanObservationsSkewIt) {
  FloatHistogram h;
  h.count = 10;
  h.sum = kNan;
  h.positive_spans = {{0, 1}};
  h.positive_buckets = {8};
  EXPECT_EQ(HistogramQuantile(0.5, h).note, NanNote::kSkewedHigher);
  EXPECT_EQ(HistogramQuantile(0.9, h).note, NanNote::kResultIsNan);
  EXPECT_EQ(HistogramFraction(0, 2, h).note, NanNote::kExcluded);
  EXPECT_EQ(HistogramFraction(0, 2, h).value, 0.8);
  h.count = 8;
  EXPECT_EQ(HistogramQuantile(0.5, h).note, NanNote::kNone);
}

TEST(HistogramQuantileTest, SurvivesAHistogramWithoutBuckets) {
  FloatHistogram h;
  h.count = 10;
  h.sum = 1;
  EXPECT_EQ(HistogramQuantile(0.5, h).value, 0);
  h.schema = kCustomBucketsSchema;
  EXPECT_EQ(HistogramQuantile(0.2, h).value, 0);
}

TEST(StatisticsTest, MeanDoesNotOverflow) {
  const double big = std::numeric_limits<double>::max();
  EXPECT_DOUBLE_EQ(MeanOf(Points({big, big, big})), big);
  EXPECT_EQ(MeanOf(Points({5, kInf})), kInf);
  EXPECT_TRUE(std::isnan(MeanOf(Points({-kInf, kInf}))));
  EXPECT_EQ(SumOf(Points({1, 1e100, 1, -1e100})), 2);
}

TEST(StatisticsTest, MeanOfHistogramsDoesNotOverflow) {
  auto h = std::make_shared<FloatHistogram>();
  h->sum = std::numeric_limits<double>::max();
  h->count = 4;
  const std::vector<HistogramPoint> points = {{0, h}, {1, h}, {2, h}};
  HistogramSumNotes notes;
  absl::StatusOr<FloatHistogram> mean = MeanOfHistograms(points, &notes);
  ASSERT_TRUE(mean.ok());
  EXPECT_DOUBLE_EQ(mean->sum, h->sum);
  EXPECT_EQ(mean->count, 4);
}

TEST(StatisticsTest, RegressionOfAConstantIsExact) {
  const Line line = LinearRegression(Points({7, 7, 7}), 500);
  EXPECT_EQ(line.slope, 0);
  EXPECT_EQ(line.intercept, 7);
  EXPECT_TRUE(std::isnan(LinearRegression(Points({kInf, kInf}), 0).slope));
}

TEST(MathFunctionsTest, ClampTreatsNanAndInfinityAsUpstream) {
  EXPECT_TRUE(std::isnan(Clamp(kNan, 0, 1)));
  EXPECT_TRUE(std::isnan(Clamp(5, kNan, 9)));
  EXPECT_EQ(Clamp(-kInf, -2, 2), -2);
  EXPECT_EQ(RoundTo(2.5, 1), 3);
  EXPECT_EQ(RoundTo(-2.5, 1), -2);
}

TEST(TimeFunctionsTest, CalendarEdges) {
  EXPECT_EQ(DaysInMonth(1454284800), 29);  // February 2016
  EXPECT_EQ(DaysInMonth(1485907200), 28);  // February 2017
  EXPECT_EQ(DayOfYear(1483228799), 366);   // the last second of 2016
  EXPECT_EQ(DayOfWeek(0), 4);
  EXPECT_EQ(Year(-1), 1969);
  EXPECT_EQ(Hour(-1), 23);
  EXPECT_FALSE(std::isnan(Year(kNan)));
  EXPECT_FALSE(std::isnan(Year(kInf)));
}

TEST(LabelReplaceTest, ReplacesOnlyFullMatchesAndRefusesNonsense) {
  const Labels labels = {{"src", "source-value-10"}};
  absl::StatusOr<LabelReplace> op = LabelReplace::Create("dst", "value-$1", "src", "source-value-(.*)");
  ASSERT_TRUE(op.ok());
  EXPECT_EQ(op->Apply(labels).Get("dst"), "value-10");
  op = LabelReplace::Create("dst", "value-$1", "src", "value-(.*)");
  ASSERT_TRUE(op.ok());
  EXPECT_EQ(op->Apply(labels), labels);
  EXPECT_EQ(LabelReplace::Create("dst", "", "src", "(.*").status().message(),
            "invalid regular expression in label_replace(): (.*");
  EXPECT_EQ(LabelReplace::Create("", "", "src", "(.*)").status().message(),
            "invalid destination label name in label_replace(): ");
}

TEST(LabelJoinTest, JoinsMissingLabelsAsEmptyText) {
  absl::StatusOr<LabelJoin> op = LabelJoin::Create("dst", "-", {"a", "none", "b"});
  ASSERT_TRUE(op.ok());
  EXPECT_EQ(op->Apply({{"a", "1"}, {"b", "2"}}).Get("dst"), "1--2");
  EXPECT_EQ(LabelJoin::Create("dst", "-", {""}).status().message(),
            "invalid source label name in label_join(): ");
}

TEST(AnnotationTextsTest, NameIsLeftOutWhereUnknown) {
  EXPECT_EQ(InvalidQuantileText(1.2), "PromQL warning: quantile value should be between 0 and 1, got 1.2");
  EXPECT_EQ(MixedClassicNativeText(""),
            "PromQL warning: vector contains a mix of classic and native histograms");
  EXPECT_EQ(
      NonCounterText(Labels({{"__name__", "x"}}), /*by_type=*/false),
      "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"x\"");
}

// Prometheus's own results: Go squares and rounds, where the C library is exact.
TEST(MathFunctionsTest, WholePowersAreThoseOfGo) {
  EXPECT_EQ(PowOf(7.3, 31), 579440255556587500000000000.0);
  EXPECT_EQ(PowOf(1.0001, 100000), 22015.456048481854);
  EXPECT_EQ(PowOf(-2.5, -7), -0.0016384);
  EXPECT_EQ(PowOf(123.456, 33), 1.0468938624781567e69);
  EXPECT_EQ(PowOf(0.3, -17), 774352437.5139594);
  EXPECT_EQ(PowOf(1.5, 600), 4.5160155993586e105);
  EXPECT_EQ(PowOf(2, -1074), 5e-324);
  EXPECT_EQ(PowOf(10, -320), 1e-320);
  EXPECT_EQ(PowOf(1.1, 1e6), std::numeric_limits<double>::infinity());
  EXPECT_EQ(PowOf(0.9, 1e6), 0);
  EXPECT_EQ(PowOf(-1, 9007199254740992.0), 1);
  EXPECT_EQ(PowOf(3, 0.5), std::sqrt(3.0));
  EXPECT_EQ(PowOf(0, -1), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(PowOf(-2, 0.3)));
}

}  // namespace
}  // namespace narthex::promql
