#include "tsdb/blocks/head_reader.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr size_t kMaxExemplars = 100'000;
constexpr std::string_view kCheckpointPrefix = "checkpoint.";

void AddSample(const WalSample& s, Samples* out) {
  if (s.h != nullptr) {
    if (s.start_t != 0 || !out->h_start_t.empty()) {
      out->h_start_t.resize(out->h.size(), 0);
      out->h_start_t.push_back(s.start_t);
    }
    out->h.push_back({s.t, s.h});
    return;
  }
  if (s.start_t != 0 || !out->start_t.empty()) {
    out->start_t.resize(out->t.size(), 0);
    out->start_t.push_back(s.start_t);
  }
  out->t.push_back(s.t);
  out->v.push_back(s.v);
}

template <typename T>
void Permute(const std::vector<size_t>& order, std::vector<T>* list) {
  if (list->empty()) return;
  std::vector<T> out;
  out.reserve(order.size());
  for (size_t i : order) out.push_back(std::move((*list)[i]));
  *list = std::move(out);
}

// Sorts by time, keeping the order of equal times (the log repeats what the chunks have).
void Sort(Samples* s) {
  s->start_t.resize(s->start_t.empty() ? 0 : s->t.size(), 0);
  s->h_start_t.resize(s->h_start_t.empty() ? 0 : s->h.size(), 0);
  if (!std::is_sorted(s->t.begin(), s->t.end())) {
    std::vector<size_t> order(s->t.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return s->t[a] < s->t[b]; });
    Permute(order, &s->t);
    Permute(order, &s->v);
    Permute(order, &s->start_t);
  }
  const auto earlier = [](const HistogramPoint& a, const HistogramPoint& b) { return a.t < b.t; };
  if (!std::is_sorted(s->h.begin(), s->h.end(), earlier)) {
    std::vector<size_t> order(s->h.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return earlier(s->h[a], s->h[b]); });
    Permute(order, &s->h);
    Permute(order, &s->h_start_t);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<HeadReader>> HeadReader::Open(const std::string& directory, int64_t min_valid,
                                                             const Warn& warn) {
  std::unique_ptr<HeadReader> out(new HeadReader(directory, min_valid, warn));
  RETURN_IF_ERROR(out->ReadLogs());
  RETURN_IF_ERROR(out->ReadHeadChunks());
  return out;
}

std::vector<std::string> HeadReader::LogSegments(const std::string& folder) const {
  const std::string path = StrCat(directory_, "/", folder);
  uint64_t checkpoint = 0;
  std::string newest;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    uint64_t number = 0;
    if (!name.starts_with(kCheckpointPrefix) ||
        !absl::SimpleAtoi(name.substr(kCheckpointPrefix.size()), &number))
      continue;
    if (newest.empty() || number > checkpoint) {
      checkpoint = number;
      newest = it->path().string();
    }
  }
  std::vector<std::string> out = newest.empty() ? std::vector<std::string>() : NumberedFiles(newest);
  for (const std::string& segment : NumberedFiles(path)) {
    uint64_t number = 0;
    const bool ok = absl::SimpleAtoi(std::filesystem::path(segment).filename().string(), &number);
    if (ok && (newest.empty() || number > checkpoint)) out.push_back(segment);
  }
  return out;
}

absl::Status HeadReader::VisitLog(const std::vector<std::string>& segments, bool complain,
                                  const RecordVisitor& visit) {
  WalRecord record;
  for (const std::string& path : segments) {
    ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    const absl::Status s = VisitWalRecords(file->bytes(), path, [&](std::string_view bytes) -> absl::Status {
      RETURN_IF_ERROR(DecodeWalRecord(bytes, &record));
      visit(record);
      return absl::OkStatus();
    });
    if (s.ok()) continue;
    if (complain) warn_(StrCat("the log ends here: ", std::string(s.message())));
    break;
  }
  return absl::OkStatus();
}

absl::Status HeadReader::ReadLogs() {
  wal_ = LogSegments("wal");
  wbl_ = LogSegments("wbl");
  absl::flat_hash_map<uint64_t, Labels> labels;
  std::map<std::string, Metadata> metadata;
  RETURN_IF_ERROR(VisitLog(wal_, /*complain=*/true, [&](const WalRecord& r) {
    for (const WalSeries& s : r.series) labels.try_emplace(s.ref, s.labels);
    for (const WalTombstone& t : r.tombstones) tombstones_[t.ref].emplace_back(t.mint, t.maxt);
    for (const WalMetadata& m : r.metadata) {
      const auto it = labels.find(m.ref);
      if (it == labels.end()) continue;
      const std::string metric(it->second.MetricName());
      metadata[metric] = {metric, m.type, m.unit, m.help};
    }
    for (const WalExemplar& e : r.exemplars) {
      const auto it = labels.find(e.ref);
      if (it == labels.end()) continue;
      exemplars_.push_back({it->second, {e.labels, e.v, e.t, true}});
      if (exemplars_.size() > kMaxExemplars) exemplars_.pop_front();
    }
    log_samples_ += r.samples.size();
  }));
  RETURN_IF_ERROR(
      VisitLog(wbl_, /*complain=*/true, [&](const WalRecord& r) { log_samples_ += r.samples.size(); }));
  for (auto& [metric, m] : metadata) metadata_.push_back(std::move(m));
  std::map<Labels, std::vector<uint64_t>> sorted;
  for (auto& [ref, l] : labels)
    if (!l.empty()) sorted[l].push_back(ref);
  for (auto& [l, refs] : sorted) {
    std::sort(refs.begin(), refs.end());
    for (uint64_t ref : refs) index_of_[ref] = static_cast<uint32_t>(series_.size());
    series_.push_back({l, std::move(refs)});
  }
  return absl::OkStatus();
}

