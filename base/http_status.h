// HTTP status codes in words.
#pragma once

#include <string>
#include <string_view>

namespace narthex {

std::string_view HttpStatusText(int code);  // "" if unknown
std::string HttpStatusLine(int code);       // "404 Not Found"

}  // namespace narthex
