// libFuzzer: any bytes as the query, the form and the headers of a request.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/http_client.h"
#include "base/http_response.h"
#include "base/http_server.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  narthex::HttpRequest request;
  request.method = "POST";
  request.headers = {{"content-type", "application/x-www-form-urlencoded"},
                     {"accept-encoding", std::string(input)}};
  request.query = input.substr(0, size / 2);
  request.body = input.substr(size / 2);
  for (const auto& [name, value] : request.Params()) {
    if (name.size() + value.size() > size) __builtin_trap();
  }
  (void)narthex::AcceptsGzip(request);
  (void)narthex::UrlUnescape(input);
  return 0;
}