absl::Status HeadReader::ReadHeadChunks() {
  for (const std::string& path : NumberedFiles(directory_ + "/chunks_head")) {
    ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    const absl::Status s = VisitHeadChunks(file->bytes(), path, [&](const HeadChunk& c) {
      chunks_[c.series].push_back({c.mint, c.maxt, c.out_of_order, c.chunk});
    });
    chunk_files_.push_back(std::move(file));
    if (!s.ok()) warn_(StrCat("head chunks end here: ", std::string(s.message())));
  }
  return absl::OkStatus();
}

std::string HeadReader::Fingerprint() const {
  uint32_t a = 0, b = 0x9e3779b9;
  for (const Series& s : series_) {
    a = Crc32c(a, s.labels.encoded());
    b = Crc32c(b, s.labels.encoded());
  }
  for (const auto* files : {&wal_, &wbl_}) {
    for (const std::string& path : *files) {
      std::error_code error;
      const std::string text = StrCat(std::filesystem::path(path).filename().string(), ":",
                                      std::filesystem::file_size(path, error));
      a = Crc32c(a, text);
      b = Crc32c(b, text);
    }
  }
  return absl::StrFormat("%08x%08x", a, b);
}

void HeadReader::CollectSlice(size_t first, size_t count, std::vector<Samples>* out, absl::Status* status) {
  out->assign(count, Samples{});
  const auto collect = [&](bool in_order) {
    return [this, first, count, out, in_order](const WalRecord& r) {
      for (const WalSample& s : r.samples) {
        if (in_order && s.t < min_valid_) continue;
        const auto it = index_of_.find(s.ref);
        if (it == index_of_.end() || it->second < first || it->second >= first + count) continue;
        AddSample(s, &(*out)[it->second - first]);
      }
    };
  };
  for (size_t i = 0; i < count; ++i) {
    for (uint64_t ref : series_[first + i].refs) {
      const auto it = chunks_.find(ref);
      if (it == chunks_.end()) continue;
      for (const Located& c : it->second) {
        if (!c.out_of_order && c.maxt < min_valid_) continue;
        Samples part;
        const absl::Status s = DecodeChunk(c.chunk.encoding, c.chunk.data, &part);
        if (!s.ok())
          warn_(StrCat("a head chunk of ", series_[first + i].labels.ToString(), ": ",
                       std::string(s.message())));
        Trim(c.out_of_order ? INT64_MIN : min_valid_, INT64_MAX, &part);
        for (size_t k = 0; k < part.t.size(); ++k)
          AddSample({0, part.t[k], part.start_t.empty() ? 0 : part.start_t[k], part.v[k], nullptr},
                    &(*out)[i]);
        for (size_t k = 0; k < part.h.size(); ++k)
          AddSample({0, part.h[k].t, part.h_start_t.empty() ? 0 : part.h_start_t[k], 0, part.h[k].h},
                    &(*out)[i]);
      }
    }
  }
  *status = VisitLog(wal_, /*complain=*/false, collect(true));
  if (status->ok()) *status = VisitLog(wbl_, /*complain=*/false, collect(false));
}

void HeadReader::Finish(const Series& series, Samples* samples) {
  Sort(samples);
  Trim(INT64_MIN, INT64_MAX, samples);
  for (uint64_t ref : series.refs) {
    const auto dead = tombstones_.find(ref);
    if (dead == tombstones_.end()) continue;
    const size_t before = samples->size();
    DropIntervals(dead->second, samples);
    deleted_ += before - samples->size();
  }
}

absl::Status HeadReader::Visit(size_t max_samples,
                               const std::function<absl::Status(const Labels&, const Samples&)>& visit) {
  const size_t passes = std::max<size_t>(1, (log_samples_ + max_samples - 1) / max_samples);
  const size_t per_pass = std::max<size_t>(1, (series_.size() + passes - 1) / passes);
  std::vector<Samples> slice;
  for (size_t first = 0; first < series_.size(); first += per_pass) {
    const size_t count = std::min(per_pass, series_.size() - first);
    absl::Status status;
    CollectSlice(first, count, &slice, &status);
    RETURN_IF_ERROR(status);
    for (size_t i = 0; i < count; ++i) {
      Finish(series_[first + i], &slice[i]);
      if (slice[i].size() > 0) RETURN_IF_ERROR(visit(series_[first + i].labels, slice[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace narthex::tsdb::blocks
