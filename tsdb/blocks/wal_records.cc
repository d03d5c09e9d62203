// Decoding of WAL records.
#include <array>

#include "base/status_macros.h"
#include "base/strings.h"
#include "model/sample.h"
#include "tsdb/blocks/mapped_file.h"
#include "tsdb/blocks/wal_reader.h"
#include "tsdb/format/bytes.h"

namespace narthex::tsdb::blocks {
namespace {

enum Type : int {
  kSeries = 1,
  kSamples = 2,
  kTombstones = 3,
  kExemplars = 4,
  kMetadata = 6,
  kHistograms = 7,
  kFloatHistograms = 8,
  kCustomHistograms = 9,
  kCustomFloatHistograms = 10,
  kSamplesV2 = 11,
  kHistogramsV2 = 12,
  kFloatHistogramsV2 = 13,
};

Labels ReadLabels(Cursor* in) {
  const uint64_t n = in->Uvarint();
  if (n > in->left()) in->Fail();
  std::string encoded;
  std::string_view last;
  for (uint64_t i = 0; i < n && in->ok(); ++i) {
    const std::string_view name = in->Text(), value = in->Text();
    if (name <= last) in->Fail();
    last = name;
    if (value.empty()) continue;
    PutBytes(&encoded, name);
    PutBytes(&encoded, value);
  }
  return in->ok() ? Labels::FromEncoded(std::move(encoded)) : Labels();
}

// A count of things that take a byte each at least.
size_t ReadCount(Cursor* in) {
  const uint64_t n = in->Uvarint();
  if (n > in->left()) in->Fail();
  return in->ok() ? n : 0;
}

std::vector<HistogramSpan> ReadSpans(Cursor* in) {
  std::vector<HistogramSpan> out(ReadCount(in));
  for (HistogramSpan& s : out) {
    s.offset = static_cast<int32_t>(in->Varint());
    s.length = static_cast<uint32_t>(in->Uvarint());
  }
  return out;
}

double ReadDouble(Cursor* in) { return std::bit_cast<double>(in->Be64()); }

// Buckets of one side: floats, or integers each against the one before.
std::vector<double> ReadBuckets(Cursor* in, bool floats, const std::vector<HistogramSpan>& spans) {
  std::vector<double> out(ReadCount(in));
  int64_t absolute = 0;
  for (double& b : out) {
    if (!floats) absolute = WrapAdd(absolute, in->Varint());
    b = floats ? ReadDouble(in) : static_cast<double>(absolute);
  }
  uint64_t expected = 0;
  for (const HistogramSpan& s : spans) expected += s.length;
  if (expected != out.size()) in->Fail();
  return out;
}

HistogramPtr ReadHistogram(Cursor* in, bool floats) {
  auto h = std::make_shared<FloatHistogram>();
  h->hint = static_cast<CounterResetHint>(in->Byte() & 3);
  const int64_t schema = in->Varint();
  if (schema != kCustomBucketsSchema && (schema < -9 || schema > 52)) in->Fail();
  h->schema = static_cast<int32_t>(schema);
  h->zero_threshold = ReadDouble(in);
  h->zero_count = floats ? ReadDouble(in) : static_cast<double>(in->Uvarint());
  h->count = floats ? ReadDouble(in) : static_cast<double>(in->Uvarint());
  h->sum = ReadDouble(in);
  h->positive_spans = ReadSpans(in);
  h->negative_spans = ReadSpans(in);
  h->positive_buckets = ReadBuckets(in, floats, h->positive_spans);
  h->negative_buckets = ReadBuckets(in, floats, h->negative_spans);
  if (h->UsesCustomBuckets()) {
    h->custom_values.resize(ReadCount(in));
    for (double& v : h->custom_values) v = ReadDouble(in);
  }
  if (IsStale(h->sum)) {
    *h = FloatHistogram{};
    h->sum = StaleNan();
  }
  if (in->ok() && !h->UsesCustomBuckets() && h->schema > 8) h->ReduceResolution(8);
  return h;
}

// Floats or histograms: series and time against the record's first sample.
template <typename ReadValue>
void ReadSamplesV1(Cursor* in, const ReadValue& value, std::vector<WalSample>* out) {
  if (in->done()) return;
  const uint64_t ref = in->Be64();
  const int64_t t = static_cast<int64_t>(in->Be64());
  while (in->ok() && !in->done()) {
    WalSample s;
    s.ref = ref + static_cast<uint64_t>(in->Varint());
    s.t = WrapAdd(t, in->Varint());
    value(&s);
    out->push_back(std::move(s));
  }
}

// Series against the sample before, time and start time against the first.
template <typename ReadValue>
void ReadSamplesV2(Cursor* in, const ReadValue& value, std::vector<WalSample>* out) {
  WalSample first, previous;
  for (bool is_first = true; in->ok() && !in->done(); is_first = false) {
    WalSample s;
    s.ref = previous.ref + static_cast<uint64_t>(in->Varint());
    s.t = WrapAdd(first.t, in->Varint());
    if (is_first) {
      s.start_t = in->Varint();
    } else {
      const int marker = in->Byte();  // 0 none, 1 as before, 2 explicit
      if (marker == 1) s.start_t = previous.start_t;
      if (marker > 1) s.start_t = WrapAdd(first.start_t, in->Varint());
    }
    previous.ref = s.ref;
    previous.start_t = s.start_t;
    if (is_first) {
      first.t = s.t;
      first.start_t = s.start_t;
    }
    value(&s);
    out->push_back(std::move(s));
  }
}

WalMetadata ReadMetadata(Cursor* in) {
  constexpr std::array<std::string_view, 8> kTypes = {"unknown",        "counter", "gauge", "histogram",
                                                      "gaugehistogram", "summary", "info",  "stateset"};
  WalMetadata out;
  out.ref = in->Uvarint();
  const size_t type = in->Byte();
  out.type = kTypes[type < kTypes.size() ? type : 0];
  const uint64_t fields = in->Uvarint();
  for (uint64_t i = 0; i < fields && in->ok(); ++i) {
    const std::string_view name = in->Text(), value = in->Text();
    if (name == "UNIT") out.unit = value;
    if (name == "HELP") out.help = value;
  }
  return out;
}

// Series and time against the record's first exemplar.
void ReadExemplars(Cursor* in, std::vector<WalExemplar>* out) {
  if (in->done()) return;
  const uint64_t ref = in->Be64();
  const int64_t t = static_cast<int64_t>(in->Be64());
  while (in->ok() && !in->done()) {
    WalExemplar e;
    e.ref = ref + static_cast<uint64_t>(in->Varint());
    e.t = WrapAdd(t, in->Varint());
    e.v = ReadDouble(in);
    e.labels = ReadLabels(in);
    out->push_back(std::move(e));
  }
}

}  // namespace

absl::Status DecodeWalRecord(std::string_view record, WalRecord* out) {
  out->series.clear();
  out->samples.clear();
  out->tombstones.clear();
  out->metadata.clear();
  out->exemplars.clear();
  Cursor in(record);
  const int type = in.Byte();
  const auto read_float = [&](WalSample* s) { s->v = ReadDouble(&in); };
  const auto read_integer_histogram = [&](WalSample* s) { s->h = ReadHistogram(&in, false); };
  const auto read_float_histogram = [&](WalSample* s) { s->h = ReadHistogram(&in, true); };
  switch (type) {
    case kSeries:
      while (in.ok() && !in.done()) {
        const uint64_t ref = in.Be64();
        out->series.push_back({ref, ReadLabels(&in)});
      }
      break;
    case kSamples:
      ReadSamplesV1(&in, read_float, &out->samples);
      break;
    case kSamplesV2:
      ReadSamplesV2(&in, read_float, &out->samples);
      break;
    case kHistograms:
    case kCustomHistograms:
      ReadSamplesV1(&in, read_integer_histogram, &out->samples);
      break;
    case kFloatHistograms:
    case kCustomFloatHistograms:
      ReadSamplesV1(&in, read_float_histogram, &out->samples);
      break;
    case kHistogramsV2:
      ReadSamplesV2(&in, read_integer_histogram, &out->samples);
      break;
    case kFloatHistogramsV2:
      ReadSamplesV2(&in, read_float_histogram, &out->samples);
      break;
    case kTombstones:
      while (in.ok() && !in.done()) {
        const uint64_t ref = in.Be64();
        const int64_t mint = in.Varint();
        out->tombstones.push_back({ref, mint, in.Varint()});
      }
      break;
    case kExemplars:
      ReadExemplars(&in, &out->exemplars);
      break;
    case kMetadata:
      while (in.ok() && !in.done()) out->metadata.push_back(ReadMetadata(&in));
      break;
    default:
      break;
  }
  if (in.ok()) return absl::OkStatus();
  return absl::DataLossError(StrCat("malformed record of type ", type));
}

}  // namespace narthex::tsdb::blocks
