#include "remote/write_message.h"

#include <utility>
#include <vector>

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

tsdb::Sample ReadSample(std::string_view message) {
  tsdb::Sample sample{0, 0, nullptr, 0};
  EachField(message, [&](const WireField& field) {
    if (field.number == 1 && field.type == WireType::kFixed64) sample.v = WireDouble(field.bits);
    if (field.number == 2 && field.type == WireType::kVarint) sample.t = static_cast<int64_t>(field.bits);
    return true;
  });
  return sample;
}

template <typename Message>
Message ReadMessage(std::string_view bytes) {
  Message message;
  message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return message;
}

// Reads series one after the other; what they are read into is used again.
class SeriesReader {
 public:
  explicit SeriesReader(SeriesWriter* writer) : writer_(writer) {}

  absl::Status Write(std::string_view message) {
    Read(message);
    absl::StatusOr<Labels> labels = writer_->MakeLabels(&labels_, samples_.size() + histograms_.size());
    if (!labels.ok()) return absl::OkStatus();
    tsdb::SeriesRef ref = 0;
    for (const tsdb::Sample& sample : samples_) RETURN_IF_ERROR(writer_->Append(&ref, *labels, sample));
    for (std::string_view bytes : histograms_) RETURN_IF_ERROR(WriteHistogram(bytes, *labels, &ref));
    for (std::string_view bytes : exemplars_) WriteExemplar(bytes, ref);
    return absl::OkStatus();
  }

 private:
  void Read(std::string_view message) {
    labels_.clear();
    samples_.clear();
    histograms_.clear();
    exemplars_.clear();
    EachField(message, [this](const WireField& field) {
      if (IsMessage(field, kLabels)) labels_.push_back(ReadLabel(field.bytes));
      if (IsMessage(field, kSamples)) samples_.push_back(ReadSample(field.bytes));
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

}  // namespace

bool IsWriteRequest(std::string_view message) {
  return EachField(message, [](const WireField& field) {
    if (IsMessage(field, kTimeSeries)) return IsSeries(field.bytes);
    if (IsMessage(field, kMetadata)) return Parses<prompb::MetricMetadata>(field.bytes);
    return true;
  });
}

void WriteAll(std::string_view message, SeriesWriter* writer) {
  SeriesReader series(writer);
  absl::Status status;
  EachField(message, [&](const WireField& field) {
    if (IsMessage(field, kTimeSeries)) status = series.Write(field.bytes);
    return status.ok();
  });
  writer->Finish(status);
  EachField(message, [&](const WireField& field) {
    if (!IsMessage(field, kMetadata)) return true;
    const auto in = ReadMessage<prompb::MetricMetadata>(field.bytes);
    writer->SetMetadata(in.metric_family_name(),
                        {MetricTypeName(static_cast<int>(in.type())), in.help(), in.unit()});
    return true;
  });
}

const char* MetricTypeName(int type) {
  static constexpr const char* kTypes[] = {"unknown",        "counter", "gauge", "histogram",
                                           "gaugehistogram", "summary", "info",  "stateset"};
  return kTypes[type >= 0 && type < 8 ? type : 0];
}

}  // namespace narthex::remote
