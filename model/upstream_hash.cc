#include "model/upstream_hash.h"

#include <string>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace narthex {
namespace {

// Sizes from 255 on take three bytes behind a mark, the lowest first.
void PutText(std::string_view text, std::string* out) {
  const size_t size = text.size();
  if (size < 255) {
    out->push_back(static_cast<char>(size));
  } else {
    for (const size_t byte : {size_t{255}, size, size >> 8, size >> 16})
      out->push_back(static_cast<char>(byte));
  }
  out->append(text);
}

}  // namespace

uint64_t UpstreamHash(const Labels& labels) {
  std::string bytes;
  for (const LabelView label : labels) {
    PutText(label.name, &bytes);
    PutText(label.value, &bytes);
  }
  return XXH64(bytes.data(), bytes.size(), 0);
}

}  // namespace narthex
