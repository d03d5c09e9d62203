#include "tsdb/format/block_kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

namespace narthex::tsdb {
namespace {

uint64_t UnZigZagged(uint64_t code) { return (code >> 1) ^ (0 - (code & 1)); }

// Codes as a block has them: of `width` bits, all of them, some of them or far from 0.
std::vector<uint64_t> CodesOf(int width, size_t n, int kind, std::mt19937_64* random) {
  std::vector<uint64_t> codes(n);
  for (uint64_t& code : codes) {
    if (width > 0) code = (*random)() >> (64 - width);
    if (kind == 1 && (*random)() % 4 != 0) code = 0;
    if (kind == 2) code += 1'000'000'007;
  }
  return codes;
}

TEST(BlockKernels, SumsOfEveryInstructionSetAreThoseOfAPlainLoop) {
  std::mt19937_64 random(1);
  const auto sets = AllBlockKernels();
  ASSERT_FALSE(sets.empty());
  for (const auto& [name, kernels] : sets) {
    for (int width = 0; width <= 64; ++width) {
      for (size_t n = 1; n <= kIntBlock; ++n) {
        const std::vector<uint64_t> codes = CodesOf(width, n, static_cast<int>(random() % 3), &random);
        const DeltaCoding coding{random() % 2 == 0,
                                 std::vector<uint64_t>{1, 7, uint64_t{1} << 40, ~uint64_t{0}}[random() % 4]};
        std::string bytes;
        PutBlocks(&bytes, codes.data(), n);
        const size_t size = bytes.size();
        bytes.append(random() % 2 * 20, '\xff');  // behind the block: more, or the end of the input
        ByteReader in(bytes);
        PackedBlock block;
        ASSERT_TRUE(ReadBlock(&in, n, &block));
        ASSERT_EQ(in.left(), bytes.size() - size);
        const uint64_t start = random();
        uint64_t got[BlockKernels::kRoom];
        kernels.sums(block, coding, start, got);
        uint64_t sum = start;
        for (size_t place = 0, k = 0; place < n; ++place) {
          sum += (coding.zigzag ? UnZigZagged(codes[place]) : codes[place]) * coding.gcd;
          k += block.changed >> place & 1;
          ASSERT_EQ(got[k], sum) << name << " width " << width << " n " << n << " place " << place;
        }
        ASSERT_EQ(got[0], start);
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
    double power = 1;
    for (int exponent = 0; exponent <= 15; ++exponent, power *= 10) {
      for (int round = 0; round < 3000; ++round) {
        const size_t n = static_cast<size_t>(round) % 34;
        std::vector<int64_t> integers(n);
        for (int64_t& k : integers) {
          k = static_cast<int64_t>(random() >> 12) - kMost;  // [-2^51, 2^51)
          k >>= random() % 52;
        }
        if (round == 1) integers[0] = -kMost;
        if (round == 2) integers = {0, kMost - 1};
        const std::vector<uint64_t> bits(integers.begin(), integers.end());
        std::vector<double> got(n + 1, 7);
        ASSERT_TRUE(kernels.divide(bits.data(), n, power, got.data())) << name;
        for (size_t i = 0; i < n; ++i) {
          ASSERT_EQ(std::bit_cast<uint64_t>(got[i]),
                    std::bit_cast<uint64_t>(static_cast<double>(integers[i]) / power))
              << name << " " << integers[i] << " / " << power;
        }
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
