// Bytes of a text looked at sixteen at a time, as vectors that compilers know on every machine.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace narthex {

using Bytes16 = uint8_t __attribute__((vector_size(16)));

// Whether test(bytes) marks some byte of the text: in what it returns, bytes other than 0 are marks. It sees
// all of the text's bytes and beside them only 'x'.
template <typename Test>
bool AnyByte(std::string_view text, Test test) {
  const auto marks = [&](const char* at) {
    Bytes16 bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    uint64_t halves[2];
    const auto found = test(bytes);
    static_assert(sizeof found == sizeof halves);
    std::memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) != 0;
  };
  const char* at = text.data();
  size_t left = text.size();
  if (left < sizeof(Bytes16)) {
    char padded[sizeof(Bytes16)] = {'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
                                    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x'};
    text.copy(padded, left);
    return marks(padded);
  }
  for (; left > sizeof(Bytes16); left -= sizeof(Bytes16), at += sizeof(Bytes16)) {
    if (marks(at)) return true;
  }
  return marks(at + left - sizeof(Bytes16));  // some of them a second time
}

}  // namespace narthex
