#include "scraper/classic_histogram.h"

#include <algorithm>
#include <cmath>

namespace narthex::scraper {

void ClassicHistogram::Clear() {
  buckets_.clear();
  count_.reset();
  sum_ = 0;
}

HistogramPtr ClassicHistogram::Convert() {
  auto lower = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(buckets_.begin(), buckets_.end(), lower);
  auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  buckets_.erase(std::unique(buckets_.begin(), buckets_.end(), same),
                 buckets_.end());  // the first one counts
  if (!count_) {
    if (buckets_.empty()) return nullptr;
    count_ = buckets_.back().second;
  }
  if (buckets_.empty() || buckets_.back().first != HUGE_VAL) buckets_.emplace_back(HUGE_VAL, *count_);
  if (buckets_.back().second != *count_ || *count_ < 0) return nullptr;
  auto h = std::make_shared<FloatHistogram>();
  h->schema = kCustomBucketsSchema;
  h->count = *count_;
  h->sum = sum_;
  h->positive_spans = {{0, static_cast<uint32_t>(buckets_.size())}};
  double before = 0;
  for (const auto& [bound, count] : buckets_) {
    if (count < before) return nullptr;
    h->positive_buckets.push_back(count - before);
    before = count;
    if (bound != HUGE_VAL) h->custom_values.push_back(bound);
  }
  h->Compact();
  return h->Validate().ok() ? h : nullptr;
}

ClassicPart PartOfHistogram(std::string_view name, std::string_view family) {
  if (!name.starts_with(family)) return ClassicPart::kNone;
  name.remove_prefix(family.size());
  if (name == "_bucket") return ClassicPart::kBucket;
  if (name == "_sum") return ClassicPart::kSum;
  return name == "_count" ? ClassicPart::kCount : ClassicPart::kNone;
}

}  // namespace narthex::scraper
