// Rows of the selected series, read from a view that was pinned when the set was made.
#include <algorithm>
#include <deque>
#include <limits>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/stripe.h"
#include "tsdb/querier.h"
#include "tsdb/stripe_reader.h"

namespace narthex::tsdb {
namespace {

// Some samples of one series: an entry of a tile or stripe over a column of times, or values that came
// decoded from the loose head.
struct Piece {
  // Of two samples at one time, the one of the later kind counts, and of one kind the one that was found
  // later.
  enum Kind { kSealedRounds, kRounds, kSealedLoose, kLoose };
  Kind kind = kSealedRounds;
  Times times;
  std::string_view entry;      // empty: `values`
  std::vector<double> values;  // one for each time
  size_t found = 0;            // the how manieth of its series
  uint32_t stripe = StoredPiece::kNoStripe;
};

// What is known of one series of the block before its row is built.
struct Found {
  std::vector<Piece> pieces;
  void Add(Piece::Kind kind, Times times, std::string_view entry, std::vector<double> values = {}) {
    pieces.push_back(
        {kind, std::move(times), entry, std::move(values), pieces.size(), StoredPiece::kNoStripe});
  }
  std::vector<Sample> loose;  // of the loose head, where it is no piece
};

// Bytes that stay where they are until the block is done.
class ByteArena {
 public:
  std::string_view Copy(std::string_view bytes) {
    if (chunks_.empty() || used_ + bytes.size() > chunks_.back().size()) {
      chunks_.emplace_back(std::max(kChunk, bytes.size()), '\0');
      used_ = 0;
    }
    char* to = chunks_.back().data() + used_;
    bytes.copy(to, bytes.size());
    used_ += bytes.size();
    return {to, bytes.size()};
  }
  void Clear() {
    if (chunks_.size() > 1) chunks_.resize(1);
    used_ = 0;
  }

 private:
  static constexpr size_t kChunk = 64 << 10;
  std::deque<std::string> chunks_;
  size_t used_ = 0;
};

class SeriesSetImpl : public SeriesSet {
 public:
  SeriesSetImpl(const DbImpl* db, std::vector<SeriesId> ids, std::shared_ptr<const SeriesIndex::Ranks> ranks,
                int64_t mint, int64_t maxt)
      : db_(db),
        ids_(std::move(ids)),
        labels_(db->index_.LabelsOf(ids_)),
        mint_(mint),
        maxt_(maxt),
        view_(db->Pin(ids_, mint, maxt)),
        dead_(view_->dead),
        stripes_(view_.get(), std::move(ranks), [db](int64_t window, uint32_t group, uint32_t stripe) {
          db->NoteCorruptStripe(window, group, stripe);
        }) {}

  size_t size() const override { return ids_.size(); }
  const Labels& labels(size_t i) const override { return labels_[i]; }
  Labels TakeLabels(size_t i) override { return std::move(labels_[i]); }

  absl::Status ReadBlock(size_t first, size_t count, std::vector<Row>* rows) override {
    rows->assign(count, Row{});
    RETURN_IF_ERROR(Find(first, count));
    for (size_t i = 0; i < count; ++i) FillRow(ids_[first + i], &found_[i], &(*rows)[i]);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> ReadStored(size_t first, size_t count, StoredBlock* block) override {
    block->rows.assign(count, StoredRow{});
    block->stripes.clear();
    stored_ = block;
    const absl::Status status = Find(first, count);
    stored_ = nullptr;
    RETURN_IF_ERROR(status);
    for (size_t i = 0; i < count; ++i) FillStored(ids_[first + i], &found_[i], &block->rows[i]);
    return true;
  }

 private:
  // The pieces of the series of a block.
  absl::Status Find(size_t first, size_t count) {
    Clear(count);
    if (first + count > ids_.size()) return absl::OutOfRangeError("block past the end of the series set");
    if (mint_ > maxt_) return absl::OkStatus();
    const std::span<const SeriesId> ids = std::span(ids_).subspan(first, count);
    ReadLooseHead(ids);
    ReadGroupHeads(ids);
    ReadStripes(ids);
    if (stored_ == nullptr) Reserve();
    return absl::OkStatus();
  }

  void Clear(size_t count) {
    found_.resize(count);
    for (Found& f : found_) {  // what they hold goes, their room stays
      f.pieces.clear();
      f.loose.clear();
    }
    by_group_.clear();
    arena_.Clear();
    stripe_places_.clear();
    timelines_.clear();
    own_times_.clear();
    own_values_.clear();
    histograms_.clear();
    values_used_ = 0;
  }

  void ReadLooseHead(std::span<const SeriesId> ids) {
    std::vector<int64_t> times;
    std::vector<double> values;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (!db_->ReadLooseHead(*view_, ids[i], &times, &values, &found_[i].loose) || times.empty()) continue;
      if (times.back() < mint_ || times.front() > maxt_) continue;
      found_[i].Add(Piece::kLoose, stripes_.columns()->Intern(std::move(times)), {}, std::move(values));
    }
  }

