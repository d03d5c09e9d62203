// Rows of the selected series, read from a view that was pinned when the set was made.
#include <algorithm>
#include <limits>
#include <list>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/stripe.h"
#include "tsdb/querier.h"
#include "tsdb/series_pieces.h"
#include "tsdb/stripe_reader.h"

namespace narthex::tsdb {
namespace {

// The times of rows made of the same columns.
struct Timeline {
  std::vector<Times> columns;
  std::vector<int64_t> times;
  // If only the newest sample before each of some times is wanted: which of each column's are left in
  // `times`.
  bool thinned = false;
  std::vector<uint32_t> kept;
  std::vector<size_t> first_kept;  // of each column, into `kept`; and the end

  // False, and nothing is changed, if most times are wanted.
  bool Thin(const SelectHints::Instants& instants, int64_t mint, int64_t maxt) {
    size_t all = 0;
    for (const Times& column : columns) all += column->size();
    const size_t most = std::min(all, static_cast<size_t>(instants.count));
    kept.reserve(most);
    times.reserve(most);
    int step = 0;
    int64_t next = instants.first;  // the first instant at or after what has been looked at
    size_t stride = 0;              // mostly the same number of samples lies between two instants
    for (size_t c = 0; c < columns.size(); ++c) {
      first_kept.push_back(kept.size());
      const std::vector<int64_t>& t = *columns[c];
      const auto is_newest = [&](size_t i) { return t[i] <= next && (i + 1 == t.size() || t[i + 1] > next); };
      // What is too old counts for nothing.
      size_t i = static_cast<size_t>(std::lower_bound(t.begin(), t.end(), mint) - t.begin());
      while (i < t.size() && t[i] <= maxt) {
        while (step < instants.count && next < t[i]) next = instants.first + instants.step * ++step;
        if (step == instants.count) break;
        const size_t begin = i;
        if (i + stride < t.size() && is_newest(i + stride)) i += stride;
        while (!is_newest(i)) ++i;
        stride = i - begin;
        // Not the newest, if the first one of the next column is there by then as well.
        const bool newer = i + 1 == t.size() && c + 1 < columns.size() && columns[c + 1]->front() <= next;
        if (!newer && t[i] <= maxt) {
          kept.push_back(static_cast<uint32_t>(i));
          times.push_back(t[i]);
        }
        ++i;
      }
    }
    first_kept.push_back(kept.size());
    thinned = kept.size() < all * 3 / 4;
    if (thinned) return true;
    kept.clear();
    times.clear();
    return false;
  }
};

class SeriesSetImpl : public SeriesSet {
 public:
  SeriesSetImpl(const DbImpl* db, std::vector<SeriesId> ids, std::shared_ptr<const SeriesIndex::Ranks> ranks,
                int64_t mint, int64_t maxt, const SelectHints& hints)
      : db_(db),
        ids_(std::move(ids)),
        grouped_(hints.grouped && hints.labels),
        labels_(grouped_       ? db->index_.GroupsOf(ids_, *hints.labels, &group_of_)
                : hints.labels ? db->index_.LabelsOf(ids_, *hints.labels)
                               : db->index_.LabelsOf(ids_)),
        mint_(mint),
        maxt_(maxt),
        instants_(hints.instants),
        view_(db->Pin(ids_, mint, maxt, hints)),
        dead_(view_->dead),
        ranks_(std::move(ranks)),
        readers_(1 + view_->spare.size()),
        stripes_(view_.get(), ranks_, CorruptNote(db), readers_) {
    LimitRanks();
  }

  // Another reader of the same selection.
  SeriesSetImpl(const SeriesSetImpl& first, std::unique_ptr<ReadView> view)
      : db_(first.db_),
        ids_(first.ids_),
        mint_(first.mint_),
        maxt_(first.maxt_),
        instants_(first.instants_),
        view_(std::move(view)),
        dead_(view_->dead),
        ranks_(first.ranks_),
        readers_(first.readers_),
        stripes_(view_.get(), ranks_, CorruptNote(db_), readers_) {
    LimitRanks();
  }

  std::unique_ptr<SeriesSet> NewReader() override {
    std::unique_ptr<ReadView> view = view_->NewReader();
    if (view == nullptr) return nullptr;
    return std::make_unique<SeriesSetImpl>(*this, std::move(view));
  }

