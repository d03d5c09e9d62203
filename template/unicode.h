// Letters beyond ASCII, as Go's unicode and strings packages see them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace narthex::tmpl {

// The character at the start of `text`, which is not empty, and its length; U+FFFD of length 1 if it is no
// UTF-8.
struct Character {
  char32_t code = 0xFFFD;
  size_t size = 1;
};
Character FirstCharacter(std::string_view text);
void AppendCharacter(char32_t code, std::string* out);
size_t CountCharacters(std::string_view text);
// The first `count` characters.
std::string_view FirstCharacters(std::string_view text, size_t count);

std::string ToUpperText(std::string_view text);
std::string ToLowerText(std::string_view text);
// The first letter of each word in title case, the others as they are (golang.org/x/text/cases).
std::string ToTitleText(std::string_view text);
bool IsPrintable(char32_t code);

}  // namespace narthex::tmpl
