// libFuzzer: any bytes as --web.config.file. Certificates in place are tried too, files are not there.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/web_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)narthex::ParseWebConfig({reinterpret_cast<const char*>(data), size}, "/nonexistent").ok();
  return 0;
}
