#include "remote/remote_querier.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "remote/pb_histogram.h"

namespace narthex::remote {
namespace {

constexpr size_t kMaxAnswerBytes = 512 << 20;

bool HasRequired(const RemoteReadConfig& config, const Matchers& matchers) {
  for (const auto& [name, value] : config.required_matchers) {
    bool found =
        std::any_of(matchers.begin(), matchers.end(), [&, &name = name, &value = value](const Matcher& m) {
          return m.op() == MatchOp::kEqual && m.name() == name && m.value() == value;
        });
    if (!found) return false;
  }
  return true;
}

// The far side has our external labels; they are asked for and taken off the answer. *added: their names.
Matchers AddExternal(Matchers matchers, const LabelPairs& external, std::vector<std::string>* added) {
  for (const auto& [name, value] : external) {
    bool asked = std::any_of(matchers.begin(), matchers.end(),
                             [&name = name](const Matcher& m) { return m.name() == name; });
    if (asked) continue;
    matchers.push_back(Matcher::Equal(name, value));
    added->push_back(name);
  }
  return matchers;
}

absl::StatusOr<RemoteSeries> ReadSeries(const prompb::TimeSeries& in, const std::vector<std::string>& strip) {
  RemoteSeries out;
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const prompb::Label& label : in.labels()) {
    if (std::find(strip.begin(), strip.end(), label.name()) == strip.end()) {
      pairs.emplace_back(label.name(), label.value());
    }
  }
  out.labels = Labels::FromPairs(std::move(pairs));
  for (const prompb::Sample& sample : in.samples()) {
    if (!out.t.empty() && sample.timestamp() <= out.t.back()) {
      return absl::InvalidArgumentError("remote read: samples are not in order");
    }
    out.t.push_back(sample.timestamp());
    out.v.push_back(sample.value());
  }
  for (const prompb::Histogram& histogram : in.histograms()) {
    ASSIGN_OR_RETURN(HistogramPtr h, ReadHistogram(histogram));
    out.h.push_back({histogram.timestamp(), std::move(h)});
  }
  return out;
}

absl::StatusOr<prompb::ReadResponse> Fetch(const RemoteReadConfig& config, HttpClient* http,
                                           std::string body) {
  HttpClientRequest request;
  request.method = "POST";
  request.url = config.url;
  request.timeout_ms = config.timeout_ms;
  request.max_body_bytes = kMaxAnswerBytes;
  request.config = config.http;
  request.headers = config.headers;
  request.headers.emplace_back("Content-Encoding", "snappy");
  request.headers.emplace_back("Content-Type", "application/x-protobuf");
  request.headers.emplace_back("X-Prometheus-Remote-Read-Version", "0.1.0");
  request.accept_gzip = false;
  request.body = std::move(body);
  ASSIGN_OR_RETURN(HttpClientResponse answer, http->Fetch(std::move(request)));
  if (answer.status / 100 != 2) {
    return absl::UnavailableError(StrCat("remote server ", config.url, " returned http status ",
                                         answer.status, ": ", std::string_view(answer.body).substr(0, 256)));
  }
  ASSIGN_OR_RETURN(std::string decoded, Unsnappy(answer.body, kMaxAnswerBytes));
  prompb::ReadResponse response;
  if (!response.ParseFromString(decoded))
    return absl::InvalidArgumentError("remote read: cannot parse the answer");
  return response;
}

}  // namespace

absl::StatusOr<std::vector<RemoteSeries>> AskRemote(const RemoteReadConfig& config,
                                                    const LabelPairs& external_labels, HttpClient* http,
                                                    const Matchers& matchers, int64_t mint, int64_t maxt,
                                                    const tsdb::SelectHints& hints) {
  std::vector<RemoteSeries> out;
  if (maxt < mint || !HasRequired(config, matchers)) return out;
  std::vector<std::string> added;
  Matchers asked = config.filter_external_labels ? AddExternal(matchers, external_labels, &added) : matchers;
  prompb::ReadRequest request;
  request.add_accepted_response_types(prompb::ReadRequest::SAMPLES);
  prompb::Query* query = request.add_queries();
  query->set_start_timestamp_ms(mint);
  query->set_end_timestamp_ms(maxt);
  WriteMatchers(asked, query);
  query->mutable_hints()->set_start_ms(hints.start);
  query->mutable_hints()->set_end_ms(hints.end);
  query->mutable_hints()->set_step_ms(hints.step);
  query->mutable_hints()->set_range_ms(hints.range);
  query->mutable_hints()->set_func(hints.function);
  query->mutable_hints()->set_by(hints.by);
  for (const std::string& label : hints.grouping) query->mutable_hints()->add_grouping(label);
  ASSIGN_OR_RETURN(prompb::ReadResponse response, Fetch(config, http, Snappy(request.SerializeAsString())));
  if (response.results_size() != 1)
    return absl::InvalidArgumentError("remote read: one answer to one query expected");
  for (const prompb::TimeSeries& series : response.results(0).timeseries()) {
    ASSIGN_OR_RETURN(RemoteSeries read, ReadSeries(series, added));
    out.push_back(std::move(read));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.labels < b.labels; });
  return out;
}

void MergeSeries(const RemoteSeries& first, const RemoteSeries& second, RemoteSeries* out) {
  size_t i = 0, k = 0;
  while (i < first.t.size() || k < second.t.size()) {
    bool from_first = k == second.t.size() || (i < first.t.size() && first.t[i] <= second.t[k]);
    if (from_first && k < second.t.size() && first.t[i] == second.t[k]) ++k;
    out->t.push_back(from_first ? first.t[i] : second.t[k]);
    out->v.push_back(from_first ? first.v[i] : second.v[k]);
    ++(from_first ? i : k);
  }
  out->h = first.h;
  for (const HistogramPoint& point : second.h) {
    bool known =
        std::any_of(first.h.begin(), first.h.end(), [&](const HistogramPoint& p) { return p.t == point.t; });
    if (!known) out->h.push_back(point);
  }
  std::sort(out->h.begin(), out->h.end(), [](const auto& a, const auto& b) { return a.t < b.t; });
}

}  // namespace narthex::remote
