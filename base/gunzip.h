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
  // Decompresses the next piece to the end of *out. ResourceExhausted once *out would have `limit` bytes or
  // more (0 = no limit): what is over it is not even decompressed.
  absl::Status Add(std::string_view piece, int64_t limit, std::string* out);
  // All input was added: is it whole?
  absl::Status Finish() const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace narthex
