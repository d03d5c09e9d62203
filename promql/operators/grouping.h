// Which output group each input series belongs to: by (...) and without (...), on (...) and ignoring (...).
#pragma once

#include <string>
#include <vector>

#include "promql/operator.h"

namespace narthex::promql {

// The labels that `by`/`without` leave of a series.
Labels GroupLabels(const Labels& labels, const std::vector<std::string>& names, bool without);
// Appends their encoded form.
void AppendGroup(const Labels& labels, const std::vector<std::string>& names, bool without, std::string* out);
Groups GroupSeries(const std::vector<SeriesMeta>& input, const std::vector<std::string>& names, bool without);

}  // namespace narthex::promql
