#include "scraper/proto_metric.h"

#include "base/proto_wire.h"

namespace narthex::scraper {
namespace {

using enum WireType;

bool DecodeTimestamp(std::string_view message, int64_t* ms) {
  WireReader reader(message);
  uint64_t seconds = 0;
  int32_t nanos = 0;
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kVarint) seconds = f.bits;
    if (f.number == 2 && f.type == kVarint) nanos = static_cast<int32_t>(f.bits);
  }
  // Unsigned, so that nonsense wraps around as it does upstream.
  *ms = static_cast<int64_t>(seconds * 1000 + static_cast<uint64_t>(int64_t{nanos / 1'000'000}));
  return reader.ok();
}

// `value` is field 2 and the bound field `bound` of both kinds; a bucket has a count besides, as integer or
// float.
bool DecodeQuantile(std::string_view message, ProtoMetric::Bucket* out) {
  WireReader reader(message);
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kFixed64) out->bound = WireDouble(f.bits);
    if (f.number == 2 && f.type == kFixed64) out->value = WireDouble(f.bits);
  }
  return reader.ok();
}

bool DecodeBucket(std::string_view message, ProtoMetric::Bucket* out) {
  WireReader reader(message);
  double float_count = 0;
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kVarint) out->value = static_cast<double>(f.bits);
    if (f.number == 2 && f.type == kFixed64) out->bound = WireDouble(f.bits);
    if (f.number == 3 && f.type == kBytes) out->exemplar = f.bytes;
    if (f.number == 4 && f.type == kFixed64) float_count = WireDouble(f.bits);
  }
  if (float_count != 0) out->value = float_count;
  return reader.ok();
}

bool DecodeSpan(std::string_view message, HistogramSpan* out) {
  WireReader reader(message);
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kVarint) out->offset = static_cast<int32_t>(ZigZag(f.bits));
    if (f.number == 2 && f.type == kVarint) out->length = static_cast<uint32_t>(f.bits);
  }
  return reader.ok();
}

// Deltas to absolute counts.
void SumUp(std::vector<double>* counts, const std::vector<int64_t>& deltas) {
  uint64_t count = 0;
  for (int64_t delta : deltas) {
    count += static_cast<uint64_t>(delta);
    counts->push_back(static_cast<double>(static_cast<int64_t>(count)));
  }
}

}  // namespace

bool DecodeLabel(std::string_view message, std::pair<std::string_view, std::string_view>* out) {
  WireReader reader(message);
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kBytes) out->first = f.bytes;
    if (f.number == 2 && f.type == kBytes) out->second = f.bytes;
  }
  return reader.ok();
}

bool DecodeExemplar(std::string_view message, ProtoExemplar* out) {
  *out = ProtoExemplar();
  WireReader reader(message);
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kBytes && !DecodeLabel(f.bytes, &out->labels.emplace_back())) return false;
    if (f.number == 2 && f.type == kFixed64) out->value = WireDouble(f.bits);
    if (f.number == 3 && f.type == kBytes) {
      if (!DecodeTimestamp(f.bytes, &out->t)) return false;
      out->has_t = true;
    }
  }
  return reader.ok();
}

void ProtoMetric::Clear() {
  labels.clear();
  value = count = sum = zero_threshold = zero_count = 0;
  timestamp_ms = start_ms = 0;
  exemplar = {};
  schema = 0;
  buckets.clear();
  exemplars.clear();
  positive_spans.clear();
  negative_spans.clear();
  positive.clear();
  negative.clear();
}

bool ProtoMetric::Decode(std::string_view message, ProtoType type) {
  static constexpr uint32_t kField[] = {3, 2, 4, 5, 7, 7};  // where a type has its value
  Clear();
  const uint32_t value_field = kField[static_cast<size_t>(type)];
  WireReader reader(message);
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kBytes) {
      if (!DecodeLabel(f.bytes, &labels.emplace_back())) return false;
    } else if (f.number == 6 && f.type == kVarint) {
      timestamp_ms = static_cast<int64_t>(f.bits);
    } else if (f.number == value_field && f.type == kBytes) {
      const bool ok = value_field == 4   ? DecodeSummary(f.bytes)
                      : value_field == 7 ? DecodeHistogram(f.bytes)
                                         : DecodeValue(f.bytes, type == ProtoType::kCounter ? 3 : 0);
      if (!ok) return false;
    }
  }
  return reader.ok();
}

