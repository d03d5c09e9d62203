// Writing chunks.
#include <algorithm>
#include <cmath>

#include "tsdb/blocks/bit_stream.h"
#include "tsdb/blocks/chunk.h"

namespace narthex::tsdb::blocks {
namespace {

// XOR of a value and the one before, in the window of the last one that fitted.
class XorCoder {
 public:
  void Start(double v) { bits_ = std::bit_cast<uint64_t>(v); }
  void Write(BitWriter* out, double v) {
    const uint64_t bits = std::bit_cast<uint64_t>(v), delta = bits ^ bits_;
    bits_ = bits;
    if (delta == 0) return out->Bits(0, 1);
    out->Bits(1, 1);
    const unsigned leading = std::min(static_cast<unsigned>(std::countl_zero(delta)), 31u);
    const unsigned trailing = static_cast<unsigned>(std::countr_zero(delta));
    if (has_window_ && leading >= leading_ && trailing >= trailing_) {
      out->Bits(0, 1);
      return out->Bits(delta >> trailing_, 64 - leading_ - trailing_);
    }
    has_window_ = true;
    leading_ = leading;
    trailing_ = trailing;
    const unsigned width = 64 - leading - trailing;
    out->Bits(1, 1);
    out->Bits(leading, 5);
    out->Bits(width & 63, 6);
    out->Bits(delta >> trailing, width);
  }

