// libFuzzer: any bytes as a PromQL query.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "promql/promql.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto tree = narthex::promql::ParseExpr(input, {});
  (void)tree.ok();
  return 0;
}
