// libFuzzer: any bytes as the body of a remote-write request.
#include <snappy.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "remote/remote.h"
#include "tests/support/memory_db.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  narthex::MetricsRegistry metrics;
  auto db = narthex::testing::NewMemoryDb();
  narthex::FakeClock clock(0);
  narthex::remote::ReceiverOptions options{db.get(), &clock, &metrics};
  std::string body;
  snappy::Compress(input.data(), input.size(),
                   &body);  // the bytes are the message: snappy's own checks hide it
  for (const char* type :
       {"application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"}) {
    (void)narthex::remote::HandleWrite(options, body, type, "snappy");
    (void)narthex::remote::HandleWrite(options, input, type, "snappy");
  }
  return 0;
}
