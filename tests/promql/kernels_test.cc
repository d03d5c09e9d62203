// Each instruction set against the plain loops, bit for bit.
#include "promql/kernels.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"
#include "model/kahan_sum.h"
#include "model/sample.h"

namespace narthex::promql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<uint64_t> Bits(const std::vector<double>& values) {
  std::vector<uint64_t> out;
  // Which NaN comes out of an addition of two is the processor's choice.
  for (double v : values) out.push_back(std::isnan(v) && !IsStale(v) ? 1 : std::bit_cast<uint64_t>(v));
  return out;
}

enum class Data { kCounter, kResets, kGauge, kWild, kTiny };

std::vector<double> Values(Data data, size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  const auto unit = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
  const std::vector<double> wild = {kInf, -kInf, NormalNan(), StaleNan(), -0.0,
                                    0.0,  1e308, -1e308,      5e-324,     1e16};
  std::vector<double> out(n);
  double counter = 0;
  for (double& v : out) {
    if (data == Data::kResets && unit() < 0.1) counter = 0;
    counter += std::floor(unit() * 100);
    v = data == Data::kGauge ? unit() * 100 - 50 : data == Data::kTiny ? unit() * 1e-300 : counter;
    if (data == Data::kWild) v = unit() < 0.3 ? wild[random() % wild.size()] : unit() - 0.5;
  }
  return out;
}

class KernelsTest : public ::testing::TestWithParam<Data> {
 protected:
  // Calls f(kernels, n, seed) for every instruction set and many lengths.
  template <typename F>
  void ForAll(F f) {
    ASSERT_FALSE(AllKernels().empty());
    for (const auto& [name, kernels] : AllKernels()) {
      for (size_t n = 0; n <= 33; ++n) {
        SCOPED_TRACE(name + " n=" + std::to_string(n));
        f(kernels, n, static_cast<uint32_t>(n * 7 + 1));
        if (HasFatalFailure() || HasNonfatalFailure()) return;
      }
      f(kernels, 1440, 5);
    }
  }
};

TEST_P(KernelsTest, DropsAreWhereAValueIsBelowTheOneBefore) {
  ForAll([](const Kernels& k, size_t n, uint32_t seed) {
    const std::vector<double> v = Values(GetParam(), n, seed);
    std::vector<uint32_t> want, got(n + 1);
    for (size_t i = 1; i < n; ++i) {
      if (v[i] < v[i - 1]) want.push_back(static_cast<uint32_t>(i));
    }
    got.resize(k.drops(v.data(), n, got.data()));
    EXPECT_EQ(got, want);
  });
}

TEST_P(KernelsTest, StaleMarkersAreFoundAtEveryPlace) {
  ForAll([](const Kernels& k, size_t n, uint32_t seed) {
    std::vector<double> v = Values(GetParam() == Data::kWild ? Data::kGauge : GetParam(), n, seed);
    EXPECT_FALSE(k.has_stale(v.data(), n));
    for (size_t i = 0; i < std::min<size_t>(n, 40); ++i) {
      const double kept = v[i];
      v[i] = StaleNan();
      EXPECT_TRUE(k.has_stale(v.data(), n));
      v[i] = NormalNan();
      EXPECT_FALSE(k.has_stale(v.data(), n));
      v[i] = kept;
    }
  });
}

TEST_P(KernelsTest, RatesAreExtrapolatedAndLimitedAtZero) {
  for (const bool counter : {true, false}) {
    for (const double range : {0.0, 300.0}) {
      ForAll([&](const Kernels& k, size_t n, uint32_t seed) {
        std::mt19937 random(seed);
        const auto unit = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
        const std::vector<double> first = Values(GetParam(), n, seed),
                                  change = Values(GetParam(), n, seed + 1);
        std::vector<double> sampled(n), to_start(n), to_end(n), factor(n), want(n), got(n);
        for (size_t i = 0; i < n; ++i) {
          sampled[i] = 15 + std::floor(unit() * 19) * 15;
          to_start[i] = unit() * 16;
          to_end[i] = unit() * 16;
          factor[i] = (sampled[i] + to_start[i] + to_end[i]) / sampled[i];
          if (range > 0) factor[i] /= range;
          double start = to_start[i];
          if (counter && change[i] > 0 && first[i] >= 0)
            start = std::min(start, sampled[i] * (first[i] / change[i]));
          double f = (sampled[i] + start + to_end[i]) / sampled[i];
          if (range > 0) f /= range;
          want[i] = change[i] * f;
        }
        k.rates({n, sampled.data(), to_start.data(), to_end.data(), factor.data(), range, counter},
                first.data(), change.data(), got.data());
        EXPECT_EQ(Bits(got), Bits(want));
        got = change;  // in place
        k.rates({n, sampled.data(), to_start.data(), to_end.data(), factor.data(), range, counter},
                first.data(), got.data(), got.data());
        EXPECT_EQ(Bits(got), Bits(want));
      });
    }
  }
}