 private:
  uint64_t bits_ = 0;
  bool has_window_ = false;
  unsigned leading_ = 0, trailing_ = 0;
};

// Differences of 64-bit integers wrap.
int64_t Delta(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

void SetCount(std::string* data, size_t n) {
  (*data)[0] = static_cast<char>(n >> 8);
  (*data)[1] = static_cast<char>(n);
}

EncodedChunk EncodeXor(const int64_t* t, const double* v, size_t n) {
  EncodedChunk out{Encoding::kXor, t[0], t[n - 1], static_cast<uint32_t>(n), std::string(2, 0)};
  SetCount(&out.data, n);
  BitWriter w(&out.data);
  XorCoder value;
  int64_t delta = 0;
  for (size_t i = 0; i < n; ++i) {
    if (i == 0) {
      w.Varint(t[0]);
      w.Double(v[0]);
      value.Start(v[0]);
      continue;
    }
    const int64_t d = Delta(t[i], t[i - 1]), dod = Delta(d, delta);
    delta = d;
    if (i == 1) {
      w.Uvarint(static_cast<uint64_t>(d));
    } else if (dod == 0) {
      w.Bits(0, 1);
    } else if (BitWriter::Fits(dod, 14)) {
      w.Bits(0b10, 2);
      w.Bits(static_cast<uint64_t>(dod), 14);
    } else if (BitWriter::Fits(dod, 17)) {
      w.Bits(0b110, 3);
      w.Bits(static_cast<uint64_t>(dod), 17);
    } else if (BitWriter::Fits(dod, 20)) {
      w.Bits(0b1110, 4);
      w.Bits(static_cast<uint64_t>(dod), 20);
    } else {
      w.Bits(0b1111, 4);
      w.Bits(static_cast<uint64_t>(dod), 64);
    }
    value.Write(&w, v[i]);
  }
  return out;
}

bool Whole(double v) { return v >= 0 && v < 9007199254740992.0 && v == std::floor(v); }

// Whether all counts are whole, so that it may have been an integer histogram.
bool IsInteger(const FloatHistogram& h) {
  return Whole(h.count) && Whole(h.zero_count) &&
         std::all_of(h.positive_buckets.begin(), h.positive_buckets.end(), Whole) &&
         std::all_of(h.negative_buckets.begin(), h.negative_buckets.end(), Whole);
}

bool SameLayout(const FloatHistogram& a, const FloatHistogram& b) {
  return a.schema == b.schema && a.zero_threshold == b.zero_threshold &&
         a.positive_spans == b.positive_spans && a.negative_spans == b.negative_spans &&
         a.custom_values == b.custom_values;
}

void WriteZeroThreshold(BitWriter* w, double threshold) {
  int exponent = 0;
  const double fraction = std::frexp(threshold, &exponent);
  if (threshold == 0) return w->Bits(0, 8);
  if (fraction == 0.5 && exponent >= -242 && exponent <= 11) {
    return w->Bits(static_cast<uint64_t>(exponent + 243), 8);
  }
  w->Bits(255, 8);
  w->Double(threshold);
}

void WriteSpans(BitWriter* w, const std::vector<HistogramSpan>& spans) {
  w->VarbitUint(spans.size());
  for (const HistogramSpan& s : spans) {
    w->VarbitUint(s.length);
    w->VarbitInt(s.offset);
  }
}

void WriteCustomValues(BitWriter* w, const std::vector<double>& values) {
  w->VarbitUint(values.size());
  for (double v : values) {
    const double thousands = v * 1000;
    const bool whole = thousands >= 0 && thousands <= 33554430 && std::round(thousands) / 1000 == v;
    if (whole) {
      w->VarbitUint(static_cast<uint64_t>(std::round(thousands)) + 1);
    } else {
      w->Bits(0, 1);
      w->Double(v);
    }
  }
}

uint8_t HeaderOf(CounterResetHint hint) {
  switch (hint) {
    case CounterResetHint::kReset:
      return 0x80;
    case CounterResetHint::kNotReset:
      return 0x40;
    case CounterResetHint::kGauge:
      return 0xc0;
    case CounterResetHint::kUnknown:
      break;
  }
  return 0;
}

// The numbers of a histogram in the order of the format: count, zero count, then the buckets.
std::vector<double> NumbersOf(const FloatHistogram& h) {
  std::vector<double> out = {h.count, h.zero_count};
  out.insert(out.end(), h.positive_buckets.begin(), h.positive_buckets.end());
  out.insert(out.end(), h.negative_buckets.begin(), h.negative_buckets.end());
  return out;
}

// One histogram chunk. Samples must share their layout and kind; stale markers come last.
class HistogramEncoder {
 public:
  HistogramEncoder(const HistogramPoint& first, bool integer)
      : integer_(integer), layout_(*first.h), writer_(&chunk_.data) {
    chunk_.encoding = integer ? Encoding::kHistogram : Encoding::kFloatHistogram;
    chunk_.mint = first.t;
    chunk_.data.assign(3, 0);
    if (IsStale(layout_.sum)) {
      layout_ = FloatHistogram{};
      layout_.sum = StaleNan();
    }
    chunk_.data[2] = static_cast<char>(HeaderOf(layout_.hint));
    WriteZeroThreshold(&writer_, layout_.zero_threshold);
    writer_.VarbitInt(layout_.schema);
    WriteSpans(&writer_, layout_.positive_spans);
    WriteSpans(&writer_, layout_.negative_spans);
    if (layout_.UsesCustomBuckets()) WriteCustomValues(&writer_, layout_.custom_values);
    Append(first);
  }

  // Whether the next sample can go on in this chunk without changing what it says.
  bool Takes(const FloatHistogram& h) const {
    if (chunk_.samples >= kSamplesPerChunk) return false;
    const bool gauge = layout_.hint == CounterResetHint::kGauge;
    if (IsStale(h.sum)) return true;
    if (last_stale_ || IsInteger(h) != integer_ || !SameLayout(h, layout_)) return false;
    if (gauge || h.hint == CounterResetHint::kGauge) return gauge && h.hint == CounterResetHint::kGauge;
    if (h.hint == CounterResetHint::kReset) return false;
    return h.hint == CounterResetHint::kNotReset || !h.DetectReset(*last_);
  }

  void Append(const HistogramPoint& p) {
    const bool first = chunk_.samples == 0;
    last_stale_ = IsStale(p.h->sum);
    const int64_t delta = first ? 0 : Delta(p.t, chunk_.maxt);
    writer_.VarbitInt(first ? p.t : Delta(delta, delta_));
    delta_ = delta;
    integer_ ? WriteInteger(*p.h, first) : WriteFloat(*p.h, first);
    last_ = p.h;
    chunk_.maxt = p.t;
    ++chunk_.samples;
  }

  EncodedChunk Take() {
    SetCount(&chunk_.data, chunk_.samples);
    return std::move(chunk_);
  }

 private:
  void WriteSum(double sum, bool first) {
    if (!first) return sum_.Write(&writer_, sum);
    writer_.Double(sum);
    sum_.Start(sum);
  }

  void WriteInteger(const FloatHistogram& h, bool first) {
    std::vector<int64_t> now(2);
    if (!last_stale_) {
      now[0] = static_cast<int64_t>(h.count);
      now[1] = static_cast<int64_t>(h.zero_count);
      for (const std::vector<double>* side : {&h.positive_buckets, &h.negative_buckets}) {
        int64_t previous = 0;
        for (double b : *side) {
          now.push_back(static_cast<int64_t>(b) - previous);
          previous = static_cast<int64_t>(b);
        }
      }
    }
    deltas_.resize(std::max(deltas_.size(), now.size()));
    numbers_.resize(std::max(numbers_.size(), now.size()));
    for (size_t i = 0; i < now.size(); ++i) {
      if (i == 2) WriteSum(h.sum, first);
      if (first) {
        i < 2 ? writer_.VarbitUint(static_cast<uint64_t>(now[i])) : writer_.VarbitInt(now[i]);
      } else if (last_stale_) {
        writer_.VarbitInt(0);
      } else {
        const int64_t delta = now[i] - numbers_[i];
        writer_.VarbitInt(delta - deltas_[i]);
        deltas_[i] = delta;
      }
      numbers_[i] = now[i];
    }
    if (now.size() == 2) WriteSum(h.sum, first);
  }

  void WriteFloat(const FloatHistogram& h, bool first) {
    const std::vector<double> now = last_stale_ ? std::vector<double>{0, 0} : NumbersOf(h);
    coders_.resize(std::max(coders_.size(), now.size()));
    for (size_t i = 0; i < now.size(); ++i) {
      if (i == 2) WriteSum(h.sum, first);
      if (first) {
        writer_.Double(now[i]);
        coders_[i].Start(now[i]);
      } else {
        coders_[i].Write(&writer_, now[i]);
      }
    }
    if (now.size() == 2) WriteSum(h.sum, first);
  }

  const bool integer_;
  FloatHistogram layout_;
  EncodedChunk chunk_;
  BitWriter writer_;
  HistogramPtr last_;
  bool last_stale_ = false;
  int64_t delta_ = 0;
  XorCoder sum_;
  std::vector<int64_t> numbers_, deltas_;
  std::vector<XorCoder> coders_;
};

}  // namespace

std::vector<EncodedChunk> EncodeChunks(const Samples& samples) {
  std::vector<EncodedChunk> out;
  size_t f = 0, h = 0;
  while (f < samples.t.size() || h < samples.h.size()) {
    const bool is_float = h == samples.h.size() || (f < samples.t.size() && samples.t[f] <= samples.h[h].t);
    if (is_float) {
      const int64_t end = h == samples.h.size() ? INT64_MAX : samples.h[h].t;
      size_t n = 1;
      while (f + n < samples.t.size() && n < kSamplesPerChunk && samples.t[f + n] < end) ++n;
      out.push_back(EncodeXor(&samples.t[f], &samples.v[f], n));
      f += n;
      continue;
    }
    const int64_t end = f == samples.t.size() ? INT64_MAX : samples.t[f];
    const FloatHistogram& first = *samples.h[h].h;
    HistogramEncoder encoder(samples.h[h], IsStale(first.sum) || IsInteger(first));
    for (++h; h < samples.h.size() && samples.h[h].t < end && encoder.Takes(*samples.h[h].h); ++h) {
      encoder.Append(samples.h[h]);
    }
    out.push_back(encoder.Take());
  }
  return out;
}

}  // namespace narthex::tsdb::blocks
