#include "model/histogram.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kahan_sum.h"
#include "model/sample.h"

namespace narthex {
namespace {

using ::testing::ElementsAre;

FloatHistogram Exponential(int32_t schema, int32_t offset, std::vector<double> buckets) {
  FloatHistogram h;
  h.schema = schema;
  h.positive_spans = {{offset, static_cast<uint32_t>(buckets.size())}};
  for (double b : buckets) h.count += b;
  h.sum = 10;
  h.positive_buckets = std::move(buckets);
  return h;
}

FloatHistogram Custom(std::vector<double> bounds, std::vector<double> buckets) {
  FloatHistogram h = Exponential(kCustomBucketsSchema, 0, std::move(buckets));
  h.custom_values = std::move(bounds);
  return h;
}

TEST(BucketBoundTest, IsExactAtPowersOfTwoAndAtTheLargestFloat) {
  EXPECT_EQ(BucketBound(0, 0), 1);
  EXPECT_EQ(BucketBound(3, 0), 8);
  EXPECT_EQ(BucketBound(-1, -1), 0.25);
  EXPECT_EQ(BucketBound(4, 2), 2);
  EXPECT_EQ(BucketBound(1024, 0), std::numeric_limits<double>::max());
  EXPECT_EQ(BucketBound(1024 * 256, 8), std::numeric_limits<double>::max());
  EXPECT_EQ(BucketBound(1025, 0), std::numeric_limits<double>::infinity());
}

// As Prometheus prints them; several are not the doubles next to the powers of two.
TEST(BucketBoundTest, FractionsAreRoundedAsPrometheusRoundsThem) {
  EXPECT_EQ(BucketBound(-1, 1), 0.7071067811865475);
  EXPECT_EQ(BucketBound(1, 1), 1.414213562373095);
  EXPECT_EQ(BucketBound(-3, 2), 0.5946035575013605);
  EXPECT_EQ(BucketBound(-1, 2), 0.8408964152537144);
  EXPECT_EQ(BucketBound(-7, 3), 0.5452538663326288);
  EXPECT_EQ(BucketBound(-5, 3), 0.6484197773255048);
  EXPECT_EQ(BucketBound(-3, 3), 0.7711054127039704);
  EXPECT_EQ(BucketBound(-1, 3), 0.9170040432046711);
  EXPECT_EQ(BucketBound(-255, 8), 0.5013556375251013);
  EXPECT_EQ(BucketBound(-1, 8), 0.9972960560854698);
}

TEST(BucketBoundTest, ABoundIsTheSameInEverySchemaThatHasIt) {
  for (int schema = 1; schema < 8; ++schema) {
    for (int index = -(1 << schema); index <= 1 << schema; ++index) {
      EXPECT_EQ(BucketBound(index, schema), BucketBound(index * 2, schema + 1)) << schema << " " << index;
      EXPECT_NEAR(BucketBound(index, schema), std::exp2(std::ldexp(index, -schema)), 2e-15);
    }
  }
}

TEST(FloatHistogramTest, CompactDropsEmptyBucketsAndJoinsSpans) {
  FloatHistogram h = Exponential(0, 0, {0, 1, 0, 0, 2});
  h.positive_spans = {{0, 2}, {0, 3}};
  h.Compact();
  EXPECT_THAT(h.positive_spans, ElementsAre(HistogramSpan{1, 1}, HistogramSpan{2, 1}));
  EXPECT_THAT(h.positive_buckets, ElementsAre(1, 2));
}

TEST(FloatHistogramTest, AddReconcilesSchemas) {
  FloatHistogram h = Exponential(1, 1, {1, 2, 3});
  ASSERT_TRUE(h.Add(Exponential(0, 1, {10, 20}), nullptr, nullptr).ok());
  EXPECT_EQ(h.schema, 0);
  EXPECT_THAT(h.positive_buckets, ElementsAre(13, 23));
  EXPECT_EQ(h.count, 36);
}

TEST(FloatHistogramTest, AddWidensTheZeroBucketToTheEndOfAPopulatedBucket) {
  FloatHistogram h = Exponential(0, 0, {5, 7});  // (0.5,1] (1,2]
  FloatHistogram other;
  other.zero_threshold = 0.75;
  other.zero_count = 2;
  other.count = 2;
  ASSERT_TRUE(h.Add(other, nullptr, nullptr).ok());
  EXPECT_EQ(h.zero_threshold, 1);
  EXPECT_EQ(h.zero_count, 7);
  EXPECT_THAT(h.positive_buckets, ElementsAre(7));
}

TEST(FloatHistogramTest, AddIntersectsCustomBounds) {
  FloatHistogram h = Custom({1, 2, 4}, {1, 2, 3, 4});
  bool reconciled = false;
  ASSERT_TRUE(h.Add(Custom({2, 3, 4}, {10, 20, 30, 40}), nullptr, &reconciled).ok());
  EXPECT_TRUE(reconciled);
  EXPECT_THAT(h.custom_values, ElementsAre(2, 4));
  EXPECT_THAT(h.positive_buckets, ElementsAre(13, 53, 44));
}

TEST(FloatHistogramTest, AddRefusesToMixExponentialAndCustomBuckets) {
  FloatHistogram h = Custom({1}, {1, 2});
  EXPECT_EQ(h.Add(Exponential(0, 0, {1}), nullptr, nullptr).message(),
            "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas");
}

TEST(FloatHistogramTest, HintsCombine) {
  using enum CounterResetHint;
  auto combine = [](CounterResetHint a, CounterResetHint b, bool* collision) {
    FloatHistogram h = Exponential(0, 0, {1});
    FloatHistogram other = h;
    h.hint = a;
    other.hint = b;
    EXPECT_TRUE(h.Add(other, collision, nullptr).ok());
    return h.hint;
  };
  bool collision = false;
  EXPECT_EQ(combine(kReset, kReset, &collision), kReset);
  EXPECT_EQ(combine(kReset, kGauge, &collision), kGauge);
  EXPECT_EQ(combine(kNotReset, kUnknown, &collision), kUnknown);
  EXPECT_FALSE(collision);
  EXPECT_EQ(combine(kNotReset, kReset, &collision), kUnknown);
  EXPECT_TRUE(collision);
}

TEST(FloatHistogramTest, KahanAddKeepsWhatPlainAdditionLoses) {
  FloatHistogram sum = Exponential(0, 0, {1e100});
  FloatHistogram low;
  ASSERT_TRUE(sum.KahanAdd(Exponential(0, 0, {1}), &low, nullptr, nullptr).ok());
  ASSERT_TRUE(sum.KahanAdd(Exponential(0, 1, {7}), &low, nullptr, nullptr).ok());
  ASSERT_TRUE(sum.KahanAdd(Exponential(0, 0, {-1e100}), &low, nullptr, nullptr).ok());
  ASSERT_TRUE(sum.Add(low, nullptr, nullptr).ok());
  EXPECT_THAT(sum.positive_buckets, ElementsAre(1, 7));
  EXPECT_EQ(sum.count, 8);
}

TEST(FloatHistogramTest, DetectReset) {
  const FloatHistogram before = Exponential(0, 0, {1, 2, 3});
  EXPECT_FALSE(Exponential(0, 0, {1, 2, 4}).DetectReset(before));
  EXPECT_TRUE(Exponential(0, 0, {0, 2, 9}).DetectReset(before));
  EXPECT_TRUE(Exponential(0, 1, {9, 9}).DetectReset(before));
  EXPECT_TRUE(Exponential(1, 0, {9, 9, 9}).DetectReset(before));
  EXPECT_FALSE(Exponential(-1, 0, {1, 5}).DetectReset(before));
  EXPECT_TRUE(Custom({1, 3}, {5, 1, 9}).DetectReset(Custom({1, 2, 3}, {1, 1, 1, 1})));
  EXPECT_FALSE(Custom({1, 3}, {1, 2, 9}).DetectReset(Custom({1, 2, 3}, {1, 1, 1, 1})));
  FloatHistogram hinted = Exponential(0, 0, {9, 9, 9});
  hinted.hint = CounterResetHint::kReset;
  EXPECT_TRUE(hinted.DetectReset(before));
}

TEST(FloatHistogramTest, AllBucketsRunFromLowestToHighest) {
  FloatHistogram h = Exponential(0, 0, {1});
  h.zero_threshold = 0.6;
  h.zero_count = 4;
  h.negative_spans = {{0, 2}};
  h.negative_buckets = {2, 3};
  std::vector<double> edges;
  for (const HistogramBucket& b : h.AllBuckets()) edges.insert(edges.end(), {b.lower, b.upper, b.count});
  EXPECT_THAT(edges, ElementsAre(-2, -1, 3, -1, -0.6, 2, -0.6, 0.6, 4, 0.6, 1, 1));
  EXPECT_EQ(h.AllBucketsReverse().front().count, 1);
}

TEST(FloatHistogramTest, TextForms) {
  FloatHistogram h = Exponential(0, 1, {2, 0, 3.5});
  h.zero_threshold = 0.001;
  h.zero_count = 1;
  h.negative_spans = {{0, 1}};
  h.negative_buckets = {4};
  EXPECT_EQ(h.ToString(), "{count:5.5, sum:10, [-1,-0.5):4, [-0.001,0.001]:1, (1,2]:2, (4,8]:3.5}");
  EXPECT_EQ(h.TestExpression(),
            "{{count:5.5 sum:10 z_bucket:1 z_bucket_w:0.001 offset:1 buckets:[2 0 3.5] n_buckets:[4]}}");
  EXPECT_EQ(Custom({1, 2.5}, {1, 2}).TestExpression(),
            "{{schema:-53 count:3 sum:10 custom_values:[1 2.5] buckets:[1 2]}}");
  EXPECT_EQ(Custom({1, 2}, {1, 2, 3}).ToString(), "{count:6, sum:10, [-Inf,1]:1, (1,2]:2, (2,+Inf]:3}");
}

TEST(FloatHistogramTest, TrimInterpolatesInsideABucket) {
  const FloatHistogram h = Custom({5, 10, 15, 20}, {1, 6, 4, 3, 1});
  const FloatHistogram upper = h.TrimUpper(13);
  EXPECT_THAT(upper.positive_buckets, ElementsAre(1, 6, ::testing::DoubleNear(2.4, 1e-12)));
  EXPECT_NEAR(upper.sum, 75.1, 1e-9);
  EXPECT_NEAR(h.TrimLower(13).count, 5.6, 1e-12);
  EXPECT_EQ(h.TrimUpper(std::numeric_limits<double>::infinity()).sum, h.sum)
      << "nothing cut, nothing estimated";
}

TEST(FloatHistogramTest, DividingByZeroRemovesTheBuckets) {
  FloatHistogram h = Exponential(0, 0, {1});
  h.Divide(0);
  EXPECT_TRUE(std::isinf(h.count));
  EXPECT_TRUE(h.positive_buckets.empty());
}

TEST(FloatHistogramTest, EqualsComparesBitsAndLayoutButNotHints) {
  FloatHistogram a = Exponential(0, 3, {1, 2});
  FloatHistogram b = a;
  b.hint = CounterResetHint::kGauge;
  b.positive_spans = {{1, 0}, {2, 2}};
  EXPECT_TRUE(a.Equals(b));
  b.sum = std::nextafter(b.sum, 100);
  EXPECT_FALSE(a.Equals(b));
  a.sum = b.sum = NormalNan();
  EXPECT_TRUE(a.Equals(b));
}

TEST(FloatHistogramTest, ValidateNamesTheFault) {
  EXPECT_TRUE(Exponential(0, 0, {1}).Validate().ok());
  EXPECT_TRUE(Custom({1, 2}, {1, 2, 3}).Validate().ok());
  FloatHistogram h = Exponential(0, 0, {5, -2});
  EXPECT_EQ(
      h.Validate().message(),
      "positive side: bucket number 2 has observation count of -2: histogram has a bucket whose observation "
      "count is negative");
  h = Exponential(0, 0, {1});
  h.positive_spans = {{0, 4'000'000'000u}};
  EXPECT_EQ(h.Validate().message(),
            "positive side: spans need 4000000000 buckets, have 1 buckets: histogram spans specify different "
            "number of "
            "buckets than provided");
  EXPECT_EQ(h.AllBuckets().size(), 1u);
  h = Custom({2, 1}, {1});
  EXPECT_EQ(h.Validate().message(),
            "custom buckets: previous bound is 2.000000 and current is 1.000000: histogram custom bounds "
            "must be in "
            "strictly increasing order");
  EXPECT_EQ(Exponential(9, 0, {1}).Validate().message(),
            "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 "
            "for custom "
            "buckets, got schema 9");
}

TEST(KahanSumTest, RecoversCancelledParts) {
  double sum = 0;
  double low = 0;
  for (double v : {1.0, 1e100, 1.0, -1e100}) KahanAdd(v, &sum, &low);
  EXPECT_EQ(sum + low, 2);
}

}  // namespace
}  // namespace narthex
