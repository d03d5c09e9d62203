// How well a name fits what somebody has typed: the scores of /api/v1/search/....
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace narthex::api {

// In [0, 1]; 0 = no match. `pattern`'s characters must occur in `text` in order; runs count more than
// scattered characters, gaps cost a little. Best of all starting points.
double SubsequenceScore(std::string_view pattern, std::string_view text);
// Jaro-Winkler similarity in [0, 1], over characters.
double JaroWinklerScore(std::string_view a, std::string_view b);

// The parameters search[], fuzz_threshold, fuzz_alg and case_sensitive of one request.
struct SearchTerms {
  std::vector<std::string> terms;  // any of; empty = everything, with score 1
  double threshold = 0;
  bool jaro_winkler = false, case_sensitive = true;

  // False: the name is not wanted.
  bool Accept(std::string_view name, double* score) const;
};

}  // namespace narthex::api
