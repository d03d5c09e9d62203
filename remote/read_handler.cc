// The remote read endpoint: samples in one message, or chunks as a stream of frames.
#include <array>
#include <limits>

#include "base/status_macros.h"
#include "base/strings.h"
#include "remote/chunks.h"
#include "remote/pb_histogram.h"
#include "remote/read_query.h"
#include "remote/remote.h"

namespace narthex::remote {
namespace {

constexpr size_t kMaxRequestBytes = 32 << 20;
constexpr size_t kBlock = 64;
constexpr int kSamplesPerChunk = 120;
constexpr absl::Duration kLookForClient = absl::Milliseconds(200);

void SendPlainError(int status, std::string_view message, HttpResponseWriter* out) {
  out->SetHeader("X-Content-Type-Options", "nosniff");
  out->Send(status, "text/plain; charset=utf-8", StrCat(message, "\n"));
}

// Castagnoli's polynomial, reflected.
uint32_t Crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  uint32_t crc = ~0u;
  for (char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

// Length, checksum, message.
std::string Frame(const std::string& message) {
  std::string out;
  uint64_t size = message.size();
  for (; size >= 0x80; size >>= 7) out.push_back(static_cast<char>(size | 0x80));
  out.push_back(static_cast<char>(size));
  uint32_t crc = Crc32c(message);
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(crc >> shift));
  return out + message;
}

// Calls visit(labels, row) for each series of a query that has samples.
template <typename Visit>
absl::Status ForEachSeries(const ReadOptions& options, const prompb::Query& query, const Visit& visit) {
  ASSIGN_OR_RETURN(Matchers matchers, ReadMatchers(query));
  matchers = WithoutExternalLabels(std::move(matchers), options.external_labels);
  int64_t mint = query.start_timestamp_ms(), maxt = query.end_timestamp_ms();
  tsdb::SelectHints hints;
  hints.start = mint;
  hints.end = maxt;
  hints.step = query.hints().step_ms();
  hints.range = query.hints().range_ms();
  hints.function = query.hints().func();
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, options.storage->NewQuerier(mint, maxt));
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set, querier->Select(matchers, mint, maxt, hints));
  std::vector<tsdb::Row> rows;
  for (size_t first = 0; first < set->size(); first += kBlock) {
    size_t count = std::min(kBlock, set->size() - first);
    RETURN_IF_ERROR(set->ReadBlock(first, count, &rows));
    for (size_t i = 0; i < count; ++i) {
      if (rows[i].t.empty() && rows[i].h.empty()) continue;
      RETURN_IF_ERROR(visit(WithExternalLabels(set->labels(first + i), options.external_labels), rows[i]));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadSamples(const ReadOptions& options, const prompb::ReadRequest& request,
                         prompb::ReadResponse* response) {
  for (const prompb::Query& query : request.queries()) {
    int64_t total = 0;
    prompb::QueryResult* result = response->add_results();
    RETURN_IF_ERROR(
        ForEachSeries(options, query, [&](const Labels& labels, const tsdb::Row& row) -> absl::Status {
          total += static_cast<int64_t>(row.t.size() + row.h.size());
          if (options.sample_limit > 0 && total > options.sample_limit) {
            return absl::InvalidArgumentError(StrCat("exceeded sample limit (", options.sample_limit, ")"));
          }
          prompb::TimeSeries* series = result->add_timeseries();
          WriteLabels(labels, series->mutable_labels());
          for (size_t i = 0; i < row.t.size(); ++i) {
            prompb::Sample* sample = series->add_samples();
            sample->set_timestamp(row.t[i]);
            sample->set_value(row.v[i]);
          }
          for (const HistogramPoint& point : row.h)
            WriteHistogram(*point.h, point.t, series->add_histograms());
          return absl::OkStatus();
        }));
  }
  return absl::OkStatus();
}

// Sends one series' chunks, in as many frames as their size wants.
class ChunkStream {
 public:
  ChunkStream(const ReadOptions& options, HttpResponseWriter* out) : options_(options), out_(out) {}

  absl::Status Send(int query_index, const Labels& labels, const tsdb::Row& row) {
    message_.Clear();
    message_.set_query_index(query_index);
    prompb::ChunkedSeries* series = message_.add_chunked_series();
    WriteLabels(labels, series->mutable_labels());
    bytes_ = series->ByteSizeLong();
    const size_t label_bytes = bytes_;
    size_t f = 0, h = 0;
    while (f < row.t.size() || h < row.h.size()) {
      bool floats = h == row.h.size() || (f < row.t.size() && row.t[f] < row.h[h].t);
      int64_t other = std::numeric_limits<int64_t>::max();
      if (floats && h < row.h.size()) other = row.h[h].t;
      if (!floats && f < row.t.size()) other = row.t[f];
      prompb::Chunk* chunk = series->add_chunks();
      if (floats) {
        AddFloats(row, other, &f, chunk);
      } else {
        AddHistograms(row, other, &h, chunk);
      }
      bytes_ += chunk->data().size() + 24;
      if (bytes_ < static_cast<size_t>(options_.max_bytes_in_frame)) continue;
      RETURN_IF_ERROR(Flush());
      series->clear_chunks();
      bytes_ = label_bytes;
    }
    return series->chunks_size() > 0 ? Flush() : absl::OkStatus();
  }

 private:
  // Floats from *at on, up to a histogram at `until`.
  static void AddFloats(const tsdb::Row& row, int64_t until, size_t* at, prompb::Chunk* chunk) {
    XorChunkWriter writer;
    chunk->set_type(prompb::Chunk::XOR);
    chunk->set_min_time_ms(row.t[*at]);
    while (*at < row.t.size() && row.t[*at] < until && writer.count() < kSamplesPerChunk) {
      chunk->set_max_time_ms(row.t[*at]);
      writer.Append(row.t[*at], row.v[*at]);
      ++*at;
    }
    chunk->set_data(writer.Finish());
  }
  static void AddHistograms(const tsdb::Row& row, int64_t until, size_t* at, prompb::Chunk* chunk) {
    HistogramChunkWriter writer;
    chunk->set_type(prompb::Chunk::FLOAT_HISTOGRAM);
    chunk->set_min_time_ms(row.h[*at].t);
    while (*at < row.h.size() && (writer.count() == 0 || row.h[*at].t < until) &&
           writer.count() < kSamplesPerChunk) {
      if (!writer.Append(row.h[*at].t, *row.h[*at].h)) break;
      chunk->set_max_time_ms(row.h[*at].t);
      ++*at;
    }
    chunk->set_data(writer.Finish());
  }
  absl::Status Flush() {
    if (!started_) {
      started_ = true;
      RETURN_IF_ERROR(
          out_->Start(200, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"));
    }
    return out_->Write(Frame(message_.SerializeAsString()));
  }

 public:
  bool started() const { return started_; }

 private:
  const ReadOptions& options_;
  HttpResponseWriter* const out_;
  prompb::ChunkedReadResponse message_;
  size_t bytes_ = 0;
  bool started_ = false;
};

absl::Status StreamChunks(const ReadOptions& options, const prompb::ReadRequest& request,
                          HttpResponseWriter* out) {
  ChunkStream stream(options, out);
  absl::Status status;
  for (int i = 0; i < request.queries_size() && status.ok(); ++i) {
    status = ForEachSeries(options, request.queries(i), [&](const Labels& labels, const tsdb::Row& row) {
      return stream.Send(i, labels, row);
    });
  }
  if (stream.started()) return status;
  if (!status.ok()) {
    SendPlainError(status.code() == absl::StatusCode::kInvalidArgument ? 400 : 500,
                   {status.message().data(), status.message().size()}, out);
    return absl::OkStatus();
  }
  out->Send(200, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse", "");
  return absl::OkStatus();
}

// The first type of the client's list that is known.
absl::StatusOr<prompb::ReadRequest::ResponseType> Negotiate(const prompb::ReadRequest& request) {
  if (request.accepted_response_types().empty()) return prompb::ReadRequest::SAMPLES;
  std::string asked;
  for (int type : request.accepted_response_types()) {
    if (prompb::ReadRequest::ResponseType_IsValid(type))
      return static_cast<prompb::ReadRequest::ResponseType>(type);
    StrAppend(&asked, asked.empty() ? "" : " ", type);
  }
  return absl::InvalidArgumentError(StrCat("server does not support any of the requested response types: [",
                                           asked, "]; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]"));
}

}  // namespace

ReadGate::ReadGate(int slots, MetricsRegistry* metrics)
    : slots_(slots),
      queries_(metrics->GetGauge("prometheus_remote_read_handler_queries",
                                 "The current number of remote read queries that are either in execution or "
                                 "queued on the handler.")) {}

bool ReadGate::Enter(const std::atomic<bool>* cancelled) {
  MutexLock lock(&mutex_);
  queries_->Set(inside_ + ++waiting_);
  auto has_slot = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return inside_ < slots_; };
  bool entered = has_slot();
  while (!entered && !*cancelled) entered = mutex_.AwaitWithTimeout(Condition(&has_slot), kLookForClient);
  --waiting_;
  inside_ += entered ? 1 : 0;
  queries_->Set(inside_ + waiting_);
  return entered;
}

void ReadGate::Leave() {
  MutexLock lock(&mutex_);
  queries_->Set(--inside_ + waiting_);
}

absl::Status HandleRead(const ReadOptions& options, std::string_view body, HttpResponseWriter* out) {
  absl::StatusOr<std::string> decoded = Unsnappy(body, kMaxRequestBytes);
  prompb::ReadRequest request;
  if (decoded.ok() && !request.ParseFromString(*decoded)) {
    decoded = absl::InvalidArgumentError("proto: cannot parse the read request");
  }
  absl::StatusOr<prompb::ReadRequest::ResponseType> type = prompb::ReadRequest::SAMPLES;
  if (decoded.ok()) type = Negotiate(request);
  absl::Status bad = decoded.ok() ? type.status() : decoded.status();
  if (!bad.ok()) {
    SendPlainError(400, {bad.message().data(), bad.message().size()}, out);
    return absl::OkStatus();
  }
  if (*type == prompb::ReadRequest::STREAMED_XOR_CHUNKS) return StreamChunks(options, request, out);
  prompb::ReadResponse response;
  if (absl::Status read = ReadSamples(options, request, &response); !read.ok()) {
    SendPlainError(read.code() == absl::StatusCode::kInvalidArgument ? 400 : 500,
                   {read.message().data(), read.message().size()}, out);
    return absl::OkStatus();
  }
  out->SetHeader("Content-Encoding", "snappy");
  out->Send(200, "application/x-protobuf", Snappy(response.SerializeAsString()));
  return absl::OkStatus();
}

}  // namespace narthex::remote
