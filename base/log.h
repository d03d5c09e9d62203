// Structured log lines as Prometheus writes them (logfmt or JSON), to stderr.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace narthex {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

// Thread-safe. Passed by pointer, never global. The sink is stderr unless given.
class Logger {
 public:
  using Field = std::pair<std::string_view, std::string>;
  using Sink = std::function<void(std::string_view line)>;
  Logger(LogLevel level, LogFormat format, const Clock* clock, Sink sink = nullptr)
      : level_(level), format_(format), clock_(clock), sink_(std::move(sink)) {}

  void Log(LogLevel level, std::string_view message, std::initializer_list<Field> fields = {}) const;
  void Debug(std::string_view m, std::initializer_list<Field> f = {}) const { Log(LogLevel::kDebug, m, f); }
  void Info(std::string_view m, std::initializer_list<Field> f = {}) const { Log(LogLevel::kInfo, m, f); }
  void Warn(std::string_view m, std::initializer_list<Field> f = {}) const { Log(LogLevel::kWarn, m, f); }
  void Error(std::string_view m, std::initializer_list<Field> f = {}) const { Log(LogLevel::kError, m, f); }

 private:
  LogLevel level_;
  LogFormat format_;
  const Clock* clock_;
  Sink sink_;
};

}  // namespace narthex
