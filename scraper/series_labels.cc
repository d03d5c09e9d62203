// From exposed to stored labels, and the limits on them.
#include <algorithm>

#include "base/go_format.h"
#include "scraper/scrape_loop.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

bool Exposes(const LabelPairs& exposed, std::string_view name) {
  return std::any_of(exposed.begin(), exposed.end(), [name](const auto& pair) { return pair.first == name; });
}

// Shorter names first, so that exported_a is placed before exported_exported_a can be asked for.
void KeepConflicting(LabelPairs conflicts, LabelsBuilder* builder) {
  std::stable_sort(conflicts.begin(), conflicts.end(),
                   [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
  for (auto& [name, value] : conflicts) {
    std::string renamed = "exported_" + name;
    while (!builder->Get(renamed).empty()) renamed.insert(0, "exported_");
    builder->Set(renamed, value);
  }
}

std::string Head(std::string_view text) { return std::string(text.substr(0, 50)); }

}  // namespace

bool SeriesLabels(const LabelPairs& exposed, const Labels& target, const ScrapeConfig& config, Labels* out) {
  LabelsBuilder builder;
  for (const auto& [name, value] : exposed) builder.Set(name, value);
  LabelPairs conflicts;
  for (LabelView l : target) {
    if (config.honor_labels) {
      // An exposed empty value counts as there: it takes the target's label away.
      if (!Exposes(exposed, l.name)) builder.Set(l.name, l.value);
      continue;
    }
    std::string_view existing = builder.Get(l.name);
    if (!existing.empty()) conflicts.emplace_back(l.name, existing);
    builder.Set(l.name, l.value);
  }
  if (!conflicts.empty()) KeepConflicting(std::move(conflicts), &builder);
  if (!Relabel(config.metric_relabel_configs, &builder)) return false;
  *out = builder.Build();
  return true;
}

absl::Status CheckLabelLimits(const Labels& labels, const ScrapeConfig& config) {
  std::string metric = Head(labels.MetricName());
  if (config.label_limit > 0) {
    int64_t count = static_cast<int64_t>(labels.size());
    if (count > config.label_limit) {
      return Invalid("label_limit exceeded (metric: ", metric, ", number of labels: ", count,
                     ", limit: ", config.label_limit, ")");
    }
  }
  if (config.label_name_length_limit <= 0 && config.label_value_length_limit <= 0) return absl::OkStatus();
  for (LabelView l : labels) {
    if (config.label_name_length_limit > 0 &&
        static_cast<int64_t>(l.name.size()) > config.label_name_length_limit) {
      return Invalid("label_name_length_limit exceeded (metric: ", metric, ", label name: ", Head(l.name),
                     ", length: ", l.name.size(), ", limit: ", config.label_name_length_limit, ")");
    }
    if (config.label_value_length_limit > 0 &&
        static_cast<int64_t>(l.value.size()) > config.label_value_length_limit) {
      return Invalid("label_value_length_limit exceeded (metric: ", metric, ", label name: ", Head(l.name),
                     ", value: ", GoQuote(Head(l.value)), ", length: ", l.value.size(),
                     ", limit: ", config.label_value_length_limit, ")");
    }
  }
  return absl::OkStatus();
}

}  // namespace narthex::scraper
