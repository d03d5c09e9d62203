// Exemplars on their way to the disk: journal at commit, index at the next seal.
#include <algorithm>

#include "base/status_macros.h"
#include "tsdb/db_impl.h"
#include "tsdb/format/crc.h"
#include "tsdb/manifest.h"

namespace narthex::tsdb {

absl::Status DbImpl::CommitExemplars(const std::vector<SeriesExemplar>& exemplars) {
  std::vector<SeriesExemplar> accepted;
  for (const SeriesExemplar& e : exemplars)
    if (exemplars_.Accepts(e.series, e.exemplar)) accepted.push_back(e);
  if (accepted.empty()) return absl::OkStatus();
  WriteIndex();
  ReaderMutexLock commit(&commit_mutex_);
  bool written = false;
  const uint64_t sequence = AppendJournal(EncodeExemplarRecord(accepted), &written);
  for (const SeriesExemplar& e : accepted)
    if (exemplars_.Add(e.series, e.exemplar, sequence)) metrics_.exemplars->Add();
  return absl::OkStatus();
}

// Rows name series by their labels: an id may belong to another series by the time they are read.
absl::Status DbImpl::SaveExemplars() {
  uint64_t sequence = 0;
  std::vector<SeriesExemplar> unsaved;
  {
    MutexLock commit(&commit_mutex_);  // none is between the journal and the ring
    sequence = journal_->last_sequence();
    unsaved = exemplars_.Unsaved();
  }
  if (unsaved.empty()) return absl::OkStatus();
  std::string value;
  PutVarint(&value, unsaved.size());
  for (const SeriesExemplar& e : unsaved) {
    PutBytes(&value, index_.LabelsOf(e.series).encoded());
    PutExemplar(&value, e.exemplar);
  }
  PutFixed32(&value, Crc32c(0, value));
  Manifest manifest;
  manifest.sealed_sequence = sequence;
  IndexBatch batch;
  batch.puts.emplace_back(ExemplarKey(sequence), value);
  batch.puts.emplace_back(ManifestKey(kExemplarGroup), manifest.Encode());
  saved_exemplars_.emplace_back(sequence, unsaved.size());
  // Rows all of whose exemplars have left the ring.
  size_t kept = 0, rows = saved_exemplars_.size();
  while (rows > 0 && kept < exemplars_.size()) kept += saved_exemplars_[--rows].second;
  for (size_t i = 0; i < rows; ++i) batch.deletes.push_back(ExemplarKey(saved_exemplars_[i].first));
  RETURN_IF_ERROR(store_->Write(batch, /*sync=*/true));
  saved_exemplars_.erase(saved_exemplars_.begin(), saved_exemplars_.begin() + static_cast<ptrdiff_t>(rows));
  exemplars_.MarkSaved(unsaved.size());
  return absl::OkStatus();
}

absl::Status DbImpl::LoadExemplars() {
  return store_->Scan("X", [&](std::string_view key, std::string_view value) {
    if (key.size() != 9 || value.size() < 4) return true;
    const std::string_view body = value.substr(0, value.size() - 4);
    if (GetFixed32(value.data() + body.size()) != Crc32c(0, body)) {
      NoteDamage("exemplars");
      return true;
    }
    ByteReader in(body);
    const size_t n = in.Count(in.left());
    saved_exemplars_.emplace_back(GetBig64(key.data() + 1), n);
    for (size_t i = 0; i < n && in.ok(); ++i) {
      const std::string_view labels = in.Bytes();
      Exemplar e;
      if (!ReadExemplar(&in, &e) || !Labels::IsWellFormed(labels)) break;
      const SeriesId id = index_.Find(Labels::FromEncoded(std::string(labels)));
      if (id != 0) exemplars_.Add(id, e, 0);
    }
    return true;
  });
}

}  // namespace narthex::tsdb
