#include "remote/write_message.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "base/proto_wire.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "prompb.pb.h"
#include "remote/pb_histogram.h"

namespace narthex::remote {
namespace {

// Field numbers of prompb.proto.
constexpr uint32_t kTimeSeries = 1, kMetadata = 3;
constexpr uint32_t kLabels = 1, kSamples = 2, kExemplars = 3, kHistograms = 4;

bool IsMessage(const WireField& field, uint32_t number) {
  return field.number == number && field.type == WireType::kBytes;
}

template <typename Message>
bool Parses(std::string_view bytes) {
  return Message().ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// Calls `take` for each field; false if the bytes are no message or it answers so.
template <typename F>
bool EachField(std::string_view message, F take) {
  WireReader reader(message);
  WireField field;
  while (reader.Next(&field)) {
    if (!take(field)) return false;
  }
  return reader.ok();
}

bool IsFlat(std::string_view message) {
  return EachField(message, [](const WireField&) { return true; });
}

bool IsSeries(std::string_view message) {
  return EachField(message, [](const WireField& field) {
    if (IsMessage(field, kExemplars)) return Parses<prompb::Exemplar>(field.bytes);
    if (IsMessage(field, kHistograms)) return Parses<prompb::Histogram>(field.bytes);
    if (IsMessage(field, kLabels) || IsMessage(field, kSamples)) return IsFlat(field.bytes);
    return true;
  });
}

std::pair<std::string_view, std::string_view> ReadLabel(std::string_view message) {
  std::pair<std::string_view, std::string_view> label;
  EachField(message, [&](const WireField& field) {
    if (IsMessage(field, 1)) label.first = field.bytes;
    if (IsMessage(field, 2)) label.second = field.bytes;
    return true;
  });
  return label;
}

// False if the bytes are no message; what was read before that is there.
bool ReadSample(std::string_view message, tsdb::Sample* sample) {
  return EachField(message, [&](const WireField& field) {
    if (field.number == 1 && field.type == WireType::kFixed64) sample->v = WireDouble(field.bits);
    if (field.number == 2 && field.type == WireType::kVarint) sample->t = static_cast<int64_t>(field.bits);
    return true;
  });
}

template <typename Message>
Message ReadMessage(std::string_view bytes) {
  Message message;
  message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return message;
}

// A series as far as it is read without its labels.
struct SeriesMessage {
  std::string_view bytes;
  size_t labels_end = 0;   // its labels, which come first, end there
  bool one_float = false;  // nothing but a float stands behind them
  tsdb::Sample sample;     // that one
};

// Reads on behind the labels. False: it is not so simple, or no message.
bool ReadOneFloat(std::string_view rest, tsdb::Sample* sample) {
  WireReader reader(rest);
  WireField field;
  if (!reader.Next(&field) || !IsMessage(field, kSamples) || !reader.AtEnd()) return false;
  return ReadSample(field.bytes, sample);
}

SeriesMessage Scan(std::string_view bytes) {
  constexpr char kLabelsTag = kLabels << 3 | static_cast<char>(WireType::kBytes);
  SeriesMessage out{bytes, 0, false, {}};
  std::string_view label;
  while (out.labels_end < bytes.size() && bytes[out.labels_end] == kLabelsTag) {
    WireReader reader(bytes.substr(out.labels_end + 1));
    if (!reader.Bytes(&label)) break;
    out.labels_end = static_cast<size_t>(label.data() + label.size() - bytes.data());
  }
  out.one_float = ReadOneFloat(bytes.substr(out.labels_end), &out.sample);
  return out;
}

// What the sender calls the series: the bytes of its labels. 0 if they do not lie together.
uint64_t NameOf(const SeriesMessage& series) {
  const bool together =
      series.one_float || EachField(series.bytes.substr(series.labels_end),
                                    [](const WireField& field) { return !IsMessage(field, kLabels); });
  if (!together || series.labels_end == 0) return 0;
  const uint64_t hash = absl::HashOf(ToAbsl(series.bytes.substr(0, series.labels_end)));
  return hash == 0 ? 1 : hash;
}

// Writes series one after the other; what they are read into is used again.
class SeriesReader {
 public:
  explicit SeriesReader(SeriesWriter* writer) : writer_(writer) {}

  // `ref` as in tsdb::Appender.
  absl::Status Write(std::string_view message, uint64_t name, tsdb::SeriesRef ref) {
    Read(message);
    absl::StatusOr<Labels> labels = writer_->MakeLabels(&labels_, samples_.size() + histograms_.size());
    if (!labels.ok()) return absl::OkStatus();
    const bool known = ref != 0;
    for (const tsdb::Sample& sample : samples_) RETURN_IF_ERROR(writer_->Append(&ref, *labels, sample));
    for (std::string_view bytes : histograms_) RETURN_IF_ERROR(WriteHistogram(bytes, *labels, &ref));
    for (std::string_view bytes : exemplars_) WriteExemplar(bytes, ref);
    if (!known) writer_->Remember(name, ref);
    return absl::OkStatus();
  }

  // Of a series that was stored before.
  Labels LabelsOf(std::string_view message) {
    Read(message);
    return *writer_->MakeLabels(&labels_, 1);
  }

 private:
  void Read(std::string_view message) {
    labels_.clear();
    samples_.clear();
    histograms_.clear();
    exemplars_.clear();
    EachField(message, [this](const WireField& field) {
      if (IsMessage(field, kLabels)) labels_.push_back(ReadLabel(field.bytes));
      if (IsMessage(field, kSamples)) ReadSample(field.bytes, &samples_.emplace_back());
      if (IsMessage(field, kHistograms)) histograms_.push_back(field.bytes);
      if (IsMessage(field, kExemplars)) exemplars_.push_back(field.bytes);
      return true;
    });
  }

  absl::Status WriteHistogram(std::string_view bytes, const Labels& labels, tsdb::SeriesRef* ref) {
    const auto histogram = ReadMessage<prompb::Histogram>(bytes);
    absl::StatusOr<HistogramPtr> h = ReadHistogram(histogram);
    if (h.ok()) return writer_->Append(ref, labels, {histogram.timestamp(), 0, *std::move(h), 0});
    writer_->Refuse(StrCat(h.status().message(), " for series ", Describe(labels)));
    return absl::OkStatus();
  }

  void WriteExemplar(std::string_view bytes, tsdb::SeriesRef ref) {
    const auto exemplar = ReadMessage<prompb::Exemplar>(bytes);
    LabelViews pairs;
    for (const prompb::Label& label : exemplar.labels()) pairs.emplace_back(label.name(), label.value());
    absl::StatusOr<Labels> own = SeriesWriter::MakeExemplarLabels(std::move(pairs));
    if (!own.ok()) return;
    writer_->AddExemplar(ref, {*std::move(own), exemplar.value(), exemplar.timestamp(), true});
  }

  SeriesWriter* const writer_;
  LabelViews labels_;
  std::vector<tsdb::Sample> samples_;
  std::vector<std::string_view> histograms_, exemplars_;
};

// A request's series, and who they are.
class Request {
 public:
  explicit Request(SeriesWriter* writer) : writer_(writer), reader_(writer) {}

  // Reads all but what SeriesReader does; false if there is anything that is no message.
  bool Read(std::string_view message) {
    const bool good = EachField(message, [this](const WireField& field) {
      if (IsMessage(field, kTimeSeries)) {
        series_.push_back(Scan(field.bytes));
        names_.push_back(NameOf(series_.back()));
      }
      if (!IsMessage(field, kMetadata)) return true;
      metadata_.push_back(field.bytes);
      return Parses<prompb::MetricMetadata>(field.bytes);
    });
    if (!good) return false;
    writer_->Recall(names_, &refs_);
    for (size_t i = 0; i < series_.size(); ++i) {
      // Labels with a name were read when they got it.
      const bool read = refs_[i] != 0 && series_[i].one_float;
      if (!read && !IsSeries(series_[i].bytes)) return false;
    }
    return true;
  }

  void Store() {
    writer_->Finish(writer_->WriteAll(refs_, this));
    for (std::string_view bytes : metadata_) {
      const auto in = ReadMessage<prompb::MetricMetadata>(bytes);
      writer_->SetMetadata(in.metric_family_name(),
                           {MetricTypeName(static_cast<int>(in.type())), in.help(), in.unit()});
    }
  }

  // For SeriesWriter::WriteAll.
  size_t size() const { return series_.size(); }
  std::optional<tsdb::Sample> OneFloat(size_t i) const {
    const SeriesMessage& s = series_[i];
    return s.one_float && !writer_->TooFarAhead(s.sample.t) ? std::optional(s.sample) : std::nullopt;
  }
  absl::Status Write(size_t i) { return reader_.Write(series_[i].bytes, names_[i], refs_[i]); }
  Labels LabelsOf(size_t i) { return reader_.LabelsOf(series_[i].bytes); }

 private:
  SeriesWriter* const writer_;
  SeriesReader reader_;
  std::vector<SeriesMessage> series_;
  std::vector<uint64_t> names_;
  std::vector<tsdb::SeriesRef> refs_;
  std::vector<std::string_view> metadata_;
};

}  // namespace

bool WriteAll(std::string_view message, SeriesWriter* writer) {
  Request request(writer);
  if (!request.Read(message)) return false;
  request.Store();
  return true;
}

const char* MetricTypeName(int type) {
  static constexpr const char* kTypes[] = {"unknown",        "counter", "gauge", "histogram",
                                           "gaugehistogram", "summary", "info",  "stateset"};
  return kTypes[type >= 0 && type < 8 ? type : 0];
}

}  // namespace narthex::remote
