// HTTP status codes in words.
#pragma once

#include <string>
#include <string_view>

namespace narthex {

std::string_view HttpStatusText(int code);  // "" if unknown
// What a server writes behind the protocol: "404 Not Found", "499 status code 499".
std::string HttpReason(int code);
std::string HttpStatusLine(int code);  // "404 Not Found"

}  // namespace narthex
