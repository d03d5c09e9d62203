// libFuzzer: any bytes as a rule file.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "rules/rules.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  (void)narthex::rules::ParseRuleFile("fuzz.yml", input, {}).ok();
  return 0;
}
