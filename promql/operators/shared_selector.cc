#include "promql/operators/shared_selector.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/operators/selectors.h"

namespace narthex::promql {

// What the readers have in common. Owned by them; used by one thread.
class SharedRead {
 public:
  SharedRead(const Expr& e, QueryState* state, Steps steps, const std::function<OperatorPtr()>& make)
      : e_(e), state_(state), columns_(static_cast<size_t>(steps.count)), held_(state) {
    // Every reader counts the samples as if it had read them.
    SampleCounts* const outer = state->counts;
    counts_ = state->NewCounts();
    counts_->per_step.assign(outer->per_step.size(), 0);
    source_ = make();
    state->counts = outer;
  }

  size_t Join() {
    at_.push_back(0);
    return at_.size() - 1;
  }

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() {
    if (series_ == nullptr) {
      ASSIGN_OR_RETURN(series_, source_->Series());
    }
    return series_;
  }
  bool opened() const { return series_ != nullptr; }
  bool SeriesDiffer() const { return source_->SeriesDiffer(); }
  // Nobody else gets any of it.
  void KeepOnly(size_t reader) {
    for (size_t i = 0; i < at_.size(); ++i) {
      if (i != reader) at_[i] = kLeft;
    }
  }
  // After Series().
  bool IsSmall() const {
    constexpr size_t kMostBytes = 1 << 20, kCellBytes = sizeof(double) + sizeof(Batch::Cell);
    return series_->size() * columns_ * kCellBytes <= kMostBytes;
  }

  // What `reader` stands for is `e`.
  absl::StatusOr<bool> Next(size_t reader, const Expr& e, Batch* batch, SampleCounts* counts) {
    const size_t at = at_[reader];
    if (at == first_ + kept_.size()) {
      ASSIGN_OR_RETURN(bool more, ReadOn());
      if (!more) return false;
    }
    Kept& kept = kept_[at - first_];
    counts->Add(kept.counts.per_step, kept.counts.total);
    for (const Annotations::Entry& entry : kept.annotations.entries()) {
      Annotations::Entry placed = entry;
      placed.pos = PlaceIn(e, entry.pos);
      placed.node = PlaceIn(e, entry.node);
      state_->annotations.Add(std::move(placed));
    }
    ++at_[reader];
    if (Slowest() > at)
      std::swap(*batch, kept.batch);
    else
      *batch = kept.batch;
    Trim();
    return true;
  }

  void Leave(size_t reader) {
    at_[reader] = kLeft;
    Trim();
    if (Slowest() == kLeft) source_->Close();
  }

 private:
  static constexpr size_t kLeft = SIZE_MAX;
  struct Kept {
    Batch batch;
    SampleCounts counts;
    Annotations annotations;
    int64_t held = 0;
  };

  // Annotations point into the expression that was read; the others have the same text elsewhere.
  PositionRange PlaceIn(const Expr& e, PositionRange pos) const {
    const auto same = [&pos](PositionRange other) {
      return other.start == pos.start && other.end == pos.end;
    };
    if (!e_.children.empty() && same(ArgumentPosition(*e_.children[0])))
      return ArgumentPosition(*e.children[0]);
    return same(e_.pos) ? e.pos : pos;
  }

  absl::StatusOr<bool> ReadOn() {
    if (done_) return false;
    Kept kept;
    std::swap(state_->annotations, kept.annotations);
    absl::StatusOr<bool> more = source_->Next(&kept.batch);
    std::swap(state_->annotations, kept.annotations);
    RETURN_IF_ERROR(more.status());
    if (!*more) {
      done_ = true;
      return false;
    }
    kept.counts = *counts_;
    counts_->total = 0;
    std::fill(counts_->per_step.begin(), counts_->per_step.end(), 0);
    if (at_.size() > 1) {
      // Of a range function the samples of all windows were counted; only its values are kept.
      const int64_t cells = static_cast<int64_t>(kept.batch.series() * columns_);
      kept.held = std::min(cells, kept.counts.total);
      RETURN_IF_ERROR(held_.Add(kept.held));
    }
    kept_.push_back(std::move(kept));
    return true;
  }

  size_t Slowest() const { return *std::min_element(at_.begin(), at_.end()); }

  void Trim() {
    for (const size_t slowest = Slowest(); !kept_.empty() && first_ < slowest; ++first_) {
      held_.Release(kept_.front().held);
      kept_.pop_front();
    }
  }

  const Expr& e_;
  QueryState* const state_;
  const size_t columns_;
  OperatorPtr source_;
  SampleCounts* counts_ = nullptr;  // of the source, since its last batch
  const std::vector<SeriesMeta>* series_ = nullptr;
  std::vector<size_t> at_;  // the batch that each reader gets next; kLeft: it needs none
  std::deque<Kept> kept_;
  size_t first_ = 0;  // the number of the first that is kept
  bool done_ = false;
  HeldSamples held_;
};

namespace {

class Shared : public Operator {
 public:
  Shared(const Expr& e, QueryState* state, Steps steps, std::function<OperatorPtr()> make)
      : e_(e), state_(state), steps_(steps), make_(std::move(make)), counts_(state->counts) {
    std::weak_ptr<SharedRead>& known = state->shared_reads[e.shared_read];
    read_ = known.lock();
    if (read_ == nullptr) known = read_ = std::make_shared<SharedRead>(e, state, steps, make_);
    reader_ = read_->Join();
    series_differ_ = read_->SeriesDiffer();
  }
  ~Shared() override { Leave(); }

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    const bool first = !read_->opened();
    ASSIGN_OR_RETURN(series_, read_->Series());
    if (read_->IsSmall()) return series_;
    if (first) {
      read_->KeepOnly(reader_);
      return series_;
    }
    // Too much to be kept.
    Leave();
    SampleCounts* const planned = std::exchange(state_->counts, counts_);
    read_ = std::make_shared<SharedRead>(e_, state_, steps_, make_);
    state_->counts = planned;
    reader_ = read_->Join();
    return read_->Series();
  }

  absl::StatusOr<bool> Next(Batch* batch) override { return read_->Next(reader_, e_, batch, counts_); }
  void Close() override { Leave(); }
  bool SeriesDiffer() const override { return series_differ_; }
  void Explain(int depth, std::string* out) const override {
    const bool call = e_.kind == ExprKind::kCall;
    StrAppend(out, ExplainIndent(depth), call ? "RangeFunction " : "InstantSelector ", ToString(e_),
              ", read once\n");
  }

 private:
  void Leave() {
    if (read_ != nullptr) read_->Leave(reader_);
    read_ = nullptr;
  }

  const Expr& e_;
  QueryState* const state_;
  const Steps steps_;
  const std::function<OperatorPtr()> make_;
  SampleCounts* const counts_;
  std::shared_ptr<SharedRead> read_;
  size_t reader_ = 0;
  bool series_differ_ = false;
  const std::vector<SeriesMeta>* series_ = nullptr;
};

}  // namespace

OperatorPtr NewShared(const Expr& e, QueryState* state, Steps steps, std::function<OperatorPtr()> make) {
  return std::make_unique<Shared>(e, state, steps, std::move(make));
}

}  // namespace narthex::promql
