// Small helpers between std::string_view and Abseil's own.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/strings.h"

namespace narthex::scraper {

template <typename... T>
absl::Status Invalid(const T&... pieces) {
  return absl::InvalidArgumentError(StrCat(pieces...));
}

inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

inline std::string ToLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

inline std::string_view StripLeft(std::string_view text) {
  while (!text.empty() && (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r'))) text.remove_prefix(1);
  return text;
}

inline std::string_view Strip(std::string_view text) {
  text = StripLeft(text);
  while (!text.empty() && (text.back() == ' ' || (text.back() >= '\t' && text.back() <= '\r')))
    text.remove_suffix(1);
  return text;
}

}  // namespace narthex::scraper
