// libFuzzer: any bytes as an HTTP/1 request, whole and in pieces, which must come to the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/http1_request.h"

namespace {

using narthex::Http1Request;

std::string Read(std::string_view input, size_t step) {
  narthex::HttpRequest request;
  Http1Request reader(/*max_header_bytes=*/1 << 10, /*max_body_bytes=*/1 << 12);
  reader.Begin(&request);
  Http1Request::State state = Http1Request::State::kMore;
  std::string_view unread = input.substr(0, 0);
  size_t begin = 0, end = 0;
  while (state == Http1Request::State::kMore && end < input.size()) {
    end = std::min(end + step, input.size());
    unread = input.substr(begin, end - begin);
    state = reader.Add(&unread);
    begin = end - unread.size();
  }
  if (state != Http1Request::State::kDone) return "-";
  std::string seen = request.method + " " + request.path + "?" + request.query + "\n" + request.body;
  for (const auto& [name, value] : request.headers) seen += "\n" + name + ":" + value;
  return seen + (reader.keep_alive() ? "+" : ".");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string whole = Read(input, std::max<size_t>(size, 1));
  const std::string pieces = Read(input, 1 + size % 7);
  // Only when it is refused anyway may the one get further than the other.
  if (whole != "-" && pieces != "-" && pieces != whole) __builtin_trap();
  return 0;
}
