// libFuzzer: any bytes as an OTLP export request, protobuf and JSON.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "remote/remote.h"
#include "tests/support/memory_db.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  narthex::MetricsRegistry metrics;
  narthex::FakeClock clock(0);
  auto db = narthex::testing::NewMemoryDb();
  narthex::remote::ReceiverOptions options{db.get(), &clock, &metrics};
  narthex::remote::OtlpConfig config;
  for (const char* type : {"application/x-protobuf", "application/json"}) {
    (void)narthex::remote::HandleOtlp(options, config, input, type, "");
  }
  (void)narthex::remote::HandleOtlp(options, config, input, "application/x-protobuf", "gzip");
  return 0;
}
