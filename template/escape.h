// Escaping as Go's template functions html and js do it.
#pragma once

#include <string>
#include <string_view>

namespace narthex::tmpl {

std::string HtmlEscape(std::string_view text);
std::string JsEscape(std::string_view text);

}  // namespace narthex::tmpl
