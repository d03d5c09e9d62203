// libFuzzer: any bytes as an annotation template.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  narthex::tmpl::ExpandOptions options;
  options.labels = {{"a", "b"}};
  options.query = [](const std::string&, int64_t) {
    return std::vector<narthex::tmpl::QuerySample>{{{{"x", "y"}}, 1}};
  };
  (void)narthex::tmpl::ExpandAlertText(input, options).ok();
  return 0;
}