  // Tiles of the groups that the series belong to.
  void ReadGroupHeads(std::span<const SeriesId> ids) {
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto places = view_->places.find(ids[i]);
      if (places == view_->places.end()) continue;
      for (const ReadView::Place& place : places->second) {
        by_group_[place.group].push_back(i);
        const auto head = view_->heads.find(place.group);
        if (head == view_->heads.end() || place.slot == ReadView::kNoSlot) continue;
        for (const TilePtr& tile : head->second.Tiles()) {
          if (tile->times.empty() || tile->times.back() < mint_ || tile->times.front() > maxt_) continue;
          const std::string_view entry = tile->Entry(place.slot);
          if (!entry.empty()) found_[i].Add(Piece::kRounds, Times(tile, &tile->times), entry);
        }
      }
    }
  }

  void ReadStripes(std::span<const SeriesId> ids) {
    const auto add = [&](Piece::Kind kind, size_t i, const StripeReader::Source& source, const Times& times,
                         std::string_view entry) {
      if (times->empty() || times->back() < mint_ || times->front() > maxt_) return;
      if (stored_ == nullptr) return found_[i].Add(kind, times, arena_.Copy(entry));
      const uint32_t stripe = KeepStripe(source, times->back());
      const size_t at = static_cast<size_t>(entry.data() - source.stripe.data());
      found_[i].Add(kind, times, stored_->stripes[stripe].bytes.substr(at, entry.size()));
      found_[i].pieces.back().stripe = stripe;
    };
    for (const auto& [group, members] : by_group_) {
      std::vector<SeriesId> mine;
      for (size_t i : members) mine.push_back(ids[i]);
      stripes_.Read(group, mine,
                    [&, &members = members](size_t k, const StripeReader::Source& source, const Times& times,
                                            std::string_view entry) {
                      add(Piece::kSealedRounds, members[k], source, times, entry);
                    });
    }
    stripes_.Read(kLooseGroup, ids,
                  [&](size_t i, const StripeReader::Source& source, const Times& times,
                      std::string_view entry) { add(Piece::kSealedLoose, i, source, times, entry); });
  }

