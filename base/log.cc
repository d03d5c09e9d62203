#include "base/log.h"

#include <cstdio>

#include "base/go_format.h"
#include "base/json_writer.h"
#include "base/strings.h"

namespace narthex {
namespace {

constexpr std::string_view kNames[] = {"DEBUG", "INFO", "WARN", "ERROR"};

// logfmt quotes a value only if it must.
std::string LogfmtValue(std::string_view value) {
  bool plain = !value.empty();
  for (char c : value) plain &= c > ' ' && c != '"' && c != '=' && c != 0x7f;
  return plain ? std::string(value) : GoQuote(value);
}

}  // namespace

void Logger::Log(LogLevel level, std::string_view message, std::initializer_list<Field> fields) const {
  if (level < level_) return;
  std::string time = FormatRfc3339(clock_->NowMs());
  std::string line;
  if (format_ == LogFormat::kJson) {
    JsonWriter json;
    json.BeginObject().Key("time").String(time).Key("level").String(kNames[static_cast<int>(level)]);
    json.Key("msg").String(message);
    for (const Field& field : fields) json.Key(field.first).String(field.second);
    line = json.EndObject().Take();
  } else {
    line = StrCat("time=", time, " level=", kNames[static_cast<int>(level)], " msg=", LogfmtValue(message));
    for (const Field& field : fields) StrAppend(&line, " ", field.first, "=", LogfmtValue(field.second));
  }
  if (sink_) {
    sink_(line);
    return;
  }
  line.push_back('\n');
  std::fwrite(line.data(), 1, line.size(), stderr);  // one call: lines of threads do not mix
}

}  // namespace narthex
