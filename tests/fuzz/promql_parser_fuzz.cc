// libFuzzer: any bytes as a PromQL query, and as the series of a test script.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "promql/promql.h"
#include "promql/syntax/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto tree = narthex::promql::ParseExpr(input, {});
  (void)tree.ok();
  (void)narthex::promql::ParseSeriesDescription(input).ok();
  return 0;
}
