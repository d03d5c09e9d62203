#include "template/unicode.h"

#include <locale.h>
#include <wctype.h>

namespace narthex::tmpl {
namespace {

// The C library's tables of all of Unicode, whatever the user's locale is. Null if the system lacks them:
// then only ASCII letters have cases.
locale_t Tables() {
  static const locale_t kTables = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return kTables;
}

char32_t Upper(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  return Tables() == nullptr ? c : static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), Tables()));
}
char32_t Lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return Tables() == nullptr ? c : static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), Tables()));
}

// What words are made of: letters, digits, marks on letters and connectors.
bool IsWordPart(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (Lower(c) >= 'a' && Lower(c) <= 'z') || c == '_';
  if (c == 0x203F || c == 0x2040 || (c >= 0x300 && c < 0x370)) return true;
  return Tables() != nullptr && iswalnum_l(static_cast<wint_t>(c), Tables()) != 0;
}
bool IsLetterOfWord(char32_t c) { return IsWordPart(c) && c != '_' && !(c >= '0' && c <= '9'); }

// What joins two letters to one word: it's, example.com.
bool JoinsLetters(char32_t c) {
  return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2018 || c == 0x2019 || c == 0x2027;
}

struct TitleForm {
  char32_t letter;
  const char* title;
};
// Letters whose title form is not their upper case.
constexpr TitleForm kTitleForms[] = {
    {0xDF, "Ss"},      {0x149, "\xCA\xBCN"}, {0x1C4, "\u01C5"}, {0x1C6, "\u01C5"}, {0x1C7, "\u01C8"},
    {0x1C9, "\u01C8"}, {0x1CA, "\u01CB"},    {0x1CC, "\u01CB"}, {0x1F1, "\u01F2"}, {0x1F3, "\u01F2"},
    {0xFB00, "Ff"},    {0xFB01, "Fi"},       {0xFB02, "Fl"},    {0xFB03, "Ffi"},   {0xFB04, "Ffl"},
    {0xFB05, "St"},    {0xFB06, "St"}};

const char* TitleOf(char32_t c) {
  for (const TitleForm& form : kTitleForms) {
    if (form.letter == c) return form.title;
  }
  return nullptr;
}

template <typename Change>
std::string Changed(std::string_view text, const Change& change) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = FirstCharacter(text);
    AppendCharacter(change(c.code), &out);
    text.remove_prefix(c.size);
  }
  return out;
}

}  // namespace

Character FirstCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  char32_t code = first & (0xFF >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, size};
}

void AppendCharacter(char32_t code, std::string* out) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr unsigned kHeads[] = {0, 0xC0, 0xE0, 0xF0};
  out->push_back(static_cast<char>(kHeads[more] | code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) out->push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3F)));
}

size_t CountCharacters(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(FirstCharacter(text).size);
  return count;
}

std::string_view FirstCharacters(std::string_view text, size_t count) {
  size_t end = 0;
  for (; count > 0 && end < text.size(); --count) end += FirstCharacter(text.substr(end)).size;
  return text.substr(0, end);
}

std::string ToUpperText(std::string_view text) { return Changed(text, Upper); }
std::string ToLowerText(std::string_view text) { return Changed(text, Lower); }

std::string ToTitleText(std::string_view text) {
  std::string out;
  bool done = false;  // the word has its capital
  char32_t before = ' ';
  while (!text.empty()) {
    const Character c = FirstCharacter(text);
    text.remove_prefix(c.size);
    const char* title = TitleOf(c.code);
    const bool cased = title != nullptr || Upper(c.code) != c.code || Lower(c.code) != c.code;
    if (IsWordPart(c.code) && cased && !done) {
      if (title != nullptr) {
        out += title;
      } else {
        AppendCharacter(Upper(c.code), &out);
      }
      done = true;
    } else {
      AppendCharacter(c.code, &out);
      const bool joins = JoinsLetters(c.code) && IsLetterOfWord(before) && !text.empty() &&
                         IsLetterOfWord(FirstCharacter(text).code);
      if (!IsWordPart(c.code) && !joins) done = false;
    }
    before = c.code;
  }
  return out;
}

bool IsPrintable(char32_t code) {
  if (code < 0x80) return code >= 0x20 && code < 0x7F;
  if (code == 0xA0 || code == 0xAD) return false;
  return Tables() != nullptr && iswprint_l(static_cast<wint_t>(code), Tables()) != 0 &&
         iswspace_l(static_cast<wint_t>(code), Tables()) == 0;
}

}  // namespace narthex::tmpl
