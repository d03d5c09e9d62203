// Reading: selection from the index, then rows block by block from head and stripes.
#include "tsdb/querier.h"

#include <algorithm>

#include "tsdb/range_filter.h"

namespace narthex::tsdb {
namespace {

class QuerierImpl : public Querier {
 public:
  QuerierImpl(const DbImpl* db, int64_t mint, int64_t maxt) : db_(db), mint_(mint), maxt_(maxt) {}

  absl::StatusOr<std::unique_ptr<SeriesSet>> Select(const Matchers& matchers, int64_t mint, int64_t maxt,
                                                    const SelectHints& hints) override {
    const SeriesUse::Ticket ticket(&db_->series_use_);  // until the view is pinned
    if (hints.on_long && LooksThroughMany(matchers)) hints.on_long();
    std::vector<SeriesId> ids = db_->index_.Select(matchers);
    if (hints.on_long && ids.size() > kManySelected) hints.on_long();
    RangeFilter(db_, mint, maxt).Keep(&ids);
    std::shared_ptr<const SeriesIndex::Ranks> ranks = SortByLabels(&ids);
    return MakeSeriesSet(db_, std::move(ids), std::move(ranks), mint, maxt, hints);
  }

  absl::StatusOr<std::vector<std::string>> LabelNames(const LabelQuery& query) override {
    return Texts(query, [&](const SeriesIndex::Filter& filter, SeriesIndex::Among among) {
      return db_->index_.Names(filter, among);
    });
  }

  absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view name,
                                                       const LabelQuery& query) override {
    return Texts(query, [&](const SeriesIndex::Filter& filter, SeriesIndex::Among among) {
      return db_->index_.Values(name, filter, among);
    });
  }

  absl::StatusOr<std::vector<Labels>> Series(const LabelQuery& query) override {
    const SeriesUse::Ticket ticket(&db_->series_use_);
    const std::shared_ptr<const Tombstones> dead = db_->tombstones();
    std::vector<SeriesId> ids = MatchingIds(query);
    std::erase_if(ids, [&](SeriesId id) {
      const auto it = dead->find(id);
      return it != dead->end() && std::any_of(it->second.begin(), it->second.end(), [&](const Interval& i) {
               return i.first <= query.mint && i.second >= std::min(query.maxt, db_->max_t_.load());
             });
    });
    SortByLabels(&ids);
    if (query.limit > 0 && ids.size() > query.limit + 1) ids.resize(query.limit + 1);
    return db_->index_.LabelsOf(ids);
  }

 private:
  // Nothing says where to look, but patterns.
  bool LooksThroughMany(const Matchers& matchers) const {
    return std::none_of(matchers.begin(), matchers.end(),
                        [](const Matcher& m) { return m.op() == MatchOp::kEqual && !m.value().empty(); }) &&
           db_->index_.series_count() > kManySeries;
  }

  // `read` gets the candidates of the index, which holds its lock meanwhile: the head is looked at
  // afterwards.
  template <typename Read>
  std::vector<std::string> Texts(const LabelQuery& query, Read read) const {
    const SeriesUse::Ticket ticket(&db_->series_use_);
    RangeFilter in_range(db_, query.mint, query.maxt);
    const bool all = query.match.empty();
    if (query.on_long && db_->index_.series_count() > kManySeries) query.on_long();
    // Where series are in windows, few of those that match have to be asked whether they are in range.
    const bool ask_few = !all && in_range.HasWindows();
    std::vector<SeriesId> matching;
    if (!all) matching = SelectedIds(query);
    if (!all && !ask_few) in_range.Keep(&matching);
    std::vector<SeriesId> elsewhere;  // those that match and are in no window
    const auto passes = [&](std::span<const SeriesId> ids) {
      if (!all && !ask_few) return true;
      const bool in =
          std::any_of(ids.begin(), ids.end(), [&](SeriesId id) { return in_range.InWindows(id); });
      if (!in && ask_few) elsewhere.push_back(ids.front());
      return in;
    };
    std::vector<std::string> out;
    std::vector<SeriesIndex::Candidate> candidates =
        read(passes, all ? SeriesIndex::Among() : SeriesIndex::Among(matching));
    std::sort(elsewhere.begin(), elsewhere.end());
    out.reserve(query.limit > 0 ? std::min(candidates.size(), query.limit + 1) : candidates.size());
    for (SeriesIndex::Candidate& c : candidates) {
      if (!c.unsure.empty()) {
        if (!all && elsewhere.empty()) continue;
        if (!all) {
          std::erase_if(c.unsure, [&](SeriesId id) {
            return !std::binary_search(elsewhere.begin(), elsewhere.end(), id);
          });
        }
        in_range.Keep(&c.unsure);
        if (c.unsure.empty()) continue;
      }
      out.push_back(std::move(c.text));
      if (query.limit > 0 && out.size() > query.limit) break;
    }
    return out;
  }

  // Returns the ranks that the order came from.
  std::shared_ptr<const SeriesIndex::Ranks> SortByLabels(std::vector<SeriesId>* ids) const {
    std::shared_ptr<const SeriesIndex::Ranks> ranks = db_->index_.RanksByLabels();
    // What was removed since the selection has no rank.
    std::erase_if(*ids,
                  [&](SeriesId id) { return id >= ranks->size() || (*ranks)[id] == SeriesIndex::kNoRank; });
    std::sort(ids->begin(), ids->end(),
              [&ranks](SeriesId a, SeriesId b) { return (*ranks)[a] < (*ranks)[b]; });
    return ranks;
  }

  std::vector<SeriesId> MatchingIds(const LabelQuery& query) const {
    std::vector<SeriesId> ids = SelectedIds(query);
    RangeFilter(db_, query.mint, query.maxt).Keep(&ids);
    return ids;
  }

  // Whenever they have samples. Ascending.
  std::vector<SeriesId> SelectedIds(const LabelQuery& query) const {
    std::vector<SeriesId> ids;
    if (query.match.empty()) {
      ids = db_->index_.All();
    } else if (query.match.size() == 1) {
      ids = db_->index_.Select(query.match[0]);
    } else {
      for (const Matchers& m : query.match) {
        const std::vector<SeriesId> some = db_->index_.Select(m);
        ids.insert(ids.end(), some.begin(), some.end());
      }
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    }
    return ids;
  }

  const DbImpl* const db_;
  const int64_t mint_, maxt_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Querier>> DbImpl::NewQuerier(int64_t mint, int64_t maxt) const {
  return std::unique_ptr<Querier>(std::make_unique<QuerierImpl>(this, mint, maxt));
}

}  // namespace narthex::tsdb
