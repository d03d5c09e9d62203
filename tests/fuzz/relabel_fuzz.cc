// libFuzzer: any bytes as relabel_configs, applied to a fixed label set.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/yaml.h"
#include "model/relabel.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto node = narthex::YamlNode::Parse(input);
  if (!node.ok()) return 0;
  auto configs = narthex::ParseRelabelConfigs(*node, narthex::NameValidation::kUtf8);
  if (!configs.ok()) return 0;
  narthex::LabelsBuilder labels;
  labels.Set("__address__", "host:80").Set("job", "fuzz").Set("a", "b");
  (void)narthex::Relabel(*configs, &labels);
  return 0;
}
