// Which output group each input series belongs to: by (...) and without (...), on (...) and ignoring (...).
#pragma once

#include <string>
#include <vector>

#include "promql/operator.h"

namespace narthex::promql {

struct Groups {
  std::vector<SeriesMeta> series;  // one a group, in order of first appearance
  std::vector<size_t> of;          // group of each input series
};

// The labels that `by`/`without` leave of a series.
Labels GroupLabels(const Labels& labels, const std::vector<std::string>& names, bool without);
// Appends their encoded form.
void AppendGroup(const Labels& labels, const std::vector<std::string>& names, bool without, std::string* out);
Groups GroupSeries(const std::vector<SeriesMeta>& input, const std::vector<std::string>& names, bool without);

}  // namespace narthex::promql