  // A whole stripe, once in the block, under a name that comes from its key and its checksum.
  uint32_t KeepStripe(const StripeReader::Source& source, int64_t max_t) {
    const auto [place, fresh] =
        stripe_places_.try_emplace(source.id, static_cast<uint32_t>(stored_->stripes.size()));
    if (fresh) {
      StoredStripe& stripe = stored_->stripes.emplace_back();
      stripe.bytes = arena_.Copy(source.stripe);
      stripe.id[0] = source.id;
      stripe.id[1] =
          uint64_t{stripe.bytes.size()} << 32 | GetFixed32(stripe.bytes.data() + stripe.bytes.size() - 4);
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
    std::stable_sort(pieces.begin(), pieces.end(),
                     [](const Piece& a, const Piece& b) { return a.times->front() < b.times->front(); });
    bool plain = found->loose.empty() && !dead_->contains(id);
    for (size_t i = 0; i < pieces.size() && plain; ++i) {
      const Piece& p = pieces[i];
      const EntryTraits traits = p.entry.empty() ? EntryTraits{true, true} : TraitsOf(p.entry);
      *dense = *dense && traits.dense;
      plain = traits.floats && (i == 0 || pieces[i - 1].times->back() < p.times->front());
    }
    return plain;
  }

  void FillStored(SeriesId id, Found* found, StoredRow* row) {
    bool dense = true;
    bool plain = IsPlain(id, found, &dense);
    for (const Piece& p : found->pieces) {
      plain = plain && std::none_of(p.values.begin(), p.values.end(), IsStale) && AddStored(p, row);
    }
    if (plain) return;
    row->pieces.clear();
    row->decoded = true;
    FillMerged(id, found, &row->row);
    row->samples = row->row.t.size();
  }

  // False if the piece must be decoded here.
  bool AddStored(const Piece& p, StoredRow* row) {
    StoredPiece piece;
    piece.t = *p.times;
    piece.stripe = p.stripe;
    if (p.entry.empty()) {
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
    double* const begin = values_.get() + values_used_;
    double* to = begin;
    for (const Piece& p : pieces) {
      if (p.entry.empty()) {
        std::copy(p.values.begin(), p.values.end(), to);
      } else if (!DecodeDense(p.entry, p.times->size(), to)) {
        return false;
      }
      to += p.times->size();
    }
    values_used_ += static_cast<size_t>(to - begin);
    // Only the first and the last piece can reach beyond the range.
    const size_t skip = LowerRow(pieces.front()), cut = pieces.back().times->size() - UpperRow(pieces.back());
    const size_t all = static_cast<size_t>(to - begin);
    row->t = TimelineOf(pieces).subspan(skip, all - skip - cut);
    row->v = std::span<const double>(begin, all).subspan(skip, all - skip - cut);
    return true;
  }

  // The times of the pieces, one behind the other.
  std::span<const int64_t> TimelineOf(const std::vector<Piece>& pieces) {
    if (pieces.size() == 1) return *pieces[0].times;
    for (auto it = timelines_.rbegin(); it != timelines_.rend(); ++it) {
      if (std::equal(it->columns.begin(), it->columns.end(), pieces.begin(), pieces.end(),
                     [](const Times& a, const Piece& b) { return a == b.times; })) {
        return it->times;
      }
    }
    Timeline& made = timelines_.emplace_back();
    for (const Piece& p : pieces) {
      made.columns.push_back(p.times);
      made.times.insert(made.times.end(), p.times->begin(), p.times->end());
    }
    return made.times;
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
  std::vector<Labels> labels_;
  const int64_t mint_, maxt_;
  const std::unique_ptr<ReadView> view_;
  const std::shared_ptr<const Tombstones> dead_;
  StripeReader stripes_;

  // The current block.
  struct Timeline {
    std::vector<Times> columns;
    std::vector<int64_t> times;
  };
  std::vector<Found> found_;
  std::map<uint32_t, std::vector<size_t>> by_group_;  // the block's series in each group
  ByteArena arena_;
  StoredBlock* stored_ = nullptr;  // while ReadStored looks for pieces
  absl::flat_hash_map<uint64_t, uint32_t> stripe_places_;
  std::unique_ptr<double[]> values_;
  size_t values_size_ = 0, values_used_ = 0;
  std::deque<Timeline> timelines_;
  std::deque<std::vector<int64_t>> own_times_;
  std::deque<std::vector<double>> own_values_;
  std::deque<std::vector<HistogramPoint>> histograms_;
};

}  // namespace

std::unique_ptr<SeriesSet> MakeSeriesSet(const DbImpl* db, std::vector<SeriesId> ids,
                                         std::shared_ptr<const SeriesIndex::Ranks> ranks, int64_t mint,
                                         int64_t maxt) {
  return std::make_unique<SeriesSetImpl>(db, std::move(ids), std::move(ranks), mint, maxt);
}

}  // namespace narthex::tsdb
