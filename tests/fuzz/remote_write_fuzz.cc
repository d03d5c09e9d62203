// libFuzzer: any bytes as the body of a remote-write request.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "remote/remote.h"
#include "tests/support/memory_db.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  narthex::MetricsRegistry metrics;
  auto db = narthex::testing::NewMemoryDb();
  (void)narthex::remote::HandleWrite(input, "application/x-protobuf", "snappy", db.get(), &metrics);
  return 0;
}
