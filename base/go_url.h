// Whether a text is a URL, as Go's net/url sees it.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace narthex {

// InvalidArgument in Go's words: `parse "::": missing protocol scheme`.
absl::Status CheckUrl(std::string_view url);

}  // namespace narthex
