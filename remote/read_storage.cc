// Local storage and the remote_read endpoints as one Queryable.
#include <algorithm>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "remote/remote_querier.h"

namespace narthex::remote {
namespace {

constexpr size_t kBlock = 64;

// Series in memory.
class MemorySet : public tsdb::SeriesSet {
 public:
  explicit MemorySet(std::vector<RemoteSeries> series) : series_(std::move(series)) {}
  size_t size() const override { return series_.size(); }
  const Labels& labels(size_t i) const override { return series_[i].labels; }
  absl::Status ReadBlock(size_t first, size_t count, std::vector<tsdb::Row>* rows) override {
    rows->assign(count, {});
    for (size_t i = 0; i < count; ++i) {
      const RemoteSeries& series = series_[first + i];
      (*rows)[i].t = series.t;
      (*rows)[i].v = series.v;
      (*rows)[i].h = series.h;
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<RemoteSeries> series_;
};

absl::StatusOr<std::vector<RemoteSeries>> ReadAll(tsdb::SeriesSet* set) {
  std::vector<RemoteSeries> out(set->size());
  std::vector<tsdb::Row> rows;
  for (size_t first = 0; first < set->size(); first += kBlock) {
    size_t count = std::min(kBlock, set->size() - first);
    RETURN_IF_ERROR(set->ReadBlock(first, count, &rows));
    for (size_t i = 0; i < count; ++i) {
      RemoteSeries& series = out[first + i];
      series.labels = set->labels(first + i);
      series.t.assign(rows[i].t.begin(), rows[i].t.end());
      series.v.assign(rows[i].v.begin(), rows[i].v.end());
      series.h.assign(rows[i].h.begin(), rows[i].h.end());
    }
  }
  return out;
}

// Both sorted by labels.
std::vector<RemoteSeries> Merge(std::vector<RemoteSeries> a, std::vector<RemoteSeries> b) {
  std::vector<RemoteSeries> out;
  size_t i = 0, k = 0;
  while (i < a.size() || k < b.size()) {
    if (k == b.size() || (i < a.size() && a[i].labels < b[k].labels)) {
      out.push_back(std::move(a[i++]));
    } else if (i == a.size() || b[k].labels < a[i].labels) {
      out.push_back(std::move(b[k++]));
    } else {
      RemoteSeries both;
      both.labels = a[i].labels;
      MergeSeries(a[i++], b[k++], &both);
      out.push_back(std::move(both));
    }
  }
  return out;
}

struct Setup {
  std::vector<RemoteReadConfig> configs;
  LabelPairs external_labels;
};

class MergedQuerier : public tsdb::Querier {
 public:
  MergedQuerier(std::unique_ptr<tsdb::Querier> local, std::shared_ptr<const Setup> setup, int64_t local_start,
                HttpClient* http, const Logger* logger)
      : local_(std::move(local)),
        setup_(std::move(setup)),
        local_start_(local_start),
        http_(http),
        logger_(logger) {}

  absl::StatusOr<std::unique_ptr<tsdb::SeriesSet>> Select(const Matchers& matchers, int64_t mint,
                                                          int64_t maxt,
                                                          const tsdb::SelectHints& hints) override {
    tsdb::SelectHints local_hints = hints;
    local_hints.labels.reset();  // series are told from each other by all their labels here
    if (hints.on_long) hints.on_long();
    std::vector<RemoteSeries> found;
    for (const RemoteReadConfig& config : setup_->configs) {
      // What storage has itself need not be asked for.
      int64_t until = config.read_recent ? maxt : std::min(maxt, local_start_);
      absl::StatusOr<std::vector<RemoteSeries>> answer =
          AskRemote(config, setup_->external_labels, http_, matchers, mint, until, hints);
      if (answer.ok()) {
        found = Merge(std::move(found), *std::move(answer));
      } else {
        logger_->Warn(
            "Remote read failed, its part of the answer is missing",
            {{"component", "remote"}, {"url", config.url}, {"err", std::string(answer.status().message())}});
      }
    }
    ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> local,
                     local_->Select(matchers, mint, maxt, local_hints));
    if (found.empty()) return local;
    ASSIGN_OR_RETURN(std::vector<RemoteSeries> own, ReadAll(local.get()));
    return std::make_unique<MemorySet>(Merge(std::move(own), std::move(found)));
  }
  absl::StatusOr<std::vector<std::string>> LabelNames(const tsdb::LabelQuery& query) override {
    return local_->LabelNames(query);
  }
  absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view name,
                                                       const tsdb::LabelQuery& query) override {
    return local_->LabelValues(name, query);
  }
  absl::StatusOr<std::vector<Labels>> Series(const tsdb::LabelQuery& query) override {
    return local_->Series(query);
  }

 private:
  const std::unique_ptr<tsdb::Querier> local_;
  const std::shared_ptr<const Setup> setup_;
  const int64_t local_start_;
  HttpClient* const http_;
  const Logger* const logger_;
};

class ReadStorageImpl : public ReadStorage {
 public:
  ReadStorageImpl(const tsdb::Db* local, HttpClient* http, const Logger* logger)
      : local_(local), http_(http), logger_(logger), setup_(std::make_shared<Setup>()) {}

  void Apply(std::vector<RemoteReadConfig> configs, LabelPairs external_labels) override {
    auto setup = std::make_shared<const Setup>(Setup{std::move(configs), std::move(external_labels)});
    MutexLock lock(&mutex_);
    setup_ = std::move(setup);
  }

  absl::StatusOr<std::unique_ptr<tsdb::Querier>> NewQuerier(int64_t mint, int64_t maxt) const override {
    ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> local, local_->NewQuerier(mint, maxt));
    std::shared_ptr<const Setup> setup;
    {
      MutexLock lock(&mutex_);
      setup = setup_;
    }
    if (setup->configs.empty()) return local;
    return std::make_unique<MergedQuerier>(std::move(local), std::move(setup), LocalStart(), http_, logger_);
  }

 private:
  // Before it, storage has nothing.
  int64_t LocalStart() const {
    if (std::vector<tsdb::BlockView> blocks = local_->Blocks(); !blocks.empty()) return blocks.front().min_t;
    absl::StatusOr<tsdb::Status> status = local_->GetStatus(1);
    return status.ok() && status->head_series > 0 ? status->head_min_t : INT64_MAX;
  }

  const tsdb::Db* const local_;
  HttpClient* const http_;
  const Logger* const logger_;
  mutable Mutex mutex_;
  std::shared_ptr<const Setup> setup_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<ReadStorage> ReadStorage::Create(const tsdb::Db* local, HttpClient* http,
                                                 const Logger* logger) {
  return std::make_unique<ReadStorageImpl>(local, http, logger);
}

}  // namespace narthex::remote
