#include "tsdb/format/block_kernels.h"

#include <gtest/gtest.h>

#include <random>

namespace narthex::tsdb {
namespace {

uint64_t UnZigZagged(uint64_t code) { return (code >> 1) ^ (0 - (code & 1)); }

TEST(BlockKernels, SumsOfEveryInstructionSetAreThoseOfAPlainLoop) {
  std::mt19937_64 random(1);
  const auto sets = AllBlockKernels();
  ASSERT_FALSE(sets.empty());
  for (const auto& [name, kernels] : sets) {
    for (size_t n = 0; n <= kIntBlock; ++n) {
      for (uint64_t gcd : {uint64_t{1}, uint64_t{7}, uint64_t{1} << 40, ~uint64_t{0}}) {
        for (bool zigzag : {false, true}) {
          for (int width : {1, 13, 40, 64}) {
            uint64_t codes[kIntBlock], got[BlockKernels::kRoom];
            for (uint64_t& code : codes) code = random() >> (64 - width);
            const uint64_t start = random();
            kernels.sums(codes, n, {zigzag, gcd}, start, got);
            uint64_t sum = start;
            for (size_t k = 0;; ++k) {
              ASSERT_EQ(got[k], sum) << name << " n " << n << " at " << k << " gcd " << gcd << " width "
                                     << width;
              if (k == n) break;
              sum += (zigzag ? UnZigZagged(codes[k]) : codes[k]) * gcd;
            }
          }
        }
      }
    }
  }
}

TEST(BlockKernels, PlacesShowTheSumBehindTheirLastChange) {
  std::mt19937_64 random(2);
  for (const auto& [name, kernels] : AllBlockKernels()) {
    for (int round = 0; round < 200; ++round) {
      const uint32_t changed = static_cast<uint32_t>(random()) | (round % 3 == 0 ? ~uint32_t{0} : 0);
      const uint32_t first = static_cast<uint32_t>(random() % 1000);
      uint64_t sums[BlockKernels::kRoom], got[kIntBlock], all[kIntBlock];
      for (uint64_t& sum : sums) sum = random();
      for (size_t place = 0, k = 0; place < kIntBlock; ++place) {
        k += changed >> place & 1;
        all[place] = sums[k];
      }
      std::vector<uint32_t> at;
      for (uint32_t place = 0; place < kIntBlock; ++place) {
        if (random() % (1 + static_cast<uint32_t>(round) % 4) == 0) at.push_back(first + place);
      }
      kernels.pick(sums, changed, at.data(), first, at.size(), got);
      for (size_t i = 0; i < at.size(); ++i) ASSERT_EQ(got[i], all[at[i] - first]) << name << " " << at[i];
    }
  }
}

TEST(BlockKernels, IntegersBecomeTheDoublesThatADivisionGives) {
  constexpr int64_t kMost = int64_t{1} << 51;
  std::mt19937_64 random(3);
  for (const auto& [name, kernels] : AllBlockKernels()) {
    for (size_t n = 0; n <= 33; ++n) {
      std::vector<int64_t> integers(n);
      for (int64_t& k : integers) k = static_cast<int64_t>(random() >> 12) >> (random() % 52);
      for (int64_t& k : integers) k -= kMost;  // [-2^51, 2^51)
      for (double power : {1.0, 10.0, 1e15}) {
        const std::vector<uint64_t> bits(integers.begin(), integers.end());
        std::vector<double> got(n + 1, 7);
        ASSERT_TRUE(kernels.divide(bits.data(), n, power, got.data())) << name;
        for (size_t i = 0; i < n; ++i) ASSERT_EQ(got[i], static_cast<double>(integers[i]) / power) << name;
        ASSERT_EQ(got[n], 7) << "written behind the end by " << name;
      }
    }
  }
}

TEST(BlockKernels, IntegersThatAreTooLargeAreRefusedWhereverTheyStand) {
  constexpr int64_t kMost = int64_t{1} << 51;
  for (const auto& [name, kernels] : AllBlockKernels()) {
    for (size_t n = 1; n <= 33; ++n) {
      for (size_t at = 0; at < n; ++at) {
        for (int64_t beyond : {kMost, -kMost - 1, INT64_MAX, INT64_MIN}) {
          std::vector<uint64_t> bits(n, 5);
          bits[at] = static_cast<uint64_t>(beyond);
          std::vector<double> got(n, 7);
          ASSERT_FALSE(kernels.divide(bits.data(), n, 1, got.data())) << name << " " << beyond;
          ASSERT_EQ(got, std::vector<double>(n, 7)) << name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace narthex::tsdb
