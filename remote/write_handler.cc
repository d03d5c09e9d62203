// The receiver of remote write 1.0 and 2.0.
#include <google/protobuf/arena.h>
#include <snappy.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "remote/pb_histogram.h"
#include "remote/remote.h"
#include "remote/series_writer.h"
#include "remote/write_message.h"
#include "write_v2.pb.h"

namespace narthex::remote {
namespace {

constexpr size_t kMaxDecodedBytes = 32 << 20;
constexpr std::string_view kProtobuf = "application/x-protobuf";

// Series of 2.0, whose texts are in one table.
class SymbolReader {
 public:
  SymbolReader(const writev2::Request& request, bool start_timestamps, SeriesWriter* writer)
      : request_(request),
        symbols_(request.symbols()),
        start_timestamps_(start_timestamps),
        writer_(writer) {}

  absl::Status WriteAll() {
    for (const writev2::TimeSeries& series : request_.timeseries()) names_.push_back(NameOf(series));
    writer_->Recall(names_, &refs_);
    RETURN_IF_ERROR(writer_->WriteAll(refs_, this));
    for (size_t i = 0; i < size(); ++i) {
      if (refs_[i] != 0 && OneFloat(i)) WriteMetadataOf(At(i));
    }
    return absl::OkStatus();
  }

  // For SeriesWriter::WriteAll.
  size_t size() const { return static_cast<size_t>(request_.timeseries_size()); }
  std::optional<tsdb::Sample> OneFloat(size_t i) const {
    const writev2::TimeSeries& s = At(i);
    const bool alone = s.samples_size() == 1 && s.histograms_size() == 0 && s.exemplars_size() == 0;
    if (!alone || StartTime(s.samples(0).start_timestamp(), s) != 0) return std::nullopt;
    if (writer_->TooFarAhead(s.samples(0).timestamp())) return std::nullopt;
    return tsdb::Sample{s.samples(0).timestamp(), s.samples(0).value(), nullptr, 0};
  }
  absl::Status Write(size_t i) { return Write(At(i), names_[i], refs_[i]); }
  // Of a series that was stored before.
  Labels LabelsOf(size_t i) const {
    LabelViews pairs = *Resolve(At(i).labels_refs());
    return *writer_->MakeLabels(&pairs, 1);
  }

 private:
  const writev2::TimeSeries& At(size_t i) const { return request_.timeseries(static_cast<int>(i)); }

  // What the sender calls the series, whatever the numbers of its texts are this time; 0: they are none.
  uint64_t NameOf(const writev2::TimeSeries& series) {
    if (series.labels_refs_size() == 0 || series.labels_refs_size() % 2 != 0) return 0;
    hashes_.clear();
    for (uint32_t ref : series.labels_refs()) {
      if (ref >= static_cast<uint32_t>(symbols_.size())) return 0;
      hashes_.push_back(HashOf(ref));
    }
    const uint64_t hash = absl::HashOf(hashes_);
    return hash == 0 ? 1 : hash;
  }

  void WriteMetadataOf(const writev2::TimeSeries& series) {
    for (int i = 0; series.has_metadata() && i < series.labels_refs_size(); i += 2) {
      if (Text(series.labels_refs(i)) == kMetricName)
        return WriteMetadata(series.metadata(), Text(series.labels_refs(i + 1)));
    }
  }

  // `ref` as in tsdb::Appender.
  absl::Status Write(const writev2::TimeSeries& series, uint64_t name, tsdb::SeriesRef ref) {
    size_t samples = static_cast<size_t>(series.samples_size() + series.histograms_size());
    absl::StatusOr<LabelViews> pairs = Resolve(series.labels_refs());
    if (!pairs.ok()) {
      writer_->Refuse(StrCat("parsing labels for series: ", pairs.status().message()));
      return absl::OkStatus();
    }
    absl::StatusOr<Labels> labels = writer_->MakeLabels(&*pairs, samples);
    if (!labels.ok()) return absl::OkStatus();
    if (samples == 0) {
      writer_->Refuse(
          StrCat("TimeSeries must contain at least one sample or histogram for series ", Describe(*labels)));
      return absl::OkStatus();
    }
    const bool known = ref != 0;
    RETURN_IF_ERROR(WriteSamples(series, *labels, &ref));
    if (!known) writer_->Remember(name, ref);
    for (const writev2::Exemplar& exemplar : series.exemplars()) WriteExemplar(exemplar, *labels, ref);
    if (series.has_metadata()) WriteMetadata(series.metadata(), labels->MetricName());
    return absl::OkStatus();
  }

