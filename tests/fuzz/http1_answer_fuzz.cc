// libFuzzer: any bytes as an HTTP/1 answer, whole and in pieces, which must come to the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/http1_answer.h"

namespace {

using narthex::Http1Answer;

struct Sink final : narthex::Http1Events {
  void OnHead(const Head& head) override { seen += std::to_string(head.status) + std::string(head.reason); }
  void OnBody(std::string_view bytes) override { seen += bytes; }
  std::string seen;
};

std::string Read(std::string_view input, size_t step) {
  Sink sink;
  Http1Answer answer(&sink);
  answer.Begin();
  Http1Answer::State state = Http1Answer::State::kMore;
  while (state == Http1Answer::State::kMore && !input.empty()) {
    const size_t n = std::min(step, input.size());
    state = answer.Add(input.substr(0, n));
    input.remove_prefix(n);
  }
  if (state == Http1Answer::State::kMore) state = answer.End();
  return sink.seen + (state == Http1Answer::State::kDone ? "+" : "-" + answer.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string whole = Read(input, std::max<size_t>(size, 1));
  const std::string pieces = Read(input, 1 + size % 7);
  // Only when it is broken anyway may less of it have been seen.
  if (whole.ends_with('+') && pieces != whole) __builtin_trap();
  return 0;
}
