#include "tsdb/blocks/chunk.h"

#include <cmath>
#include <numeric>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/blocks/bit_stream.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr size_t kMaxHistogramCells = 64 << 20;  // layout cells times samples of one chunk

absl::Status Malformed(std::string_view what) { return absl::DataLossError(StrCat("malformed ", what)); }

// A double coded as XOR against the one before.
struct XorValue {
  uint64_t bits = 0;
  unsigned leading = 0, trailing = 0;

  double value() const { return std::bit_cast<double>(bits); }
  // The window of significant bits: 5 bits of leading zeros, 6 bits of width.
  void ReadWindow(BitReader* in) {
    const unsigned new_leading = static_cast<unsigned>(in->Bits(5));
    unsigned width = static_cast<unsigned>(in->Bits(6));
    if (width == 0) width = 64;
    if (new_leading + width > 64) return in->Fail();
    leading = new_leading;
    trailing = 64 - new_leading - width;
    ReadSame(in);
  }
  void ReadSame(BitReader* in) { bits ^= in->Bits(64 - leading - trailing) << trailing; }
  void Read(BitReader* in) {
    switch (in->Ones(2)) {
      case 0:
        return;
      case 1:
        return ReadSame(in);
      default:
        return ReadWindow(in);
    }
  }
};

int64_t Add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t Sub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

absl::Status DecodeXor(std::string_view data, Samples* out) {
  if (data.size() < 2) return Malformed("XOR chunk: no header");
  const size_t n = static_cast<size_t>(static_cast<uint8_t>(data[0])) << 8 | static_cast<uint8_t>(data[1]);
  BitReader in(data.substr(2));
  if (n > in.bits_left()) return Malformed("XOR chunk: too few bytes for its samples");
  constexpr unsigned kWidths[] = {0, 14, 17, 20, 64};
  const size_t base = out->t.size();
  out->t.resize(base + n);
  out->v.resize(base + n);
  int64_t t = 0, delta = 0;
  XorValue value;
  size_t i = 0;
  for (; i < n && in.ok(); ++i) {
    if (i == 0) {
      t = in.Varint();
      value.bits = in.Bits(64);
    } else {
      if (i == 1) {
        delta = static_cast<int64_t>(in.Uvarint());
      } else {
        const unsigned width = kWidths[in.Ones(4)];
        if (width != 0) delta = Add(delta, in.Signed(width));
      }
      t = Add(t, delta);
      value.Read(&in);
    }
    out->t[base + i] = t;
    out->v[base + i] = value.value();
  }
  if (in.ok()) return absl::OkStatus();
  out->t.resize(base + i - 1);
  out->v.resize(base + i - 1);
  return Malformed("XOR chunk");
}

// Start timestamps as XOR2 and the ST histogram chunks carry them: each against the time of the sample
// before.
class StartTimes {
 public:
  explicit StartTimes(uint8_t header) : first_known_((header & 0x80) != 0), change_on_(header & 0x7f) {}
  bool any() const { return first_known_ || change_on_ > 0; }
  // `index` counts from 0.
  int64_t Read(BitReader* in, size_t index, int64_t t, int64_t previous_t) {
    if (index == 0) {
      if (first_known_) st_ = Sub(t, in->Varint());
    } else if (change_on_ > 0 && index >= change_on_) {
      const int64_t d = in->VarbitInt();
      diff_ = index == change_on_ ? d : Add(diff_, d);
      st_ = Sub(previous_t, diff_);
    }
    return st_;
  }

 private:
  const bool first_known_;
  const size_t change_on_;
  int64_t st_ = 0, diff_ = 0;
};

// XOR2 has one code for time and value; stale markers have their own and leave the value before as it is.
class Xor2Reader {
 public:
  explicit Xor2Reader(std::string_view data) : in_(data.substr(3)), starts_(static_cast<uint8_t>(data[2])) {}
  bool ok() const { return in_.ok(); }
  bool has_starts() const { return starts_.any(); }
  void Next() {
    const int64_t previous = t;
    stale_ = false;
    if (index_ == 0) {
      t = in_.Varint();
      first_ = in_.Bits(64);
      stale_ = first_ == kStaleNanBits;
      if (!stale_) value_.bits = first_;
    } else if (index_ == 1) {
      delta_ = static_cast<int64_t>(in_.Uvarint());
      t = Add(t, delta_);
      ReadValue();
    } else {
      Joint();
    }
    st = starts_.Read(&in_, index_, t, previous);
    v = stale_ ? StaleNan() : value_.value();
    ++index_;
  }
  int64_t t = 0, st = 0;
  double v = 0;

