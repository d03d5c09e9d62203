#include "tsdb/rocks_log.h"

#include <cstdarg>
#include <cstdio>
#include <string_view>
#include <utility>

namespace narthex::tsdb {
namespace {

class RocksLog : public rocksdb::Logger {
 public:
  RocksLog(const narthex::Logger* logger, RocksStore::DamageSink damage)
      : rocksdb::Logger(rocksdb::WARN_LEVEL), logger_(logger), damage_(std::move(damage)) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list args) override { Logv(rocksdb::WARN_LEVEL, format, args); }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list args) override {
    // HEADER_LEVEL, above the errors, is for what is printed at the start.
    if (level < rocksdb::WARN_LEVEL || level >= rocksdb::HEADER_LEVEL) return;
    const bool skipped = std::string_view(format).find("dropping %d bytes") != std::string_view::npos;
    if (!skipped && level < rocksdb::ERROR_LEVEL) return;
    char text[1024];
    (void)std::vsnprintf(text, sizeof text, format, args);
    if (skipped)
      damage_(text);
    else
      logger_->Error("RocksDB", {{"err", text}});
  }

 private:
  const narthex::Logger* const logger_;
  const RocksStore::DamageSink damage_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> NewRocksLog(const Logger* logger, RocksStore::DamageSink damage) {
  return std::make_shared<RocksLog>(logger, std::move(damage));
}

}  // namespace narthex::tsdb
