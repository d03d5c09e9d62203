#include "tsdb/format/histogram_chunk.h"

#include <bit>

#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kMaxSpans = 1 << 16;
constexpr size_t kMaxBuckets = 1 << 16;

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

void PutSpans(std::string* out, const std::vector<HistogramSpan>& spans, size_t buckets) {
  PutVarint(out, spans.size());
  for (const HistogramSpan& s : spans) {
    PutZigZag(out, s.offset);
    PutVarint(out, s.length);
  }
  PutVarint(out, buckets);
}

bool ReadSpans(ByteReader* in, std::vector<HistogramSpan>* spans, size_t* buckets) {
  spans->resize(in->Count(std::min(kMaxSpans, in->left())));
  for (HistogramSpan& s : *spans) {
    s.offset = static_cast<int32_t>(in->SignedVarint());
    s.length = static_cast<uint32_t>(in->Varint());
  }
  *buckets = in->Count(kMaxBuckets);
  return in->ok();
}

// Everything but the counts.
void PutLayout(std::string* out, const FloatHistogram& h) {
  PutZigZag(out, h.schema);
  PutDouble(out, h.zero_threshold);
  PutSpans(out, h.positive_spans, h.positive_buckets.size());
  PutSpans(out, h.negative_spans, h.negative_buckets.size());
  PutVarint(out, h.custom_values.size());
  for (double v : h.custom_values) PutDouble(out, v);
}

bool ReadLayout(ByteReader* in, FloatHistogram* h) {
  h->schema = static_cast<int32_t>(in->SignedVarint());
  h->zero_threshold = in->Double();
  size_t positive = 0, negative = 0;
  if (!ReadSpans(in, &h->positive_spans, &positive) || !ReadSpans(in, &h->negative_spans, &negative))
    return false;
  h->custom_values.resize(in->Count(in->left() / 8));
  for (double& v : h->custom_values) v = in->Double();
  h->positive_buckets.resize(positive);
  h->negative_buckets.resize(negative);
  return in->ok();
}

bool SameLayout(const FloatHistogram& a, const FloatHistogram& b) {
  if (a.schema != b.schema || !SameBits(a.zero_threshold, b.zero_threshold) ||
      a.positive_spans != b.positive_spans || a.negative_spans != b.negative_spans ||
      a.positive_buckets.size() != b.positive_buckets.size() ||
      a.negative_buckets.size() != b.negative_buckets.size() ||
      a.custom_values.size() != b.custom_values.size()) {
    return false;
  }
  for (size_t i = 0; i < a.custom_values.size(); ++i) {
    if (!SameBits(a.custom_values[i], b.custom_values[i])) return false;
  }
  return true;
}

// Calls f with each number of a histogram in storage order.
template <typename H, typename F>
void ForEachNumber(H& h, F f) {
  f(h.zero_count);
  f(h.count);
  f(h.sum);
  for (auto& v : h.positive_buckets) f(v);
  for (auto& v : h.negative_buckets) f(v);
}

size_t Numbers(const FloatHistogram& h) { return 3 + h.positive_buckets.size() + h.negative_buckets.size(); }

}  // namespace

void PutHistogram(std::string* out, const FloatHistogram& h) {
  out->push_back(static_cast<char>(h.hint));
  PutLayout(out, h);
  double previous = 0;
  ForEachNumber(h, [&](double v) {
    PutValueDelta(out, previous, v);
    previous = v;
  });
}

HistogramPtr ReadHistogram(ByteReader* in) {
  auto h = std::make_shared<FloatHistogram>();
  const uint8_t hint = in->Byte();
  if (hint > 3) in->Fail();
  h->hint = static_cast<CounterResetHint>(hint);
  if (!ReadLayout(in, h.get())) return nullptr;
  double previous = 0;
  ForEachNumber(*h, [&](double& v) { v = previous = ReadValueDelta(in, previous); });
  return in->ok() ? h : nullptr;
}

void PutHistogramChunk(std::string* out, const std::vector<HistogramPtr>& histograms) {
  size_t begin = 0;
  while (begin < histograms.size()) {
    size_t end = begin + 1;
    while (end < histograms.size() && SameLayout(*histograms[begin], *histograms[end])) ++end;
    const size_t n = end - begin;
    PutVarint(out, n);
    PutLayout(out, *histograms[begin]);
    const size_t numbers = Numbers(*histograms[begin]);
    std::vector<std::vector<double>> columns(numbers + 1, std::vector<double>(n));
    for (size_t i = 0; i < n; ++i) {
      size_t c = 0;
      columns[c++][i] = static_cast<double>(histograms[begin + i]->hint);
      ForEachNumber(*histograms[begin + i], [&](double v) { columns[c++][i] = v; });
    }
    for (const std::vector<double>& column : columns) PutNxChunk(out, column.data(), n);
    begin = end;
  }
}

bool ReadHistogramChunk(ByteReader* in, size_t n, std::vector<HistogramPtr>* out) {
  out->clear();
  while (out->size() < n) {
    const size_t run = in->Count(n - out->size());
    FloatHistogram layout;
    // Every number takes a byte at least.
    if (run == 0 || !ReadLayout(in, &layout) || Numbers(layout) > in->left()) {
      in->Fail();
      return false;
    }
    std::vector<std::shared_ptr<FloatHistogram>> hs(run);
    for (auto& h : hs) h = std::make_shared<FloatHistogram>(layout);
    std::vector<double> column(run);
    const size_t numbers = Numbers(layout);
    for (size_t c = 0; c <= numbers; ++c) {
      if (!ReadNxChunk(in, column.data(), run)) return false;
      for (size_t i = 0; i < run; ++i) {
        FloatHistogram& h = *hs[i];
        const size_t positive = h.positive_buckets.size();
        if (c == 0 && !(column[i] >= 0 && column[i] <= 3)) {
          in->Fail();
          return false;
        }
        if (c == 0)
          h.hint = static_cast<CounterResetHint>(static_cast<uint8_t>(column[i]));
        else if (c == 1)
          h.zero_count = column[i];
        else if (c == 2)
          h.count = column[i];
        else if (c == 3)
          h.sum = column[i];
        else if (c - 4 < positive)
          h.positive_buckets[c - 4] = column[i];
        else
          h.negative_buckets[c - 4 - positive] = column[i];
      }
    }
    for (auto& h : hs) out->push_back(std::move(h));
  }
  return in->ok();
}

}  // namespace narthex::tsdb