 private:
  void Joint() {
    const unsigned code = in_.Ones(5);
    if (code >= 2 && code <= 4) {
      constexpr unsigned kWidths[] = {13, 20, 64};
      const unsigned width = kWidths[code - 2];
      const uint64_t raw = in_.Bits(width);
      // Two's complement, unlike XOR.
      const int64_t dod =
          width == 64 ? static_cast<int64_t>(raw) : static_cast<int64_t>(raw << (64 - width)) >> (64 - width);
      delta_ = Add(delta_, dod);
    }
    t = Add(t, delta_);
    if (code == 1) {
      in_.Bit() ? value_.ReadWindow(&in_) : value_.ReadSame(&in_);
    } else if (code == 5) {
      stale_ = true;
    } else if (code != 0) {
      ReadValue();
    }
  }
  void ReadValue() {
    switch (in_.Ones(3)) {
      case 0:
        return;
      case 1:
        return value_.ReadSame(&in_);
      case 2:
        return value_.ReadWindow(&in_);
      default:
        stale_ = true;
    }
  }

  BitReader in_;
  StartTimes starts_;
  XorValue value_;
  uint64_t first_ = 0;
  int64_t delta_ = 0;
  size_t index_ = 0;
  bool stale_ = false;
};

absl::Status DecodeXor2(std::string_view data, Samples* out) {
  if (data.size() < 3) return Malformed("XOR2 chunk: no header");
  const size_t n = ChunkSampleCount(static_cast<uint8_t>(Encoding::kXor2), data);
  Xor2Reader in(data);
  if (n > (data.size() - 3) * 8) return Malformed("XOR2 chunk: too few bytes for its samples");
  for (size_t i = 0; i < n; ++i) {
    in.Next();
    if (!in.ok()) return Malformed("XOR2 chunk");
    if (in.has_starts()) {
      out->start_t.resize(out->t.size(), 0);
      out->start_t.push_back(in.st);
    } else if (!out->start_t.empty()) {
      out->start_t.push_back(0);
    }
    out->t.push_back(in.t);
    out->v.push_back(in.v);
  }
  return absl::OkStatus();
}

double ReadZeroThreshold(BitReader* in) {
  const int code = static_cast<int>(in->Bits(8));
  if (code == 0) return 0;
  return code == 255 ? in->Double() : std::ldexp(0.5, code - 243);
}

std::vector<HistogramSpan> ReadSpans(BitReader* in, size_t* buckets) {
  const uint64_t n = in->VarbitUint();
  if (n > in->bits_left()) in->Fail();
  std::vector<HistogramSpan> spans;
  for (uint64_t i = 0; i < n && in->ok(); ++i) {
    const uint64_t length = in->VarbitUint();
    const int64_t offset = in->VarbitInt();
    if (length > in->bits_left() || offset != static_cast<int32_t>(offset)) in->Fail();
    spans.push_back({static_cast<int32_t>(offset), static_cast<uint32_t>(length)});
    *buckets += length;
  }
  return spans;
}

std::vector<double> ReadCustomValues(BitReader* in) {
  const uint64_t n = in->VarbitUint();
  if (n > in->bits_left()) in->Fail();
  std::vector<double> out;
  for (uint64_t i = 0; i < n && in->ok(); ++i) {
    const uint64_t code = in->VarbitUint();
    out.push_back(code == 0 ? in->Double() : static_cast<double>(code - 1) / 1000);
  }
  return out;
}

struct Layout {
  FloatHistogram empty;  // schema, threshold, spans, custom values
  size_t positive = 0, negative = 0;
};

Layout ReadLayout(BitReader* in) {
  Layout out;
  out.empty.zero_threshold = ReadZeroThreshold(in);
  const int64_t schema = in->VarbitInt();
  if (schema != kCustomBucketsSchema && (schema < -9 || schema > 52)) in->Fail();
  out.empty.schema = static_cast<int32_t>(schema);
  out.empty.positive_spans = ReadSpans(in, &out.positive);
  out.empty.negative_spans = ReadSpans(in, &out.negative);
  if (out.empty.UsesCustomBuckets()) out.empty.custom_values = ReadCustomValues(in);
  if (out.positive + out.negative > in->bits_left()) in->Fail();
  return out;
}

// The numbers of integer histograms: deltas of deltas; buckets are deltas between neighbours besides.
class IntegerCells {
 public:
  IntegerCells(size_t positive, size_t negative) : cells_(2 + positive + negative), positive_(positive) {}
  void Read(BitReader* in, bool first, XorValue* sum, FloatHistogram* h) {
    for (size_t i = 0; i < 2; ++i) {
      if (first)
        cells_[i].value = static_cast<int64_t>(in->VarbitUint());
      else
        Step(in, &cells_[i]);
    }
    first ? (void)(sum->bits = in->Bits(64)) : sum->Read(in);
    h->sum = sum->value();
    if (IsStale(h->sum)) return;
    h->count = static_cast<double>(static_cast<uint64_t>(cells_[0].value));
    h->zero_count = static_cast<double>(static_cast<uint64_t>(cells_[1].value));
    int64_t absolute = 0;
    for (size_t i = 2; i < cells_.size(); ++i) {
      if (first)
        cells_[i].value = in->VarbitInt();
      else
        Step(in, &cells_[i]);
      if (i == 2 + positive_) absolute = 0;
      absolute = Add(absolute, cells_[i].value);
      (i < 2 + positive_ ? h->positive_buckets : h->negative_buckets)
          .push_back(static_cast<double>(absolute));
    }
  }

