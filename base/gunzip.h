// Decompression of gzip as it arrives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace narthex {

// Errors are Go's. Not thread-safe; owner: one transfer.
class Gunzip {
 public:
  Gunzip();
  ~Gunzip();
  // Decompresses to the end of *out what *input holds, and takes it from there. ResourceExhausted once *out
  // would have `limit` bytes or more (0 = no limit): what is over it is not even decompressed. Stops early
  // when *out has `enough` bytes (0 = never); call it again with what is left then.
  absl::Status Add(std::string_view* input, int64_t limit, size_t enough, std::string* out);
  // Is there more to come without further input?
  bool pending() const;
  // All input was added: is it whole?
  absl::Status Finish() const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace narthex
