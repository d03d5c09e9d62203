// libFuzzer: any bytes on an HTTP/2 connection. With a first byte that is odd the client's preface and
// settings come before them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/http2_session.h"
#include "base/strings.h"

namespace {

class InlineHost : public narthex::Http2Session::Host {
 public:
  bool RunJob(std::function<void()> job) override {
    job();
    return true;
  }
  void WakeUp() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  InlineHost host;
  narthex::HttpServerOptions options;
  options.max_header_bytes = 1000;
  options.max_body_bytes = 1000;
  narthex::HttpHandler handler = [](const narthex::HttpRequest& request, narthex::HttpResponseWriter& out) {
    size_t parameters = request.Params().size();
    out.SetHeader("X-Parameters", narthex::StrCat(parameters));
    if (parameters == 0) return out.Send(200, "text/plain", request.path + request.body);
    (void)out.Start(200, "text/plain");
    (void)out.Write(request.query);
  };
  narthex::FakeClock clock(1'700'000'000'000);
  narthex::Http2Session session(&host, &options, &handler, &clock, "127.0.0.1:1");
  if (data[0] % 2 == 1) {
    std::string start = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    start += std::string("\0\0\0\4\0\0\0\0\0", 9);
    if (!session.Receive(start)) __builtin_trap();
  }
  // In two parts, so that frames are cut anywhere.
  size_t half = data[0] / 256.0 * static_cast<double>(input.size());
  if (session.Receive(input.substr(0, half))) {
    (void)session.Output(1 << 16);
    clock.AdvanceMs(data[0] % 4 == 0 ? 20'000 : 10);
    session.Tick();
    (void)session.Receive(input.substr(half));
  }
  (void)session.Output(1 << 16);
  session.Abort();
  return 0;
}
