#include "api/search_score.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

using Runes = std::vector<uint32_t>;

// Characters of UTF-8 text; a broken byte stands for itself.
Runes ToRunes(std::string_view text) {
  Runes out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    unsigned char lead = static_cast<unsigned char>(text[i]);
    size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (i + more >= text.size()) more = 0;
    uint32_t rune = more == 0 ? lead : lead & (0x3fu >> more);
    for (size_t k = 1; k <= more; ++k) rune = rune << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    out.push_back(rune);
    i += more + 1;
  }
  return out;
}

// The raw score of the match that begins at `start`: squares of run lengths less gaps (each divided by the
// length of the text; the trailing one counts half). -1 if the pattern does not fit in what is left.
double ScoreFrom(const Runes& pattern, const Runes& text, size_t start) {
  double length = static_cast<double>(text.size());
  double score = 0;
  size_t found = 0, next = 0;  // characters found; end of the last run
  for (size_t i = start; i < text.size() && found < pattern.size();) {
    if (text[i] != pattern[found]) {
      ++i;
      continue;
    }
    size_t begin = i;
    while (i < text.size() && found < pattern.size() && text[i] == pattern[found]) ++i, ++found;
    double run = static_cast<double>(i - begin);
    score += run * run - static_cast<double>(begin - next) / length;
    next = i;
  }
  if (found < pattern.size()) return -1;
  return score - static_cast<double>(text.size() - next) / length / 2;
}

size_t CommonPrefix(const Runes& a, const Runes& b, size_t limit) {
  size_t n = 0;
  while (n < limit && n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

double Jaro(const Runes& a, const Runes& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 1 : 0;
  size_t window = std::max(a.size(), b.size()) / 2;
  window = window > 0 ? window - 1 : 0;
  std::vector<bool> used(b.size());
  Runes from_a;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t k = i > window ? i - window : 0; k < std::min(b.size(), i + window + 1); ++k) {
      if (used[k] || a[i] != b[k]) continue;
      used[k] = true;
      from_a.push_back(a[i]);
      break;
    }
  }
  if (from_a.empty()) return 0;
  size_t at = 0, moved = 0;
  for (size_t k = 0; k < b.size(); ++k) {
    if (used[k] && b[k] != from_a[at++]) ++moved;
  }
  double m = static_cast<double>(from_a.size());
  return (m / static_cast<double>(a.size()) + m / static_cast<double>(b.size()) +
          (m - static_cast<double>(moved) / 2) / m) /
         3;
}

}  // namespace

double SubsequenceScore(std::string_view pattern, std::string_view text) {
  if (pattern.empty() || pattern == text) return 1;
  if (pattern.size() > text.size()) return 0;
  Runes want = ToRunes(pattern), have = ToRunes(text);
  double best = -1;
  for (size_t i = 0; i + want.size() <= have.size(); ++i) {
    if (have[i] != want[0]) continue;
    // The gap before the match counts as well.
    double score = ScoreFrom(want, have, i);
    if (score == -1) break;  // nor from any later start
    best = std::max(best, score);
  }
  return best < 0 ? 0 : best / static_cast<double>(want.size() * want.size());
}

double JaroWinklerScore(std::string_view a, std::string_view b) {
  Runes left = ToRunes(a), right = ToRunes(b);
  double jaro = Jaro(left, right);
  return jaro + static_cast<double>(CommonPrefix(left, right, 4)) * 0.1 * (1 - jaro);
}

bool SearchTerms::Accept(std::string_view name, double* score) const {
  *score = terms.empty() ? 1 : 0;
  bool accepted = terms.empty();
  std::string lower = case_sensitive ? std::string(name) : absl::AsciiStrToLower(ToAbsl(name));
  for (const std::string& given : terms) {
    std::string term = case_sensitive ? given : absl::AsciiStrToLower(given);
    double one = 0;
    if (lower.starts_with(term)) {
      one = 1;
    } else if (!jaro_winkler) {
      one = SubsequenceScore(term, lower);
      if (one < threshold) one = 0;
    } else if (lower.find(term) != lower.npos) {
      one = 0.9;
    } else if (threshold > 0) {
      one = JaroWinklerScore(term, lower);
      if (one < threshold) one = 0;
    }
    accepted |= one > 0;
    *score = std::max(*score, one);
  }
  return accepted;
}

}  // namespace narthex::api
