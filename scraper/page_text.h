// A piece of a page, known again by its hash.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace narthex::scraper {

// Size and hash, which differ for what is not the same: 64 bits, and their seed is the process's.
struct PageText {
  uint64_t hash = 0;
  uint32_t size = 0;

  static PageText Of(std::string_view text) {
    return {Hash(text.data(), text.size()), static_cast<uint32_t>(text.size())};
  }
  // Whether `text` begins with it.
  bool Begins(std::string_view text) const { return text.size() >= size && Hash(text.data(), size) == hash; }
  bool operator==(const PageText&) const = default;

 private:
  static uint64_t Load64(const char* p) {
    uint64_t v;
    std::memcpy(&v, p, sizeof(v));
    return v;
  }
  static uint64_t Load32(const char* p) {
    uint32_t v;
    std::memcpy(&v, p, sizeof(v));
    return v;
  }
  static uint64_t Mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  // Where the program was loaded to is not to be guessed.
  static inline const char kPlace = 0;

  // As wyhash does it. Inline, as it is most of what a known line costs.
  static uint64_t Hash(const char* p, size_t n) {
    const auto place = reinterpret_cast<uintptr_t>(&kPlace);
    const uint64_t first = Mix(place ^ 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9);
    const uint64_t second = Mix(place ^ 0x94d049bb133111eb, 0xd6e8feb86659fd93);
    uint64_t a = first ^ n, b = second;
    if (n > 16) {
      const char* const last = p + n - 16;
      for (; p + 16 < last; p += 32) {
        a = Mix(Load64(p) ^ first, Load64(p + 8) ^ a);
        b = Mix(Load64(p + 16) ^ second, Load64(p + 24) ^ b);
      }
      if (p < last) a = Mix(Load64(p) ^ first, Load64(p + 8) ^ a);
      b = Mix(Load64(last) ^ second, Load64(last + 8) ^ b);
    } else if (n >= 8) {
      a = Mix(Load64(p) ^ first, Load64(p + n - 8) ^ a);
    } else if (n >= 4) {
      a = Mix(Load32(p) ^ first, Load32(p + n - 4) ^ a);
    } else if (n > 0) {
      const uint64_t bytes = static_cast<uint64_t>(static_cast<uint8_t>(p[0])) << 16 |
                             static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << 8 |
                             static_cast<uint8_t>(p[n - 1]);
      a = Mix(bytes ^ first, a);
    }
    return Mix(a ^ second, b ^ first);
  }
};

}  // namespace narthex::scraper
