// One remote_write: reads storage from its cursor on and sends what it finds.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/elastic_pool.h"
#include "remote/delivery.h"
#include "remote/write_request.h"

namespace narthex::remote {

// Works in rounds: a span of time is read, cut into batches, sent by as many shards as keep up, and only when
// all of it is delivered (or refused for good) the cursor moves on. Storage keeps the cursor, and how far a
// round that may have been cut short reached: what is in between may have arrived already, so that a refusal
// is answered by smaller and smaller requests. Owner: Sender. One thread of its own; Stop may be called from
// any thread.
class Endpoint {
 public:
  Endpoint(const SenderOptions& options, RemoteWriteConfig config,
           std::vector<std::pair<std::string, std::string>> external_labels);
  ~Endpoint() { Stop(false); }
  void Start();
  // flush: send what is there already first, within the deadline of the options.
  void Stop(bool flush);
  const std::string& fingerprint() const { return fingerprint_; }
  // One round at the clock's time (tests); `last`: none follows. False: stopped.
  bool RunRound(bool last = false);

 private:
  using ExemplarMap = absl::flat_hash_map<Labels, std::vector<tsdb::Exemplar>>;
  struct Round;

  void Run();
  bool Stopping();
  void LoadCursor();
  void SaveCursor(int64_t frontier);
  int64_t RoundEnd(int64_t now) const;
  absl::Status ReadRound(int64_t from, int64_t to, const std::shared_ptr<Round>& round);
  // The samples of a row that were not sent yet; notes them as sent.
  std::vector<tsdb::Sample> Unsent(const Labels& labels, const tsdb::Row& row, int64_t now);
  absl::StatusOr<ExemplarMap> ReadExemplars(int64_t from, int64_t to) const;
  // False: relabelling dropped the series.
  bool LabelsToSend(const Labels& labels, Labels* out) const;
  void Dispatch(OutBatch batch, const std::shared_ptr<Round>& round);
  Verdict SendBatch(const OutBatch& batch, bool unsure);
  Verdict SendHalves(const OutBatch& batch);
  void SendMetadata(int64_t now);
  void Forget(int64_t before);

  const SenderOptions& options_;
  const RemoteWriteConfig config_;
  const std::vector<std::pair<std::string, std::string>> external_labels_;
  const std::string fingerprint_, state_key_;
  EndpointMetrics metrics_;
  Delivery delivery_;
  ElasticPool pool_;
  std::thread thread_;

  // The thread's own.
  int64_t cursor_ = 0;    // everything up to here has been sent, but for what comes late
  int64_t frontier_ = 0;  // up to here something may have been sent by an earlier life
  int64_t floor_ = 0;     // samples up to here are an earlier life's
  int64_t window_ms_;     // a round's span when there is much to catch up with
  int shards_;
  MetadataMap metadata_;
  int64_t metadata_sent_ms_ = 0;
  absl::flat_hash_map<uint64_t, int64_t> last_sent_, last_exemplar_;  // by hash of the stored labels

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false, flushing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace narthex::remote