  template <typename Refs>
  absl::StatusOr<LabelViews> Resolve(const Refs& refs) const {
    if (refs.size() % 2 != 0) {
      return absl::InvalidArgumentError(StrCat("invalid labelRefs length ", refs.size()));
    }
    LabelViews out;
    for (int i = 0; i < refs.size(); i += 2) {
      for (uint32_t ref : {refs[i], refs[i + 1]}) {
        if (ref < static_cast<uint32_t>(symbols_.size())) continue;
        return absl::InvalidArgumentError(StrCat("labelRefs ", refs[i], " (name) = ", refs[i + 1],
                                                 " (value) outside of symbols table (size ", symbols_.size(),
                                                 ")"));
      }
      out.emplace_back(symbols_[static_cast<int>(refs[i])], symbols_[static_cast<int>(refs[i + 1])]);
    }
    return out;
  }
  // Of texts that are in the table.
  const std::string& Text(uint32_t ref) const { return symbols_[static_cast<int>(ref)]; }
  uint64_t HashOf(uint32_t ref) {
    if (symbol_hashes_.empty()) {
      for (const std::string& symbol : symbols_) symbol_hashes_.push_back(absl::HashOf(symbol));
    }
    return symbol_hashes_[ref];
  }
  std::string Symbol(uint32_t ref) const {
    return ref < static_cast<uint32_t>(symbols_.size()) ? symbols_[static_cast<int>(ref)] : "";
  }
  int64_t StartTime(int64_t own, const writev2::TimeSeries& series) const {
    if (!start_timestamps_) return 0;
    return own != 0 ? own : series.created_timestamp();
  }

  absl::Status WriteSamples(const writev2::TimeSeries& series, const Labels& labels, tsdb::SeriesRef* ref) {
    for (const writev2::Sample& sample : series.samples()) {
      int64_t start = StartTime(sample.start_timestamp(), series);
      RETURN_IF_ERROR(writer_->Append(ref, labels, {sample.timestamp(), sample.value(), nullptr, start}));
    }
    for (const writev2::Histogram& histogram : series.histograms()) {
      absl::StatusOr<HistogramPtr> h = ReadHistogram(histogram);
      if (!h.ok()) {
        writer_->Refuse(StrCat(h.status().message(), " for series ", Describe(labels)));
        continue;
      }
      int64_t start = StartTime(histogram.start_timestamp(), series);
      RETURN_IF_ERROR(writer_->Append(ref, labels, {histogram.timestamp(), 0, *std::move(h), start}));
    }
    return absl::OkStatus();
  }

  void WriteExemplar(const writev2::Exemplar& exemplar, const Labels& labels, tsdb::SeriesRef ref) {
    absl::StatusOr<LabelViews> pairs = Resolve(exemplar.labels_refs());
    absl::StatusOr<Labels> own = pairs.ok() ? SeriesWriter::MakeExemplarLabels(*std::move(pairs))
                                            : absl::StatusOr<Labels>(pairs.status());
    if (own.ok()) {
      writer_->AddExemplar(ref, {*std::move(own), exemplar.value(), exemplar.timestamp(), true});
    } else {
      writer_->Refuse(StrCat("parsing exemplar for series ", Describe(labels), ": ", own.status().message()));
    }
  }

  void WriteMetadata(const writev2::Metadata& in, std::string_view metric) {
    tsdb::Metadata metadata{MetricTypeName(static_cast<int>(in.type())), Symbol(in.help_ref()),
                            Symbol(in.unit_ref())};
    if (in.type() != writev2::Metadata::UNSPECIFIED || !metadata.help.empty() || !metadata.unit.empty()) {
      writer_->SetMetadata(metric, metadata);
    }
  }

