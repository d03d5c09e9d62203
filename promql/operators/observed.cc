#include "promql/operators/observed.h"

#include <algorithm>
#include <cassert>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::promql {
namespace {

class Observed final : public Operator {
 public:
  Observed(OperatorPtr inner, QueryState* state, int steps)
      : inner_(std::move(inner)), state_(state), steps_(steps) {}
  ~Observed() override { Release(); }

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    assert(stage_ == Stage::kNew && "Series() comes once, and first");
    stage_ = Stage::kReading;
    Stopwatch watch(this);
    ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* series, inner_->Series());
    series_ = series->size();
    RETURN_IF_ERROR(ChargeBatch());
    return series;
  }

  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    assert(stage_ == Stage::kNew && "TakeSeries() comes once, and first");
    stage_ = Stage::kReading;
    Stopwatch watch(this);
    ASSIGN_OR_RETURN(std::vector<SeriesMeta> series, inner_->TakeSeries());
    series_ = series.size();
    RETURN_IF_ERROR(ChargeBatch());
    return series;
  }

  absl::StatusOr<bool> TakeGroups(Groups* groups) override {
    assert(stage_ == Stage::kNew && "TakeGroups() comes once, and first");
    Stopwatch watch(this);
    ASSIGN_OR_RETURN(bool grouped, inner_->TakeGroups(groups));
    if (!grouped) return false;
    stage_ = Stage::kReading;
    series_ = groups->of.size();
    RETURN_IF_ERROR(ChargeBatch());
    return true;
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    assert(stage_ == Stage::kReading && "Next() comes after Series(), until it answers false");
    Stopwatch watch(this);
    ASSIGN_OR_RETURN(bool more, inner_->Next(batch));
    if (!more) stage_ = Stage::kDone;
    if (more && state_->profile) Count(*batch);
    return more;
  }

  void Close() override {
    stage_ = Stage::kClosed;
    inner_->Close();
    Release();
  }

  bool SeriesDiffer() const override { return inner_->SeriesDiffer(); }
  void LetNamesStay() override { inner_->LetNamesStay(); }

  void Explain(int depth, std::string* out) const override {
    size_t begin = out->size();
    inner_->Explain(depth, out);
    size_t end = out->find('\n', begin);
    if (!state_->profile || end == std::string::npos) return;
    out->insert(end, StrCat("  [series=", series_, " samples=", samples_, " batch_bytes=", BatchBytes(),
                            " time=", FormatFloat(static_cast<double>(ns_) / 1e6, 'f', 3), "ms]"));
  }

 private:
  enum class Stage { kNew, kReading, kDone, kClosed };

  // Adds the time of one call, its children's included.
  class Stopwatch {
   public:
    explicit Stopwatch(Observed* owner)
        : owner_(owner), begin_(owner->state_->profile ? owner->state_->clock->MonotonicNs() : 0) {}
    ~Stopwatch() {
      if (owner_->state_->profile) owner_->ns_ += owner_->state_->clock->MonotonicNs() - begin_;
    }

   private:
    Observed* owner_;
    int64_t begin_;
  };

  int64_t BatchBytes() const {
    constexpr size_t kCellBytes = sizeof(double) + sizeof(uint8_t);
    return static_cast<int64_t>(std::min(series_, kBatchSeries) * static_cast<size_t>(steps_) * kCellBytes);
  }

  absl::Status ChargeBatch() {
    if (state_->budget == nullptr) return absl::OkStatus();
    RETURN_IF_ERROR(state_->budget->Charge(BatchBytes()));
    charged_ = BatchBytes();
    return absl::OkStatus();
  }

  void Release() {
    if (charged_ > 0) state_->budget->Release(charged_);
    charged_ = 0;
  }

  void Count(const Batch& batch) {
    for (size_t r = 0; r < batch.series(); ++r) {
      const Batch::Cell* cells = batch.cells(r);
      samples_ += steps_ - std::count(cells, cells + steps_, Batch::kEmpty);
    }
  }

  OperatorPtr inner_;
  QueryState* state_;
  int steps_;
  Stage stage_ = Stage::kNew;
  size_t series_ = 0;
  int64_t samples_ = 0, ns_ = 0, charged_ = 0;
};

}  // namespace

OperatorPtr NewObserved(OperatorPtr inner, QueryState* state, int steps) {
  return std::make_unique<Observed>(std::move(inner), state, steps);
}

}  // namespace narthex::promql