bool ProtoMetric::DecodeValue(std::string_view message, uint32_t start_field) {
  WireReader reader(message);
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kFixed64) value = WireDouble(f.bits);
    if (start_field == 0 || f.type != kBytes) continue;
    if (f.number == 2) exemplar = f.bytes;
    if (f.number == start_field && !DecodeTimestamp(f.bytes, &start_ms)) return false;
  }
  return reader.ok();
}

bool ProtoMetric::DecodeSummary(std::string_view message) {
  WireReader reader(message);
  for (WireField f; reader.Next(&f);) {
    if (f.number == 1 && f.type == kVarint) count = static_cast<double>(f.bits);
    if (f.number == 2 && f.type == kFixed64) sum = WireDouble(f.bits);
    if (f.type != kBytes) continue;
    if (f.number == 3 && !DecodeQuantile(f.bytes, &buckets.emplace_back())) return false;
    if (f.number == 4 && !DecodeTimestamp(f.bytes, &start_ms)) return false;
  }
  return reader.ok();
}

bool ProtoMetric::DecodeHistogram(std::string_view message) {
  WireReader reader(message);
  double float_count = 0, float_zero_count = 0;
  std::vector<int64_t> positive_deltas, negative_deltas;
  auto delta = [](std::vector<int64_t>* out) { return [out](uint64_t n) { out->push_back(ZigZag(n)); }; };
  auto number = [](std::vector<double>* out) {
    return [out](uint64_t bits) { out->push_back(WireDouble(bits)); };
  };
  std::vector<double> positive_counts, negative_counts;
  for (WireField f; reader.Next(&f);) {
    bool ok = true;
    if (f.number == 1 && f.type == kVarint) count = static_cast<double>(f.bits);
    if (f.number == 2 && f.type == kFixed64) sum = WireDouble(f.bits);
    if (f.number == 3 && f.type == kBytes) ok = DecodeBucket(f.bytes, &buckets.emplace_back());
    if (f.number == 4 && f.type == kFixed64) float_count = WireDouble(f.bits);
    if (f.number == 5 && f.type == kVarint) schema = static_cast<int32_t>(ZigZag(f.bits));
    if (f.number == 6 && f.type == kFixed64) zero_threshold = WireDouble(f.bits);
    if (f.number == 7 && f.type == kVarint) zero_count = static_cast<double>(f.bits);
    if (f.number == 8 && f.type == kFixed64) float_zero_count = WireDouble(f.bits);
    if (f.number == 9 && f.type == kBytes) ok = DecodeSpan(f.bytes, &negative_spans.emplace_back());
    if (f.number == 10) ok = EachNumber(f, kVarint, delta(&negative_deltas));
    if (f.number == 11) ok = EachNumber(f, kFixed64, number(&negative_counts));
    if (f.number == 12 && f.type == kBytes) ok = DecodeSpan(f.bytes, &positive_spans.emplace_back());
    if (f.number == 13) ok = EachNumber(f, kVarint, delta(&positive_deltas));
    if (f.number == 14) ok = EachNumber(f, kFixed64, number(&positive_counts));
    if (f.number == 15 && f.type == kBytes) ok = DecodeTimestamp(f.bytes, &start_ms);
    if (f.number == 16 && f.type == kBytes) exemplars.push_back(f.bytes);
    if (!ok) return false;
  }
  const bool is_float = float_count > 0 || float_zero_count > 0;
  if (float_count != 0) count = float_count;
  if (is_float) {
    zero_count = float_zero_count;
    positive.swap(positive_counts);
    negative.swap(negative_counts);
  } else {
    SumUp(&positive, positive_deltas);
    SumUp(&negative, negative_deltas);
  }
  return reader.ok();
}

}  // namespace narthex::scraper
