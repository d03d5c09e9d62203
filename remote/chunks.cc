#include "remote/chunks.h"

#include <bit>
#include <cmath>

namespace narthex::remote {
namespace {

constexpr int kVarbitSizes[] = {3, 6, 9, 12, 18, 25, 56};
constexpr double kMaxWholeBound = 33554430;

// Whether a signed value fits; the range is lopsided: one more below zero would not, one more above does.
bool FitsSigned(int64_t value, int bits) {
  int64_t half = int64_t{1} << (bits - 1);
  return -half + 1 <= value && value <= half;
}

void WriteTimeDelta(int64_t dod, BitWriter* out) {
  static constexpr std::pair<int, uint64_t> kCodes[] = {{14, 0b10}, {17, 0b110}, {20, 0b1110}};
  if (dod == 0) return out->Bit(false);
  int prefix = 2;
  for (const auto& [bits, code] : kCodes) {
    if (FitsSigned(dod, bits)) {
      out->Bits(code, prefix);
      return out->Bits(static_cast<uint64_t>(dod), bits);
    }
    ++prefix;
  }
  out->Bits(0b1111, 4);
  out->Bits(static_cast<uint64_t>(dod), 64);
}

void WriteZeroThreshold(double threshold, BitWriter* out) {
  if (threshold == 0) return out->Byte(0);
  int exponent = 0;
  double fraction = std::frexp(threshold, &exponent);
  if (fraction != 0.5 || exponent < -242 || exponent > 11) {
    out->Byte(255);
    return out->Bits(std::bit_cast<uint64_t>(threshold), 64);
  }
  out->Byte(static_cast<uint8_t>(exponent + 243));
}

void WriteSpans(const std::vector<HistogramSpan>& spans, BitWriter* out) {
  out->VarbitUint(spans.size());
  for (const HistogramSpan& span : spans) {
    out->VarbitUint(span.length);
    out->VarbitInt(span.offset);
  }
}

// Bounds are mostly round in thousandths.
void WriteBound(double bound, BitWriter* out) {
  double thousandths = bound * 1000;
  bool whole = thousandths >= 0 && thousandths <= kMaxWholeBound && std::round(thousandths) == thousandths;
  if (whole && std::round(thousandths) / 1000 == bound) {
    return out->VarbitUint(static_cast<uint64_t>(std::round(thousandths)) + 1);
  }
  out->Bit(false);
  out->Bits(std::bit_cast<uint64_t>(bound), 64);
}

void WriteCount(int count, BitWriter* bits) {
  bits->SetByte(0, static_cast<uint8_t>(count >> 8));
  bits->SetByte(1, static_cast<uint8_t>(count));
}

}  // namespace

void BitWriter::Bit(bool bit) {
  if (free_ == 0) {
    bytes_.push_back(0);
    free_ = 8;
  }
  --free_;
  if (bit) bytes_.back() = static_cast<char>(static_cast<uint8_t>(bytes_.back()) | 1u << free_);
}

void BitWriter::Bits(uint64_t value, int count) {
  while (count > 0) {
    if (free_ == 0) {
      bytes_.push_back(0);
      free_ = 8;
    }
    int take = count < free_ ? count : free_;
    uint64_t part = value >> (count - take) & ((uint64_t{1} << take) - 1);
    free_ -= take;
    count -= take;
    bytes_.back() = static_cast<char>(static_cast<uint8_t>(bytes_.back()) | part << free_);
  }
}

void BitWriter::Uvarint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) Byte(static_cast<uint8_t>(value | 0x80));
  Byte(static_cast<uint8_t>(value));
}

void BitWriter::Varint(int64_t value) {
  Uvarint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}

void BitWriter::VarbitInt(int64_t value) {
  if (value == 0) return Bit(false);
  Bit(true);
  for (int bits : kVarbitSizes) {
    if (FitsSigned(value, bits)) {
      Bit(false);
      return Bits(static_cast<uint64_t>(value), bits);
    }
    Bit(true);
  }
  Bits(static_cast<uint64_t>(value), 64);
}

void BitWriter::VarbitUint(uint64_t value) {
  if (value == 0) return Bit(false);
  Bit(true);
  for (int bits : kVarbitSizes) {
    if (value < uint64_t{1} << bits) {
      Bit(false);
      return Bits(value, bits);
    }
    Bit(true);
  }
  Bits(value, 64);
}

