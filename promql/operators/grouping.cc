#include "promql/operators/grouping.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"

namespace narthex::promql {

void AppendGroup(const Labels& labels, const std::vector<std::string>& names, bool without,
                 std::string* out) {
  for (auto it = labels.begin(); !(it == labels.end()); ++it) {
    const std::string_view name = it->name;
    const bool named = std::find(names.begin(), names.end(), name) != names.end();
    if (without ? named || name == kMetricName : !named) continue;
    out->append(it.encoded());
  }
}

Labels GroupLabels(const Labels& labels, const std::vector<std::string>& names, bool without) {
  std::string encoded;
  AppendGroup(labels, names, without, &encoded);
  return Labels::FromEncoded(std::move(encoded));
}

Groups GroupSeries(const std::vector<SeriesMeta>& input, const std::vector<std::string>& names,
                   bool without) {
  Groups out;
  absl::flat_hash_map<std::string, size_t> index;
  out.of.reserve(input.size());
  const bool one_group = names.empty() && !without;
  std::string group, last_group;
  size_t last = 0;
  const SeriesMeta* before = nullptr;
  for (const SeriesMeta& meta : input) {
    // Where only the labels that are needed were read, neighbours are mostly equal.
    if (before != nullptr && meta.labels == before->labels) {
      out.series[last].drop_name |= meta.drop_name;
      out.of.push_back(last);
      continue;
    }
    before = &meta;
    group.clear();
    if (!one_group) AppendGroup(meta.labels, names, without, &group);
    // Neighbours often belong together.
    if (out.series.empty() || group != last_group) {
      const auto [it, added] = index.try_emplace(group, out.series.size());
      if (added) out.series.push_back({Labels::FromEncoded(group), false});
      last = it->second;
      last_group = group;
    }
    out.series[last].drop_name |= meta.drop_name;  // one without a name suffices
    out.of.push_back(last);
  }
  return out;
}

}  // namespace narthex::promql
