// The functions over a range, one window at a time.
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "promql/functions/call.h"

namespace narthex::promql {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Calls a function with a window that reaches from the test's start to its end.
class RangeFunctionsTest : public ::testing::Test {
 protected:
  // True if there was a result, then in out_.
  bool Call(std::string_view function) {
    const FunctionImpl* impl = FindFunctionImpl(function);
    EXPECT_NE(impl, nullptr) << function;
    window_.floats = floats_;
    window_.histograms = histograms_;
    window_.float_starts = float_starts_;
    window_.range_ms = window_.end_ms - window_.start_ms;
    const Labels labels = {{"__name__", "m"}};
    annotations_ = Annotations();
    out_ = Value();
    CallContext context;
    context.labels = &labels;
    context.time_ms = window_.end_ms;
    context.annotations = &annotations_;
    context.scalars = scalars_;
    const bool ok = impl->range(window_, &context, &out_);
    status_ = context.status;
    return ok;
  }
  std::vector<std::string> Texts() const {
    std::vector<std::string> out;
    for (const Annotations::Entry& entry : annotations_.entries()) out.push_back(entry.text);
    return out;
  }
  void AddHistogram(int64_t t, double count, CounterResetHint hint) {
    auto h = std::make_shared<FloatHistogram>();
    h->count = count;
    h->positive_spans = {{0, 1}};
    h->positive_buckets = {count};
    h->hint = hint;
    histograms_.push_back({t, h});
  }

  std::vector<FloatPoint> floats_;
  std::vector<HistogramPoint> histograms_;
  std::vector<int64_t> float_starts_;
  std::vector<double> scalars_;
  Window window_{.start_ms = 0, .end_ms = 60'000};
  Annotations annotations_;
  Value out_;
  absl::Status status_;
};

TEST_F(RangeFunctionsTest, IncreaseExtrapolatesToNearBorders) {
  floats_ = {{5'000, 100}, {15'000, 110}, {25'000, 120}, {35'000, 130}, {45'000, 140}, {55'000, 150}};
  ASSERT_TRUE(Call("increase"));
  EXPECT_DOUBLE_EQ(out_.v, 60);
}

TEST_F(RangeFunctionsTest, IncreaseStopsHalfAnIntervalBeyondSamplesFarFromTheBorders) {
  floats_ = {{20'000, 100}, {30'000, 110}, {40'000, 120}};
  ASSERT_TRUE(Call("increase"));
  EXPECT_DOUBLE_EQ(out_.v, 30);
}

TEST_F(RangeFunctionsTest, CounterIsNotExtrapolatedBelowZero) {
  floats_ = {{10'000, 1}, {20'000, 11}, {30'000, 21}, {40'000, 31}, {50'000, 41}, {60'000, 51}};
  ASSERT_TRUE(Call("increase"));
  EXPECT_DOUBLE_EQ(out_.v, 51);
  ASSERT_TRUE(Call("delta"));
  EXPECT_DOUBLE_EQ(out_.v, 60);
}

TEST_F(RangeFunctionsTest, ALaterStartTimestampIsAReset) {
  floats_ = {{0, 10}, {30'000, 20}, {60'000, 30}};
  float_starts_ = {-5'000, -5'000, 40'000};
  ASSERT_TRUE(Call("increase"));
  EXPECT_DOUBLE_EQ(out_.v, 40);
  ASSERT_TRUE(Call("irate"));
  EXPECT_DOUBLE_EQ(out_.v, 1);
}

TEST_F(RangeFunctionsTest, AnchoredIncreaseNeedsNoExtrapolation) {
  window_.anchored = true;
  floats_ = {{-10'000, 5}, {20'000, 8}, {40'000, 2}};
  ASSERT_TRUE(Call("increase"));
  EXPECT_DOUBLE_EQ(out_.v, 5);
  ASSERT_TRUE(Call("resets"));
  EXPECT_EQ(out_.v, 1);
}

TEST_F(RangeFunctionsTest, SmoothedDeltaInterpolatesAtTheBorders) {
  window_.smoothed = true;
  floats_ = {{-10'000, 0}, {10'000, 20}, {50'000, 60}, {70'000, 80}};
  ASSERT_TRUE(Call("delta"));
  EXPECT_DOUBLE_EQ(out_.v, 60);
}

TEST_F(RangeFunctionsTest, MixedSamplesGiveNothingButAWarning) {
  floats_ = {{0, 1}};
  AddHistogram(30'000, 1, CounterResetHint::kUnknown);
  for (const char* function : {"rate", "irate", "sum_over_time", "avg_over_time"}) {
    EXPECT_FALSE(Call(function)) << function;
    EXPECT_THAT(
        Texts(),
        ElementsAre("PromQL warning: encountered a mix of histograms and floats for metric name \"m\""));
  }
  EXPECT_TRUE(Call("max_over_time"));
  EXPECT_THAT(Texts(),
              ElementsAre("PromQL info: ignored histograms in a range containing both floats and histograms "
                          "for metric name \"m\""));
  EXPECT_TRUE(Call("count_over_time"));
  EXPECT_EQ(out_.v, 2);
  EXPECT_THAT(Texts(), IsEmpty());
}

TEST_F(RangeFunctionsTest, HistogramRateAddsWhatResetsTookAway) {
  AddHistogram(0, 10, CounterResetHint::kUnknown);
  AddHistogram(20'000, 16, CounterResetHint::kUnknown);
  AddHistogram(40'000, 2, CounterResetHint::kUnknown);
  AddHistogram(60'000, 8, CounterResetHint::kUnknown);
  ASSERT_TRUE(Call("increase"));
  ASSERT_NE(out_.h, nullptr);
  EXPECT_DOUBLE_EQ(out_.h->count, 14);
  EXPECT_EQ(out_.h->hint, CounterResetHint::kGauge);
  EXPECT_THAT(Texts(), IsEmpty());
  ASSERT_TRUE(Call("delta"));
  EXPECT_THAT(Texts(), ElementsAre("PromQL warning: this native histogram metric is not a gauge: \"m\""));
}

TEST_F(RangeFunctionsTest, SmoothingFactorsAreChecked) {
  floats_ = {{0, 1}, {1, 2}};
  scalars_ = {1, 0.5};
  EXPECT_FALSE(Call("double_exponential_smoothing"));
  EXPECT_EQ(status_.message(), "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000");
}

TEST_F(RangeFunctionsTest, EveryFunctionBearsAnEmptyWindow) {
  scalars_ = {0.5, 0.5};
  for (const char* function :
       {"rate", "increase", "delta", "irate", "idelta", "changes", "resets", "deriv", "predict_linear",
        "double_exponential_smoothing", "avg_over_time", "min_over_time", "quantile_over_time",
        "mad_over_time", "stddev_over_time", "first_over_time", "last_over_time", "ts_of_max_over_time",
        "ts_of_last_over_time"}) {
    for (bool anchored : {false, true}) {
      window_.anchored = anchored;
      EXPECT_FALSE(Call(function)) << function;
    }
  }
}

}  // namespace
}  // namespace narthex::promql