  const writev2::Request& request_;
  const google::protobuf::RepeatedPtrField<std::string>& symbols_;
  std::vector<uint64_t> names_;
  std::vector<tsdb::SeriesRef> refs_;
  std::vector<uint64_t> symbol_hashes_, hashes_;
  const bool start_timestamps_;
  SeriesWriter* const writer_;
};

void WriteAll(const writev2::Request& request, bool start_timestamps, SeriesWriter* writer) {
  SymbolReader reader(request, start_timestamps, writer);
  absl::Status status;
  if (request.symbols_size() > 0 && !request.symbols(0).empty()) {
    writer->Refuse("symbols table must start with an empty string");
  } else {
    status = reader.WriteAll();
  }
  writer->Finish(status);
}

WriteOutcome Failed(int status, std::string error) {
  WriteOutcome out;
  out.http_status = status;
  out.error = std::move(error);
  return out;
}

// Which message a content type announces; the error is the text of a 415.
absl::StatusOr<std::string> MessageOf(std::string_view content_type) {
  std::string type(absl::StripAsciiWhitespace(ToAbsl(content_type)));
  if (type.empty()) return std::string(kWriteV1);
  std::vector<std::string> parts = absl::StrSplit(type, ';');
  if (parts[0] != kProtobuf) {
    return absl::InvalidArgumentError(
        StrCat("expected ", kProtobuf, " as the first (media) part, got ", type, " content-type"));
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    std::vector<std::string> pair = absl::StrSplit(parts[i], '=');
    if (pair.size() != 2) {
      return absl::InvalidArgumentError(
          StrCat("as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be "
                 "key-values, got ",
                 parts[i], " in ", type, " content-type"));
    }
    if (pair[0] != "proto") continue;
    if (pair[1] == kWriteV1 || pair[1] == kWriteV2) return pair[1];
    return absl::InvalidArgumentError(StrCat("got ", type,
                                             " content type; unknown remote write protobuf message ", pair[1],
                                             ", supported: ", kWriteV1, ", ", kWriteV2));
  }
  return std::string(kWriteV1);
}

absl::StatusOr<std::string> Decode(std::string_view body) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) {
    return absl::InvalidArgumentError("snappy: corrupt input");
  }
  if (size > kMaxDecodedBytes) {
    return absl::InvalidArgumentError(StrCat("snappy: decoded block is too large: ", size, " bytes"));
  }
  std::string decoded;
  if (!snappy::Uncompress(body.data(), body.size(), &decoded)) {
    return absl::InvalidArgumentError("snappy: corrupt input");
  }
  return decoded;
}

template <typename Request>
Request* Parse(const std::string& decoded, google::protobuf::Arena* arena) {
  auto* request = google::protobuf::Arena::CreateMessage<Request>(arena);
  return request->ParseFromString(decoded) ? request : nullptr;
}

void AddWrittenHeaders(WriteOutcome* outcome) {
  outcome->headers = {{"X-Prometheus-Remote-Write-Samples-Written", StrCat(outcome->samples)},
                      {"X-Prometheus-Remote-Write-Histograms-Written", StrCat(outcome->histograms)},
                      {"X-Prometheus-Remote-Write-Exemplars-Written", StrCat(outcome->exemplars)}};
}

}  // namespace

WriteOutcome HandleWrite(const ReceiverOptions& options, std::string_view body, std::string_view content_type,
                         std::string_view content_encoding) {
  absl::StatusOr<std::string> message = MessageOf(content_type);
  if (!message.ok()) return Failed(415, std::string(message.status().message()));
  if (std::find(options.accepted.begin(), options.accepted.end(), *message) == options.accepted.end()) {
    return Failed(415, StrCat(*message, " protobuf message is not accepted by this server; only accepts ",
                              absl::StrJoin(options.accepted, ", ")));
  }
  if (!content_encoding.empty() && content_encoding != "snappy") {
    return Failed(
        415, StrCat(content_encoding,
                    " encoding (compression) is not accepted by this server; only snappy is acceptable"));
  }
  absl::StatusOr<std::string> decoded = Decode(body);
  if (!decoded.ok()) return Failed(400, std::string(decoded.status().message()));
  WriteOutcome outcome;
  SeriesWriter writer(options, &outcome);
  if (*message == kWriteV1) {
    if (!WriteAll(*decoded, &writer)) return Failed(400, "proto: cannot parse the write request");
  } else {
    google::protobuf::Arena arena;
    auto* request = Parse<writev2::Request>(*decoded, &arena);
    if (request == nullptr) return Failed(400, "proto: cannot parse the write request");
    WriteAll(*request, options.start_timestamps, &writer);
    AddWrittenHeaders(&outcome);
  }
  return outcome;
}

}  // namespace narthex::remote
