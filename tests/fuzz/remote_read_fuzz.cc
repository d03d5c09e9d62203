// libFuzzer: any bytes as a remote read request.
#include <snappy.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "remote/remote.h"
#include "tests/support/memory_db.h"

namespace {

class Sink : public narthex::HttpResponseWriter {
 public:
  void SetHeader(std::string_view, std::string_view) override {}
  void Send(int, std::string_view, std::string) override {}
  absl::Status Start(int, std::string_view) override { return absl::OkStatus(); }
  absl::Status Write(std::string_view) override { return absl::OkStatus(); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto db = narthex::testing::NewMemoryDb();
  auto appender = db->NewAppender();
  narthex::tsdb::SeriesRef ref = 0;
  (void)appender->Append(&ref, narthex::Labels({{"__name__", "a"}}), {1, 2, nullptr, 0});
  (void)appender->Commit();
  narthex::remote::ReadOptions options;
  options.storage = db.get();
  std::string body;
  snappy::Compress(input.data(), input.size(), &body);
  Sink sink;
  (void)narthex::remote::HandleRead(options, body, &sink);
  (void)narthex::remote::HandleRead(options, input, &sink);
  return 0;
}
