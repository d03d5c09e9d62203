#include "promql/operators/grouping.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"

namespace narthex::promql {

Labels GroupLabels(const Labels& labels, const std::vector<std::string>& names, bool without) {
  std::vector<std::pair<std::string, std::string>> kept;
  for (LabelView label : labels) {
    bool named = std::find(names.begin(), names.end(), label.name) != names.end();
    if (without ? named || label.name == kMetricName : !named) continue;
    kept.emplace_back(label.name, label.value);
  }
  return Labels::FromPairs(std::move(kept));
}

Groups GroupSeries(const std::vector<SeriesMeta>& input, const std::vector<std::string>& names,
                   bool without) {
  Groups out;
  absl::flat_hash_map<Labels, size_t> index;
  out.of.reserve(input.size());
  for (const SeriesMeta& meta : input) {
    Labels labels = GroupLabels(meta.labels, names, without);
    auto [it, added] = index.try_emplace(labels, out.series.size());
    if (added) out.series.push_back({std::move(labels), false});
    out.series[it->second].drop_name |= meta.drop_name;  // one without a name suffices
    out.of.push_back(it->second);
  }
  return out;
}

}  // namespace narthex::promql
