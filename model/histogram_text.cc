// The two texts of a FloatHistogram.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/go_format.h"
#include "model/histogram.h"
#include "model/histogram_slots.h"

namespace narthex {

namespace {

using histogram_internal::Expand;
using histogram_internal::Slot;
using histogram_internal::Slots;

// A test expression lists every bucket between the first and the last; more of them are not written out.
constexpr int64_t kMaxListedBuckets = 100'000;

std::string Number(double v) { return FormatFloat(v, 'g', -1); }

void AppendBucket(const HistogramBucket& b, std::string* out) {
  if (b.count == 0) return;
  absl::StrAppend(out, ", ", b.lower_inclusive ? "[" : "(", Number(b.lower), ",", Number(b.upper),
                  b.upper_inclusive ? "]" : ")", ":", Number(b.count));
}

void AppendSide(const std::vector<HistogramSpan>& spans, const std::vector<double>& buckets,
                const char* offset_key, const char* buckets_key, std::vector<std::string>* parts) {
  Slots slots = Expand(spans, buckets);
  std::erase_if(slots, [](const Slot& slot) { return slot.count == 0; });
  if (slots.empty()) return;
  if (slots[0].index != 0) parts->push_back(absl::StrCat(offset_key, ":", slots[0].index));
  std::vector<std::string> counts;
  int64_t next = slots[0].index;
  for (const Slot& slot : slots) {
    if (slot.index - slots[0].index > kMaxListedBuckets) break;
    for (; next < slot.index; ++next) counts.push_back("0");
    counts.push_back(Number(slot.count));
    ++next;
  }
  parts->push_back(absl::StrCat(buckets_key, ":[", absl::StrJoin(counts, " "), "]"));
}

}  // namespace

std::string FloatHistogram::ToString() const {
  std::string out = absl::StrCat("{count:", Number(count), ", sum:", Number(sum));
  std::vector<HistogramBucket> negative = NegativeBuckets();
  std::reverse(negative.begin(), negative.end());
  for (const HistogramBucket& bucket : negative) AppendBucket(bucket, &out);
  AppendBucket({-zero_threshold, zero_threshold, true, true, zero_count, 0}, &out);
  for (const HistogramBucket& bucket : PositiveBuckets()) AppendBucket(bucket, &out);
  out += '}';
  return out;
}

std::string FloatHistogram::TestExpression() const {
  std::vector<std::string> parts;
  if (schema != 0) parts.push_back(absl::StrCat("schema:", schema));
  if (count != 0) parts.push_back(absl::StrCat("count:", Number(count)));
  if (sum != 0) parts.push_back(absl::StrCat("sum:", Number(sum)));
  if (zero_count != 0) parts.push_back(absl::StrCat("z_bucket:", Number(zero_count)));
  if (zero_threshold != 0) parts.push_back(absl::StrCat("z_bucket_w:", Number(zero_threshold)));
  if (UsesCustomBuckets()) {
    auto append = [](std::string* out, double v) { out->append(Number(v)); };
    parts.push_back(absl::StrCat("custom_values:[", absl::StrJoin(custom_values, " ", append), "]"));
  }
  switch (hint) {
    case CounterResetHint::kUnknown:
      break;
    case CounterResetHint::kReset:
      parts.push_back("counter_reset_hint:reset");
      break;
    case CounterResetHint::kNotReset:
      parts.push_back("counter_reset_hint:not_reset");
      break;
    case CounterResetHint::kGauge:
      parts.push_back("counter_reset_hint:gauge");
      break;
  }
  AppendSide(positive_spans, positive_buckets, "offset", "buckets", &parts);
  AppendSide(negative_spans, negative_buckets, "n_offset", "n_buckets", &parts);
  return absl::StrCat("{{", absl::StrJoin(parts, " "), "}}");
}

}  // namespace narthex
