// libFuzzer: any bytes as what rules and alerting save: an alert, a notification. What is read is written
// again as it was.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "alerting/alert_queue.h"
#include "rules/alert_store.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  narthex::rules::Alert alert;
  if (narthex::rules::DecodeAlert(input, &alert) && narthex::rules::EncodeAlert(alert) != input)
    __builtin_trap();
  narthex::rules::Notification note, same;
  if (narthex::alerting::DecodeNotification(input, &note)) {
    const std::string bytes = narthex::alerting::EncodeNotification(note);
    if (!narthex::alerting::DecodeNotification(bytes, &same)) __builtin_trap();
    if (narthex::alerting::EncodeNotification(same) != bytes) __builtin_trap();
  }
  return 0;
}