  size_t size() const override { return ids_.size(); }
  const Labels& labels(size_t i) const override { return labels_[grouped_ ? group_of_[i] : i]; }
  Labels TakeLabels(size_t i) override { return grouped_ ? labels(i) : std::move(labels_[i]); }
  bool TakeGroups(std::vector<Labels>* groups, std::vector<size_t>* of) override {
    if (!grouped_) return false;
    *groups = std::move(labels_);
    *of = std::move(group_of_);
    return true;
  }

  absl::Status ReadBlock(size_t first, size_t count, std::vector<Row>* rows) override {
    rows->assign(count, Row{});
    if (first + count > ids_.size()) return absl::OutOfRangeError("block past the end of the series set");
    if (mint_ > maxt_) return absl::OkStatus();
    FillNewest(first, count, rows);
    if (members_.empty()) return absl::OkStatus();
    FindPieces();
    Reserve();
    for (size_t k = 0; k < members_.size(); ++k)
      FillRow(member_ids_[k], &found_[k], &(*rows)[members_[k] - first]);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> ReadStored(size_t first, size_t count, const HasStripe& has,
                                  StoredBlock* block) override {
    if (first + count > ids_.size()) return absl::OutOfRangeError("block past the end of the series set");
    block->rows.assign(count, StoredRow{});
    block->stripes.clear();
    if (mint_ > maxt_) return true;
    members_.clear();
    for (size_t i = first; i < first + count; ++i) members_.push_back(i);
    member_ids_.assign(ids_.begin() + static_cast<ptrdiff_t>(first),
                       ids_.begin() + static_cast<ptrdiff_t>(first + count));
    const HasStripe need_not = [&](const uint64_t id[2], uint64_t size) {
      return !must_read_.contains(id[0]) && has(id, size);
    };
    stripes_.UseDirectories(has ? &need_not : nullptr);
    stored_ = block;
    // Again, if there turn out to be rows that must be decoded here and whose stripes were not read.
    for (bool all = false; !all;) {
      block->rows.assign(count, StoredRow{});
      block->stripes.clear();
      FindPieces();
      all = true;
      for (size_t i = 0; i < count; ++i) all &= FillStored(ids_[first + i], &found_[i], &block->rows[i]);
    }
    stored_ = nullptr;
    stripes_.UseDirectories(nullptr);
    return true;
  }

 private:
  static StripeReader::Corrupt CorruptNote(const DbImpl* db) {
    return [db](int64_t window, uint32_t group, uint32_t stripe) {
      db->NoteCorruptStripe(window, group, stripe);
    };
  }

  void LimitRanks() {
    if (!ids_.empty()) stripes_.Within((*ranks_)[ids_.front()], (*ranks_)[ids_.back()]);
  }

  // The rows that the view knows. The others are left for members_.
  void FillNewest(size_t first, size_t count, std::vector<Row>* rows) {
    members_.clear();
    member_ids_.clear();
    for (size_t i = first; i < first + count; ++i) {
      if (view_->newest.empty() || !view_->newest[i].known()) {
        members_.push_back(i);
        member_ids_.push_back(ids_[i]);
        continue;
      }
      (*rows)[i - first].t = std::span(&view_->newest[i].t, 1);
      (*rows)[i - first].v = std::span(&view_->newest[i].v, 1);
    }
  }

  // Of the members.
  void FindPieces() {
    Clear();
    ReadLooseHead();
    ReadGroupHeads();
    ReadStripes();
  }

  void Clear() {
    found_.resize(members_.size());
    for (Found& f : found_) {  // what they hold goes, their room stays
      f.pieces.clear();
      f.loose.clear();
    }
    by_group_.clear();
    arena_.Clear();
    stripe_places_.clear();
    stripes_.NextBlock();
    timelines_.clear();
    own_times_.clear();
    own_values_.clear();
    histograms_.clear();
    values_used_ = 0;
  }

  void ReadLooseHead() {
    std::vector<int64_t> times;
    std::vector<double> values;
    for (size_t k = 0; k < members_.size(); ++k) {
      if (!db_->ReadLooseHead(*view_, members_[k], member_ids_[k], &times, &values, &found_[k].loose))
        continue;
      if (times.empty() || times.back() < mint_ || times.front() > maxt_) continue;
      found_[k].Add(Piece::kLoose, stripes_.columns()->Intern(std::move(times)), {}, std::move(values));
    }
  }

  // Tiles of the groups that the series belong to.
  void ReadGroupHeads() {
    for (size_t k = 0; k < members_.size(); ++k) {
      view_->ForEachPlace(members_[k], [&](const ReadView::Place& place) {
        by_group_[place.group].push_back(k);
        const auto head = view_->heads.find(place.group);
        if (head == view_->heads.end() || place.slot == ReadView::kNoSlot) return;
        for (const TilePtr& tile : head->second.Tiles()) {
          if (tile->times.empty() || tile->times.back() < mint_ || tile->times.front() > maxt_) continue;
          const std::string_view entry = tile->Entry(place.slot);
          if (!entry.empty()) found_[k].Add(Piece::kRounds, Times(tile, &tile->times), entry);
        }
      });
    }
  }

  void ReadStripes() {
    const auto add = [&](Piece::Kind kind, size_t k, const StripeReader::Source& source, const Times& times,
                         std::string_view entry) {
      if (times->empty() || times->back() < mint_ || times->front() > maxt_) return;
      if (stored_ == nullptr) return found_[k].Add(kind, times, source.stays ? entry : arena_.Copy(entry));
      const uint32_t stripe = KeepStripe(source, times->back());
      if (source.listed != nullptr) {
        found_[k].Add(kind, times, {});
        Piece& piece = found_[k].pieces.back();
        piece.stripe = stripe;
        piece.listed = source.listed_entry;
        if (piece.listed->picked != StripeDirectory::Entry::kEveryRow)
          piece.picked = source.listed->columns[piece.listed->picked];
        return;
      }
      const size_t at = static_cast<size_t>(entry.data() - source.stripe.data());
      found_[k].Add(kind, times, stored_->stripes[stripe].bytes.substr(at, entry.size()));
      found_[k].pieces.back().stripe = stripe;
    };
    std::vector<SeriesId> mine;
    for (const auto& group : by_group_) {
      const auto& members = group.second;
      mine.clear();
      for (size_t k : members) mine.push_back(member_ids_[k]);
      stripes_.Read(
          group.first, mine,
          [&](size_t i, const StripeReader::Source& source, const Times& times, std::string_view entry) {
            add(Piece::kSealedRounds, members[i], source, times, entry);
          });
    }
    stripes_.Read(kLooseGroup, member_ids_,
                  [&](size_t k, const StripeReader::Source& source, const Times& times,
                      std::string_view entry) { add(Piece::kSealedLoose, k, source, times, entry); });
  }

  // A whole stripe, once in the block, under a name that comes from its key and its checksum.
  uint32_t KeepStripe(const StripeReader::Source& source, int64_t max_t) {
    const auto [place, fresh] =
        stripe_places_.try_emplace(source.id, static_cast<uint32_t>(stored_->stripes.size()));
    if (fresh) {
      StoredStripe& stripe = stored_->stripes.emplace_back();
      stripe.id[0] = source.id;
      if (source.listed != nullptr) {
        stripe.size = source.listed->stripe_bytes;
        stripe.id[1] = StripeName(stripe.size, source.listed->checksum);
      } else {
        stripe.bytes = source.stays ? source.stripe : arena_.Copy(source.stripe);
        stripe.size = stripe.bytes.size();
        stripe.id[1] = StripeName(stripe.size, StripeChecksum(stripe.bytes));
      }
    }
    int64_t& max = stored_->stripes[place->second].max_t;
    max = std::max(max, max_t);
    return place->second;
  }

  // Room for all values, so that rows stay where they are.
  void Reserve() {
    size_t values = 0;
    for (const Found& f : found_) {
      for (const Piece& p : f.pieces) values += p.times->size();
    }
    if (values <= values_size_) return;
    values_ = std::make_unique_for_overwrite<double[]>(values);
    values_size_ = values;
  }

  void FillRow(SeriesId id, Found* found, Row* row) {
    std::vector<Piece>& pieces = found->pieces;
    bool dense = true;
    const bool plain = IsPlain(id, found, &dense);
    if (plain && dense && FillDense(pieces, row)) return;
    if (plain) return FillPlain(pieces, row);
    FillMerged(id, found, row);
  }

  // Whether the pieces, put in order, follow each other and hold nothing but floats and stale markers; and
  // whether they hold a float for every time.
  bool IsPlain(SeriesId id, Found* found, bool* dense) const {
    std::vector<Piece>& pieces = found->pieces;
    const auto earlier = [](const Piece& a, const Piece& b) { return a.times->front() < b.times->front(); };
    // Mostly they are in order; sorting takes memory, whatever there is to sort.
    if (!std::is_sorted(pieces.begin(), pieces.end(), earlier)) {
      std::stable_sort(pieces.begin(), pieces.end(), earlier);
    }
    bool plain = found->loose.empty() && !dead_->contains(id);
    for (size_t i = 0; i < pieces.size() && plain; ++i) {
      const Piece& p = pieces[i];
      const EntryTraits traits = p.listed != nullptr ? ListedTraits(p)
                                 : p.entry.empty()   ? EntryTraits{true, true}
                                                     : TraitsOf(p.entry);
      *dense = *dense && traits.dense;
      plain = traits.floats && (i == 0 || pieces[i - 1].times->back() < p.times->front());
    }
    return plain;
  }

  // False if it must be decoded here and a stripe of it was not read.
  bool FillStored(SeriesId id, Found* found, StoredRow* row) {
    bool dense = true;
    bool plain = IsPlain(id, found, &dense);
    for (const Piece& p : found->pieces) {
      plain = plain && std::none_of(p.values.begin(), p.values.end(), IsStale) && AddStored(p, row);
    }
    if (plain) return true;
    bool here = true;
    for (const Piece& p : found->pieces) {
      if (p.listed == nullptr) continue;
      must_read_.insert(stored_->stripes[p.stripe].id[0]);
      here = false;
    }
    if (!here) return false;
    row->pieces.clear();
    row->decoded = true;
    FillMerged(id, found, &row->row);
    row->samples = row->row.t.size();
    return true;
  }

  // False if the piece must be decoded here.
  bool AddStored(const Piece& p, StoredRow* row) {
    StoredPiece piece;
    piece.t = *p.times;
    piece.stripe = p.stripe;
    if (p.listed != nullptr) {
      if (p.picked != nullptr) piece.t = *p.picked;
      piece.offset = p.listed->offset;
      piece.bytes = p.listed->bytes;
    } else if (p.entry.empty()) {
      piece.v = p.values;
    } else if (TraitsOf(p.entry).dense) {
      piece.chunk = p.entry.substr(1);
    } else {
      Bits present;
      if (!SplitFloats(p.entry, p.times->size(), &present, &piece.chunk)) return false;
      std::vector<int64_t>& t = own_times_.emplace_back();
      for (size_t i = 0; i < p.times->size(); ++i) {
        if (present.Get(i)) t.push_back((*p.times)[i]);
      }
      piece.t = t;
    }
    if (piece.t.empty()) return true;
    if (p.stripe != StoredPiece::kNoStripe && p.listed == nullptr) {
      piece.offset = static_cast<uint32_t>(piece.chunk.data() - stored_->stripes[p.stripe].bytes.data());
      piece.bytes = static_cast<uint32_t>(piece.chunk.size());
    }
    const auto lower = std::lower_bound(piece.t.begin(), piece.t.end(), mint_);
    row->samples += static_cast<size_t>(std::upper_bound(lower, piece.t.end(), maxt_) - lower);
    row->pieces.push_back(piece);
    return true;
  }

  size_t LowerRow(const Piece& p) const {
    if (p.times->front() >= mint_) return 0;
    return static_cast<size_t>(std::lower_bound(p.times->begin(), p.times->end(), mint_) - p.times->begin());
  }
  size_t UpperRow(const Piece& p) const {
    if (p.times->back() <= maxt_) return p.times->size();
    return static_cast<size_t>(std::upper_bound(p.times->begin(), p.times->end(), maxt_) - p.times->begin());
  }

  // Every time has a float: the pieces are decoded one behind the other, and rows with the same columns share
  // their times. False if an entry is malformed.
  bool FillDense(const std::vector<Piece>& pieces, Row* row) {
    if (pieces.empty()) return true;
    const Timeline* const line = TimelineOf(pieces);
    double* const begin = values_.get() + values_used_;
    if (line != nullptr && line->thinned) {
      if (!DecodeThinned(pieces, *line, begin)) return false;
      values_used_ += line->times.size();
      row->t = line->times;
      row->v = {begin, line->times.size()};
      return true;
    }
    double* to = begin;
    for (const Piece& p : pieces) {
      // Only the first and the last piece can reach beyond the range.
      const size_t lower = LowerRow(p), upper = UpperRow(p), n = p.times->size();
      if (p.entry.empty()) {
        std::copy(p.values.data() + lower, p.values.data() + upper, to);
      } else if (upper - lower == n ? !DecodeDense(p.entry, n, to)
                                    : !DecodeDenseRange(p.entry, n, lower, upper, to)) {
        return false;
      }
      to += upper - lower;
    }
    const size_t count = static_cast<size_t>(to - begin);
    values_used_ += count;
    const std::span<const int64_t> times = line == nullptr ? std::span(*pieces[0].times) : line->times;
    row->t = times.subspan(LowerRow(pieces.front()), count);
    row->v = {begin, count};
    return true;
  }

  static bool DecodeThinned(const std::vector<Piece>& pieces, const Timeline& line, double* to) {
    for (size_t i = 0; i < pieces.size(); ++i) {
      const Piece& p = pieces[i];
      const std::span<const uint32_t> at =
          std::span(line.kept).subspan(line.first_kept[i], line.first_kept[i + 1] - line.first_kept[i]);
      if (p.entry.empty()) {
        for (size_t k = 0; k < at.size(); ++k) to[k] = p.values[at[k]];
      } else if (!at.empty() && !DecodeDenseAt(p.entry, p.times->size(), at, to)) {
        return false;
      }
      to += at.size();
    }
    return true;
  }

  // The times of the pieces, one behind the other; nullptr: those of the only piece.
  const Timeline* TimelineOf(const std::vector<Piece>& pieces) {
    if (pieces.size() == 1 && instants_.count == 0) return nullptr;
    for (auto it = timelines_.rbegin(); it != timelines_.rend(); ++it) {
      if (std::equal(it->columns.begin(), it->columns.end(), pieces.begin(), pieces.end(),
                     [](const Times& a, const Piece& b) { return a == b.times; })) {
        return &*it;
      }
    }
    Timeline& made = timelines_.emplace_back();
    for (const Piece& p : pieces) made.columns.push_back(p.times);
    if (instants_.count > 0 && made.Thin(instants_, mint_, maxt_)) return &made;
    for (const Piece& p : pieces) made.times.insert(made.times.end(), p.times->begin(), p.times->end());
    return &made;
  }

  // Floats and stale markers with gaps: a row with times of its own.
  void FillPlain(const std::vector<Piece>& pieces, Row* row) {
    std::vector<int64_t>& t = own_times_.emplace_back();
    std::vector<double>& v = own_values_.emplace_back();
    SeriesRows rows;
    for (const Piece& p : pieces) {
      const bool decoded = p.entry.empty();
      if (!decoded && !DecodeEntry(p.entry, p.times->size(), &rows)) continue;
      for (size_t i = LowerRow(p); i < UpperRow(p); ++i) {
        const bool stale = !decoded && rows.stale.Get(i);
        if (!decoded && !stale && !rows.present.Get(i)) continue;
        t.push_back((*p.times)[i]);
        v.push_back(decoded ? p.values[i] : stale ? StaleNan() : rows.values[i]);
      }
    }
    row->t = t;
    row->v = v;
  }

  void AppendPiece(const Piece& p, std::vector<Sample>* out) const {
    SeriesRows rows;
    const bool decoded = p.entry.empty();
    if (!decoded && !DecodeEntry(p.entry, p.times->size(), &rows)) return;
    for (size_t i = LowerRow(p); i < UpperRow(p); ++i) {
      const bool stale = !decoded && rows.stale.Get(i);
      if (!decoded && !stale && !rows.present.Get(i)) continue;
      Sample s;
      s.t = (*p.times)[i];
      if (decoded)
        s.v = p.values[i];
      else if (stale)
        s.v = StaleNan();
      else if (!rows.histograms.empty())
        s.h = rows.histograms[i];
      else
        s.v = rows.values[i];
      if (!decoded && !stale && !rows.start_t.empty()) s.start_t = rows.start_t[i];
      out->push_back(std::move(s));
    }
  }

  // Sorts, keeps the last of equal times, drops what is deleted.
  void FillMerged(SeriesId id, Found* found, Row* row) {
    std::vector<Sample> samples;
    std::sort(found->pieces.begin(), found->pieces.end(), [](const Piece& a, const Piece& b) {
      return std::pair(a.kind, a.found) < std::pair(b.kind, b.found);
    });
    for (const Piece& p : found->pieces) AppendPiece(p, &samples);
    for (Sample& s : found->loose) {
      if (s.t >= mint_ && s.t <= maxt_) samples.push_back(std::move(s));
    }
    std::stable_sort(samples.begin(), samples.end(),
                     [](const Sample& a, const Sample& b) { return a.t < b.t; });
    const auto dead = dead_->find(id);
    std::vector<int64_t>& t = own_times_.emplace_back();
    std::vector<int64_t>& start = own_times_.emplace_back();
    std::vector<int64_t>& h_start = own_times_.emplace_back();
    std::vector<double>& v = own_values_.emplace_back();
    std::vector<HistogramPoint>& h = histograms_.emplace_back();
    bool has_start = false, has_h_start = false;
    for (size_t i = 0; i < samples.size(); ++i) {
      const Sample& s = samples[i];
      if (i + 1 < samples.size() && samples[i + 1].t == s.t) continue;
      if (dead != dead_->end() &&
          std::any_of(dead->second.begin(), dead->second.end(),
                      [&](const Interval& d) { return s.t >= d.first && s.t <= d.second; })) {
        continue;
      }
      if (s.h) {
        h.push_back({s.t, s.h});
        h_start.push_back(s.start_t);
        has_h_start = has_h_start || s.start_t != 0;
        continue;
      }
      t.push_back(s.t);
      v.push_back(s.v);
      start.push_back(s.start_t);
      has_start = has_start || s.start_t != 0;
    }
    row->t = t;
    row->v = v;
    row->h = h;
    if (has_start) row->start_t = start;
    if (has_h_start) row->h_start_t = h_start;
  }

  const DbImpl* const db_;
  const std::vector<SeriesId> ids_;
  const bool grouped_ = false;
  std::vector<size_t> group_of_;
  std::vector<Labels> labels_;  // of each series; if grouped_, of each group
  const int64_t mint_, maxt_;
  const SelectHints::Instants instants_;
  const std::unique_ptr<ReadView> view_;
  const std::shared_ptr<const Tombstones> dead_;
  const std::shared_ptr<const SeriesIndex::Ranks> ranks_;
  const size_t readers_;  // of this selection
  StripeReader stripes_;

  // The current block.
  std::vector<size_t> members_;  // the series that are read piece by piece
  std::vector<SeriesId> member_ids_;
  std::vector<Found> found_;
  std::map<uint32_t, std::vector<size_t>> by_group_;  // the members in each group
  ByteArena arena_;
  StoredBlock* stored_ = nullptr;  // while ReadStored looks for pieces
  absl::flat_hash_map<uint64_t, uint32_t> stripe_places_;
  absl::flat_hash_set<uint64_t> must_read_;  // stripes of whose bytes some row has to be decoded here
  std::unique_ptr<double[]> values_;
  size_t values_size_ = 0, values_used_ = 0;
  std::list<Timeline> timelines_;
  std::list<std::vector<int64_t>> own_times_;
  std::list<std::vector<double>> own_values_;
  std::list<std::vector<HistogramPoint>> histograms_;
};

}  // namespace

std::unique_ptr<SeriesSet> MakeSeriesSet(const DbImpl* db, std::vector<SeriesId> ids,
                                         std::shared_ptr<const SeriesIndex::Ranks> ranks, int64_t mint,
                                         int64_t maxt, const SelectHints& hints) {
  return std::make_unique<SeriesSetImpl>(db, std::move(ids), std::move(ranks), mint, maxt, hints);
}

}  // namespace narthex::tsdb
