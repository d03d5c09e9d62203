// Reading: selection from the index, then rows block by block from head and stripes.
#include "tsdb/querier.h"

#include <algorithm>

#include "tsdb/range_filter.h"

namespace narthex::tsdb {
namespace {

// Whether two ascending lists have an id in common.
bool Overlap(std::span<const SeriesId> a, std::span<const SeriesId> b) {
  while (!a.empty() && !b.empty()) {
    if (a.front() == b.front()) return true;
    if (a.front() > b.front()) std::swap(a, b);
    a = a.subspan(static_cast<size_t>(std::lower_bound(a.begin(), a.end(), b.front()) - a.begin()));
  }
  return false;
}

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
    return Texts(query, [&](const SeriesIndex::Filter& filter) { return db_->index_.Names(filter); });
  }

  absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view name,
                                                       const LabelQuery& query) override {
    return Texts(query, [&](const SeriesIndex::Filter& filter) { return db_->index_.Values(name, filter); });
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
    const std::vector<SeriesId> matching = all ? std::vector<SeriesId>() : MatchingIds(query);
    const auto passes = [&](std::span<const SeriesId> ids) {
      if (!all) return Overlap(ids, matching);
      return std::any_of(ids.begin(), ids.end(), [&](SeriesId id) { return in_range.InWindows(id); });
    };
    std::vector<std::string> out;
    std::vector<SeriesIndex::Candidate> candidates = read(passes);
    out.reserve(query.limit > 0 ? std::min(candidates.size(), query.limit + 1) : candidates.size());
    for (SeriesIndex::Candidate& c : candidates) {
      if (!c.unsure.empty()) {
        if (!all) continue;
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

  // Ascending.
  std::vector<SeriesId> MatchingIds(const LabelQuery& query) const {
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
    RangeFilter(db_, query.mint, query.maxt).Keep(&ids);
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
