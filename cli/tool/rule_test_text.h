// What `test rules` prints where a test is not as expected, word for word as promtool.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/tool/rule_test_file.h"

namespace narthex::cli {

// Puts the indent before every line but the first.
std::string IndentLines(const std::string& text, const std::string& indent);
// `{__name__="up", a="b"}`: the name among the labels.
std::string LabelsText(const Labels& labels);
// "[\n0:\n  Labels:{...}\n  Annotations:{...}\n]"; "[]" if there are none.
std::string AlertsText(const std::vector<ExpectedAlert>& alerts);
// Both lists as indented JSON; what differs is coloured: red is missing, green too much, yellow changed.
std::string AlertsDiff(const std::vector<ExpectedAlert>& expected, const std::vector<ExpectedAlert>& got);

}  // namespace narthex::cli
