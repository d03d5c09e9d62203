// Reading: selection from the index, then rows block by block from head and stripes.
#include "tsdb/querier.h"

#include <algorithm>

#include "base/status_macros.h"

namespace narthex::tsdb {
namespace {

class QuerierImpl : public Querier {
 public:
  QuerierImpl(const DbImpl* db, int64_t mint, int64_t maxt) : db_(db), mint_(mint), maxt_(maxt) {}

  absl::StatusOr<std::unique_ptr<SeriesSet>> Select(const Matchers& matchers, int64_t mint, int64_t maxt,
                                                    const SelectHints& hints) override {
    const Roaring in_range = db_->SeriesIn(mint, maxt);
    std::vector<SelectedSeries> selected;
    for (SeriesId id : db_->index_.Select(matchers)) {
      if (in_range.contains(id)) selected.push_back({id, db_->index_.LabelsOf(id)});
    }
    std::sort(selected.begin(), selected.end(),
              [](const SelectedSeries& a, const SelectedSeries& b) { return a.labels < b.labels; });
    return MakeSeriesSet(db_, std::move(selected), mint, maxt);
  }

  absl::StatusOr<std::vector<std::string>> LabelNames(const LabelQuery& query) override {
    if (query.match.empty()) {
      const Roaring in_range = db_->SeriesIn(query.mint, query.maxt);
      return db_->index_.Names([&](SeriesId id) { return in_range.contains(id); }, query.limit);
    }
    const Roaring ids = Matching(query);
    return db_->index_.Names([&](SeriesId id) { return ids.contains(id); }, query.limit);
  }

  absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view name,
                                                       const LabelQuery& query) override {
    const Roaring ids = Matching(query);
    return db_->index_.Values(
        name, [&](SeriesId id) { return ids.contains(id); }, query.limit);
  }

  absl::StatusOr<std::vector<Labels>> Series(const LabelQuery& query) override {
    std::vector<Labels> out;
    const std::shared_ptr<const Tombstones> dead = db_->tombstones();
    for (SeriesId id : Matching(query)) {
      const auto it = dead->find(id);
      const bool gone =
          it != dead->end() && std::any_of(it->second.begin(), it->second.end(), [&](const Interval& i) {
            return i.first <= query.mint && i.second >= std::min(query.maxt, db_->max_t_.load());
          });
      if (!gone) out.push_back(db_->index_.LabelsOf(id));
    }
    std::sort(out.begin(), out.end());
    if (query.limit > 0 && out.size() > query.limit + 1) out.resize(query.limit + 1);
    return out;
  }

 private:
  Roaring Matching(const LabelQuery& query) const {
    Roaring out = db_->SeriesIn(query.mint, query.maxt);
    if (query.match.empty()) return out;
    Roaring any;
    for (const Matchers& m : query.match) {
      const std::vector<SeriesId> ids = db_->index_.Select(m);
      any.addMany(ids.size(), ids.data());
    }
    return out & any;
  }

  const DbImpl* const db_;
  const int64_t mint_, maxt_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Querier>> DbImpl::NewQuerier(int64_t mint, int64_t maxt) const {
  return std::unique_ptr<Querier>(std::make_unique<QuerierImpl>(this, mint, maxt));
}

}  // namespace narthex::tsdb
