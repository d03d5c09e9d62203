#include "template/escape.h"

#include <cstdio>

#include "template/unicode.h"

namespace narthex::tmpl {

std::string HtmlEscape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\0':
        out += "\uFFFD";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string JsEscape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character c = FirstCharacter(text);
    const std::string_view bytes = text.substr(0, c.size);
    text.remove_prefix(c.size);
    if (c.code == '\\' || c.code == '\'' || c.code == '"') {
      out += '\\';
      out += bytes;
    } else if (c.code == '<' || c.code == '>' || c.code == '&' || c.code == '=' || c.code < ' ' ||
               (c.code >= 0x80 && !IsPrintable(c.code))) {
      char hex[16];
      std::snprintf(hex, sizeof hex, "\\u%04X", static_cast<unsigned>(c.code));
      out += hex;
    } else {
      out += bytes;
    }
  }
  return out;
}

}  // namespace narthex::tmpl
