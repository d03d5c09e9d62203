// Where a page may be cut, when it comes in pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "scraper/parser.h"

namespace narthex::scraper {

// How much of `body`, the beginning of a page, can be parsed without what follows: whole lines or messages.
// whole_families: cut between metric families only. 0 = nothing yet.
size_t CompletePrefix(Format format, std::string_view body, bool whole_families);

// What the next piece begins with, so that the parser is in the family that the last piece ended in: a TYPE
// line, or nothing.
std::string FamilyLine(Format format, const ExpositionParser& parser);

}  // namespace narthex::scraper