void XorState::Write(double next, BitWriter* out) {
  uint64_t delta = std::bit_cast<uint64_t>(next) ^ std::bit_cast<uint64_t>(value);
  value = next;
  if (delta == 0) return out->Bit(false);
  out->Bit(true);
  int zeros = std::countl_zero(delta), tail = std::countr_zero(delta);
  if (zeros >= 32) zeros = 31;
  if (leading != 0xff && zeros >= leading && tail >= trailing) {
    out->Bit(false);
    return out->Bits(delta >> trailing, 64 - leading - trailing);
  }
  leading = zeros;
  trailing = tail;
  int significant = 64 - leading - trailing;  // 64 is written as 0
  out->Bit(true);
  out->Bits(static_cast<uint64_t>(leading), 5);
  out->Bits(static_cast<uint64_t>(significant), 6);
  out->Bits(delta >> trailing, significant);
}

void XorChunkWriter::Append(int64_t t, double v) {
  if (count_ == 0) {
    bits_.Varint(t);
    bits_.Bits(std::bit_cast<uint64_t>(v), 64);
    state_.value = v;
  } else if (count_ == 1) {
    delta_ = t - t_;
    bits_.Uvarint(static_cast<uint64_t>(delta_));
    state_.Write(v, &bits_);
  } else {
    int64_t delta = t - t_;
    WriteTimeDelta(delta - delta_, &bits_);
    delta_ = delta;
    state_.Write(v, &bits_);
  }
  t_ = t;
  ++count_;
}

std::string XorChunkWriter::Finish() {
  WriteCount(count_, &bits_);
  return bits_.bytes();
}

void HistogramChunkWriter::Layout(const FloatHistogram& h) {
  WriteZeroThreshold(h.zero_threshold, &bits_);
  bits_.VarbitInt(h.schema);
  WriteSpans(h.positive_spans, &bits_);
  WriteSpans(h.negative_spans, &bits_);
  if (!h.UsesCustomBuckets()) return;
  bits_.VarbitUint(h.custom_values.size());
  for (double bound : h.custom_values) WriteBound(bound, &bits_);
}

bool HistogramChunkWriter::SameLayout(const FloatHistogram& h) const {
  return h.schema == first_.schema && h.zero_threshold == first_.zero_threshold && h.hint == first_.hint &&
         h.positive_spans == first_.positive_spans && h.negative_spans == first_.negative_spans &&
         h.custom_values == first_.custom_values;
}

bool HistogramChunkWriter::Append(int64_t t, const FloatHistogram& h) {
  if (count_ == 0) {
    first_ = h;
    Layout(h);
    bits_.VarbitInt(t);
    auto raw = [this](double v, XorState* state) {
      bits_.Bits(std::bit_cast<uint64_t>(v), 64);
      state->value = v;
    };
    raw(h.count, &observations_);
    raw(h.zero_count, &zero_);
    raw(h.sum, &sum_);
    positive_.resize(h.positive_buckets.size());
    negative_.resize(h.negative_buckets.size());
    for (size_t i = 0; i < positive_.size(); ++i) raw(h.positive_buckets[i], &positive_[i]);
    for (size_t i = 0; i < negative_.size(); ++i) raw(h.negative_buckets[i], &negative_[i]);
  } else {
    if (h.IsStaleMarker() || first_.IsStaleMarker() || !SameLayout(h)) return false;
    int64_t delta = t - t_;
    bits_.VarbitInt(delta - delta_);
    delta_ = delta;
    observations_.Write(h.count, &bits_);
    zero_.Write(h.zero_count, &bits_);
    sum_.Write(h.sum, &bits_);
    for (size_t i = 0; i < positive_.size(); ++i) positive_[i].Write(h.positive_buckets[i], &bits_);
    for (size_t i = 0; i < negative_.size(); ++i) negative_[i].Write(h.negative_buckets[i], &bits_);
  }
  t_ = t;
  ++count_;
  return true;
}

std::string HistogramChunkWriter::Finish() {
  WriteCount(count_, &bits_);
  // Gauges are marked; of counters nothing is claimed.
  if (first_.hint == CounterResetHint::kGauge) bits_.SetByte(2, 0b11000000);
  return bits_.bytes();
}

}  // namespace narthex::remote
