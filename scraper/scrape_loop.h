// One target's scrapes: an answer becomes a round of its series.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/http_client.h"
#include "base/mutex.h"
#include "scraper/metadata_table.h"
#include "scraper/parser.h"
#include "scraper/scrape_context.h"
#include "scraper/scraper.h"
#include "scraper/series_cache.h"
#include "scraper/target.h"

namespace narthex::scraper {

// Series labels from exposed labels and the target's: honor_labels decides who wins; the loser of a collision
// gets exported_ before its name. Then metric_relabel_configs. False: dropped.
bool SeriesLabels(const LabelPairs& exposed, const Labels& target, const ScrapeConfig& config, Labels* out);
absl::Status CheckLabelLimits(const Labels& labels, const ScrapeConfig& config);

// Process, WriteStaleMarkers and Reconfigure are called by one thread at a time (the manager sees to it: a
// target never overlaps itself); State and Metadata by any.
class ScrapeLoop {
 public:
  ScrapeLoop(ScrapeContext* context, std::shared_ptr<const ScrapeConfig> config, Target target);

  HttpClientRequest Request() const;  // the same until Reconfigure
  // A piece of a long answer that goes on; pieces come in order, Process after them.
  void ProcessPiece(HttpClientResponse piece, int64_t start_ms, int64_t start_ns);
  // The answer (or what is left of it) to a request sent at (wall, monotonic) start.
  void Process(absl::StatusOr<HttpClientResponse> response, int64_t start_ms, int64_t start_ns);
  // The target is gone: all its series end now.
  void WriteStaleMarkers();
  // A reload changed the job. Known series are forgotten if their labels may have changed.
  void Reconfigure(std::shared_ptr<const ScrapeConfig> config, Target target);

  // Lets go of storage, without stale markers; nothing is processed afterwards.
  void ReleaseGroup() { group_.reset(); }

  Target target() const;
  TargetState State() const;
  void Metadata(const std::string& metric, std::vector<std::pair<Labels, TargetMetadata>>* out) const;

 private:
  struct Outcome {
    int64_t scraped = 0, added = 0, new_series = 0, body_bytes = 0;
    int64_t out_of_order = 0, duplicate = 0, out_of_bounds = 0;
    int64_t refused = 0;        // new series for which there was no place
    bool bucket_limit = false;  // a histogram had too many buckets

    int64_t rejected() const { return out_of_order + duplicate + out_of_bounds; }
  };
  // The scrape under way.
  struct Scrape {
    int64_t t = 0;
    absl::Status status;
    Outcome outcome;
    bool any = false;  // some of the body was seen
    Format format = Format::kText;
    std::string carry;   // the last piece's end, which is no whole line
    std::string family;  // what puts the parser into the family at hand
  };

  void BeginScrape(int64_t start_ms, int64_t start_ns);
  absl::Status Append(absl::StatusOr<HttpClientResponse> response, Scrape* scrape);
  absl::Status AppendPiece(HttpClientResponse* response, bool last, Scrape* scrape);
  absl::Status ChooseParser(const HttpClientResponse& response, Scrape* scrape);
  bool SkipKnownMetadata(ExpositionParser* parser);
  void AppendKnown(const SeriesCache::Entry& entry, double value, Outcome* outcome);
  absl::Status AppendBody(ExpositionParser* parser, int64_t t, Outcome* outcome);
  std::unique_ptr<ExpositionParser> NewParser(Format format, std::string* body) const;
  absl::Status AppendLine(ExpositionParser* parser, EntryKind kind, SeriesCache::Entry* entry, bool parsed,
                          int64_t t, Outcome* outcome);
  // `kind` is kSeries or kHistogram; `parsed`: the parser went the long way, and has more than the value.
  absl::Status AppendSeries(ExpositionParser* parser, EntryKind kind, SeriesCache::Entry* entry, bool parsed,
                            int64_t t, Outcome* outcome);
  absl::Status AppendSample(ExpositionParser* parser, EntryKind kind, tsdb::Slot slot, bool parsed, int64_t t,
                            Outcome* outcome);
  absl::StatusOr<SeriesCache::Entry*> AddEntry(const ExpositionParser& parser, Outcome* outcome);
  void Count(tsdb::AppendResult result, Outcome* outcome) const;
  absl::Status CheckStatus(const HttpClientResponse& response) const;
  absl::Status OpenGroup();
  void Prepare() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report(int64_t t, bool up, double seconds, const Outcome& outcome);
  int64_t AlignedTime(int64_t start_ms);
  void LogDropped(const Outcome& outcome) const;
  void LogRefused(const Outcome& outcome);

  ScrapeContext* const context_;
  const ManagerOptions& options_;
  ScrapeMetrics* const metrics_;

  mutable Mutex mutex_;
  std::shared_ptr<const ScrapeConfig> config_;  // written under mutex_ by the one worker
  Target target_;
  HttpClientRequest request_ ABSL_GUARDED_BY(mutex_);
  std::string interval_label_;
  std::string format_of_;          // the last good Content-Type
  Format format_ = Format::kText;  // and what it means
  std::string last_error_ ABSL_GUARDED_BY(mutex_);
  std::string health_ ABSL_GUARDED_BY(mutex_) = "unknown";
  int64_t last_scrape_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  double last_duration_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t last_refused_ ABSL_GUARDED_BY(mutex_) = 0;

  std::optional<Scrape> scrape_;
  SeriesShare share_;
  bool refusing_ = false;  // the last scrape had series for which there was no place
  std::string refused_example_;
  std::unique_ptr<tsdb::GroupAppender> group_;
  SeriesCache cache_;
  MetadataTable metadata_;
  LabelPairs scratch_;
  std::vector<std::pair<std::string_view, tsdb::Slot>> report_slots_;
  int misaligned_ = 0;
  int64_t aligned_ms_ = 0, last_round_ms_ = 0, last_start_ns_ = 0;
};

}  // namespace narthex::scraper
