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
  bool plain = !value.empty() && IsValidUtf8(value);
  bool ascii = true;
  for (unsigned char c : value) {
    plain &= c > ' ' && c != '"' && c != '=' && c != 0x7f;
    ascii &= c < 0x80;
  }
  if (plain && ascii) return std::string(value);
  std::string quoted = GoQuote(value);
  return plain && quoted.size() == value.size() + 2 ? std::string(value) : quoted;
}

// Always with three decimals: 2015-07-01T20:10:51.700Z.
std::string LogTime(int64_t ms) {
  std::string text = FormatRfc3339(ms);
  if (text.size() == 20) return text.insert(19, ".000");
  while (text.size() < 24) text.insert(text.size() - 1, "0");
  return text;
}

}  // namespace

void Logger::Log(LogLevel level, std::string_view message, std::initializer_list<Field> fields) const {
  if (level < level_) return;
  std::string time = LogTime(clock_->NowMs());
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
