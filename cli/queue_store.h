// The queues of notifications live in the store beside everything else.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "alerting/alerting.h"
#include "tsdb/tsdb.h"

namespace narthex::cli {

// Thread-safe, as the store is. Does not own it.
class DbQueueStore : public alerting::QueueStore {
 public:
  explicit DbQueueStore(tsdb::Db* db) : db_(db) {}

  absl::Status Write(const std::vector<Change>& changes) override {
    std::vector<tsdb::StateChange> out;
    out.reserve(changes.size());
    for (const Change& change : changes) out.push_back({change.key, change.value});
    return db_->ChangeState(out);
  }
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Scan(
      std::string_view prefix) const override {
    return db_->ScanState(prefix);
  }

 private:
  tsdb::Db* const db_;
};

}  // namespace narthex::cli