TEST_P(KernelsTest, SumsAreCompensated) {
  ForAll([](const Kernels& k, size_t n, uint32_t seed) {
    std::vector<double> sum(n), low(n), want_sum(n), want_low(n);
    for (uint32_t round = 0; round < 5; ++round) {
      const std::vector<double> v = Values(GetParam(), n, seed + round);
      for (size_t i = 0; i < n; ++i) KahanAdd(v[i], &want_sum[i], &want_low[i]);
      k.add(v.data(), n, sum.data(), low.data());
      EXPECT_EQ(Bits(sum), Bits(want_sum));
      EXPECT_EQ(Bits(low), Bits(want_low));
    }
  });
}

TEST_P(KernelsTest, FiniteSumsRefuseInfinityAndChangeNothing) {
  ForAll([](const Kernels& k, size_t n, uint32_t seed) {
    const std::vector<double> start = Values(Data::kGauge, n, seed), v = Values(GetParam(), n, seed + 1);
    std::vector<double> sum = start, low(n), want_sum = start, want_low(n);
    bool finite = true;
    for (size_t i = 0; i < n; ++i) finite = finite && std::isfinite(start[i] + v[i]);
    for (size_t i = 0; i < n && finite; ++i) KahanAdd(v[i], &want_sum[i], &want_low[i]);
    EXPECT_EQ(k.add_finite(v.data(), n, sum.data(), low.data()), finite);
    EXPECT_EQ(Bits(sum), Bits(want_sum));
    EXPECT_EQ(Bits(low), Bits(want_low));
  });
}

TEST_P(KernelsTest, ExtremesAreBeatenByStrictlyBetterOnesAndReplaceNan) {
  ForAll([](const Kernels& k, size_t n, uint32_t seed) {
    std::vector<double> max(n, NormalNan()), min(n, NormalNan()), want_max = max, want_min = min;
    for (uint32_t round = 0; round < 4; ++round) {
      const std::vector<double> v = Values(GetParam(), n, seed + round);
      for (size_t i = 0; i < n; ++i) {
        if (v[i] > want_max[i] || std::isnan(want_max[i])) want_max[i] = v[i];
        if (v[i] < want_min[i] || std::isnan(want_min[i])) want_min[i] = v[i];
      }
      k.max(v.data(), n, max.data());
      k.min(v.data(), n, min.data());
      EXPECT_EQ(Bits(max), Bits(want_max));
      EXPECT_EQ(Bits(min), Bits(want_min));
    }
  });
}

TEST_P(KernelsTest, WindowsAreReadInTheirOrder) {
  for (const size_t stride : {1, 2, 4, 7}) {
    for (const size_t width : {1, 2, 5, 20}) {
      ForAll([&](const Kernels& k, size_t n, uint32_t seed) {
        n = std::min<size_t>(n, 100);
        const std::vector<double> v = Values(GetParam(), n * stride + width, seed);
        std::vector<double> scratch(WindowScratch(n, stride, width)), sum(n), low(n), max(n), min(n);
        if (n == 0) return;
        k.window_sums(v.data(), n, stride, width, scratch.data(), sum.data(), low.data());
        k.window_max(v.data(), n, stride, width, scratch.data(), max.data());
        k.window_min(v.data(), n, stride, width, scratch.data(), min.data());
        for (size_t i = 0; i < n; ++i) {
          const double* w = v.data() + i * stride;
          double want_sum = w[0], want_low = 0, want_max = w[0], want_min = w[0];
          for (size_t j = 1; j < width; ++j) {
            KahanAdd(w[j], &want_sum, &want_low);
            if (w[j] > want_max || std::isnan(want_max)) want_max = w[j];
            if (w[j] < want_min || std::isnan(want_min)) want_min = w[j];
          }
          EXPECT_EQ(Bits({max[i], min[i]}), Bits({want_max, want_min}));
          if (!std::isfinite(want_sum + want_low)) {
            EXPECT_FALSE(std::isfinite(sum[i] + low[i]));
          } else {
            EXPECT_EQ(Bits({sum[i], low[i]}), Bits({want_sum, want_low}));
          }
        }
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelsTest,
                         ::testing::Values(Data::kCounter, Data::kResets, Data::kGauge, Data::kWild,
                                           Data::kTiny));

}  // namespace
}  // namespace narthex::promql
