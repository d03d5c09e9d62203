// Whole files, with errors in the words of Go's os package, in which users of Prometheus know them.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace narthex {

// errno as Go writes it: "no such file or directory".
std::string ErrnoText(int error);

// The content of `path`. NotFound "open PATH: no such file or directory", InvalidArgument "read PATH: is a
// directory".
absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace narthex