 private:
  struct Cell {
    int64_t value = 0, delta = 0;
  };
  static void Step(BitReader* in, Cell* c) {
    c->delta = Add(c->delta, in->VarbitInt());
    c->value = Add(c->value, c->delta);
  }
  std::vector<Cell> cells_;
  const size_t positive_;
};

// The numbers of float histograms: each XOR coded.
class FloatCells {
 public:
  FloatCells(size_t positive, size_t negative) : cells_(2 + positive + negative), positive_(positive) {}
  void Read(BitReader* in, bool first, XorValue* sum, FloatHistogram* h) {
    const auto step = [&](XorValue* c) { first ? (void)(c->bits = in->Bits(64)) : c->Read(in); };
    step(&cells_[0]);
    step(&cells_[1]);
    step(sum);
    h->sum = sum->value();
    if (IsStale(h->sum)) return;
    h->count = cells_[0].value();
    h->zero_count = cells_[1].value();
    for (size_t i = 2; i < cells_.size(); ++i) {
      step(&cells_[i]);
      (i < 2 + positive_ ? h->positive_buckets : h->negative_buckets).push_back(cells_[i].value());
    }
  }

 private:
  std::vector<XorValue> cells_;
  const size_t positive_;
};

CounterResetHint HintOf(uint8_t header, size_t index) {
  if ((header & 0xc0) == 0xc0) return CounterResetHint::kGauge;
  if (index > 0) return CounterResetHint::kNotReset;
  // A first sample after no reset is unknown: the chunk before may be gone.
  return (header & 0xc0) == 0x80 ? CounterResetHint::kReset : CounterResetHint::kUnknown;
}

template <typename Cells>
absl::Status DecodeHistograms(std::string_view data, bool with_starts, Samples* out) {
  if (data.size() < 3) return Malformed("histogram chunk: no header");
  const uint8_t byte0 = static_cast<uint8_t>(data[0]), byte2 = static_cast<uint8_t>(data[2]);
  const size_t n =
      static_cast<size_t>(with_starts ? byte0 & 0x3f : byte0) << 8 | static_cast<uint8_t>(data[1]);
  const uint8_t header = with_starts ? byte0 : byte2;
  if (n == 0) return absl::OkStatus();
  StartTimes starts(with_starts ? byte2 : 0);
  BitReader in(data.substr(3));
  const Layout layout = ReadLayout(&in);
  const FloatHistogram& empty = layout.empty;
  const size_t cells = layout.positive + layout.negative + empty.positive_spans.size() +
                       empty.negative_spans.size() + empty.custom_values.size();
  if (!in.ok() || cells * n > kMaxHistogramCells) return Malformed("histogram chunk: layout");
  Cells numbers(layout.positive, layout.negative);
  XorValue sum;
  int64_t t = 0, delta = 0;
  for (size_t i = 0; i < n; ++i) {
    auto h = std::make_shared<FloatHistogram>(empty);
    h->hint = HintOf(header, i);
    const int64_t previous = t;
    if (i == 0) {
      t = in.VarbitInt();
    } else {
      delta = Add(delta, in.VarbitInt());
      t = Add(t, delta);
    }
    numbers.Read(&in, i == 0, &sum, h.get());
    if (IsStale(h->sum)) {
      *h = FloatHistogram{};
      h->sum = StaleNan();
    }
    const int64_t start = starts.Read(&in, i, t, previous);
    if (!in.ok()) return Malformed("histogram chunk");
    if (!h->UsesCustomBuckets() && h->schema > 8) h->ReduceResolution(8);
    if (starts.any()) out->h_start_t.resize(out->h.size(), 0);
    out->h.push_back({t, std::move(h)});
    if (starts.any() || !out->h_start_t.empty()) out->h_start_t.push_back(start);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status DecodeChunk(uint8_t encoding, std::string_view data, Samples* out) {
  switch (static_cast<Encoding>(encoding)) {
    case Encoding::kXor:
      RETURN_IF_ERROR(DecodeXor(data, out));
      if (!out->start_t.empty()) out->start_t.resize(out->t.size(), 0);
      return absl::OkStatus();
    case Encoding::kXor2:
      return DecodeXor2(data, out);
    case Encoding::kHistogram:
      return DecodeHistograms<IntegerCells>(data, false, out);
    case Encoding::kFloatHistogram:
      return DecodeHistograms<FloatCells>(data, false, out);
    case Encoding::kHistogramSt:
      return DecodeHistograms<IntegerCells>(data, true, out);
    case Encoding::kFloatHistogramSt:
      return DecodeHistograms<FloatCells>(data, true, out);
  }
  return absl::DataLossError(StrCat("invalid chunk encoding ", static_cast<int>(encoding)));
}

uint32_t ChunkSampleCount(uint8_t encoding, std::string_view data) {
  if (data.size() < 2) return 0;
  const uint32_t n =
      static_cast<uint32_t>(static_cast<uint8_t>(data[0])) << 8 | static_cast<uint8_t>(data[1]);
  const Encoding e = static_cast<Encoding>(encoding);
  return e == Encoding::kHistogramSt || e == Encoding::kFloatHistogramSt ? n & 0x3fff : n;
}

}  // namespace narthex::tsdb::blocks
