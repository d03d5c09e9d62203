// One series by one warp: its chunks are decoded block by block into a ring of the last values, and each step
// is computed as soon as its window is complete. Nothing of the decoded row is kept beyond the ring.
#pragma once

#include "cuda/nx_decode.h"
#include "cuda/row_functions.h"
#include "cuda/warp.h"

namespace narthex::cuda {

// Where the bytes of a DevicePiece are.
struct PlacedPiece {
  const uint8_t* at = nullptr;
  uint32_t bytes = 0;
  uint32_t count : 31 = 0;
  uint32_t raw : 1 = 0;
};

enum SeriesFault : uint32_t { kFaultNone = 0, kFaultMalformed = 1, kFaultStale = 2 };

// A batch of series as the kernels see it.
struct SeriesBatch {
  promql::DevicePlan plan;
  const PlacedPiece* pieces = nullptr;
  const promql::DeviceSeries* series = nullptr;
  const StepWindow* windows = nullptr;  // [timeline][step]
  double* rows = nullptr;               // [series][step]; a stale marker where there is no result
  uint32_t* faults = nullptr;           // of all series together
  uint32_t series_count = 0;
};

// The ring must hold a window and two blocks.
NARTHEX_HD uint32_t RingFor(uint32_t widest_window) {
  uint32_t size = 128;
  while (size < widest_window + 2 * kLanes) size *= 2;
  return size;
}

// kScan: the function looks at all values of its windows.
template <typename Warp, bool kScan>
class SeriesKernel {
 public:
  template <typename T>
  using Lanes = typename Warp::template Lanes<T>;

  NARTHEX_HD SeriesKernel(const Warp& warp, const SeriesBatch& batch, const Ring& ring, uint32_t number)
      : warp_(warp),
        batch_(batch),
        ring_(ring),
        windows_(batch.windows + static_cast<uint64_t>(batch.series[number].timeline) * batch.plan.steps),
        row_(batch.rows + static_cast<uint64_t>(number) * batch.plan.steps),
        steps_(batch.plan.steps),
        range_seconds_(Seconds(batch.plan.range_ms)) {}

  // Every piece of work stands once in the code: it is large, and all of it is inlined.
  NARTHEX_HD uint32_t Run(const promql::DeviceSeries& series) {
    NextGroup();
    Lanes<double> block;
    uint32_t pieces = series.pieces;
    const PlacedPiece* piece = batch_.pieces + series.first_piece;
    for (bool more = true; more;) {
      const uint32_t n = NextBlock(&piece, &pieces, &block);
      more = n > 0;
      while (next_ < steps_ && (!more || MustCompute(n))) Compute();
      if (more) Put(block, n);
    }
    return faults_;
  }

 private:
  // The next values of the row, 32 at most; 0: there are no more.
  NARTHEX_HD uint32_t NextBlock(const PlacedPiece** piece, uint32_t* pieces, Lanes<double>* block) {
    while (at_ == piece_.count) {
      if (*pieces == 0 || faults_ != kFaultNone) return 0;
      --*pieces;
      piece_ = *(*piece)++;
      at_ = 0;
      if (piece_.count > 0 && !piece_.raw && !OpenChunk()) return Malformed();
    }
    uint32_t n = piece_.count - at_ < kLanes ? piece_.count - at_ : kLanes;
    look_for_drops_ = may_be_stale_ = true;
    if (piece_.raw) {
      const double* const values = reinterpret_cast<const double*>(piece_.at) + at_;
      warp_.Each([&](uint32_t lane) {
        if (lane < n) (*block)[lane] = values[lane];
      });
    } else if (head_.mode == kNxConstant) {
      // Nothing to decode: one value for all lanes and blocks.
      look_for_drops_ = at_ == 0;
      may_be_stale_ = at_ == 0 && head_.ordered;
      warp_.Each([&](uint32_t lane) { (*block)[lane] = power_; });
    } else {
      // What never falls as an integer never falls as a double; NaN among ordered bits do not compare.
      look_for_drops_ = at_ == 0 || head_.mode == kNxSigned;
      may_be_stale_ = head_.ordered;
      NxBlock codes;
      if (at_ == 0) n = 1;
      if (at_ > 0) {
        if (!ReadNxBlock(head_.blocks, piece_.at + piece_.bytes, n, &codes)) return Malformed();
        head_.blocks = codes.next;
      }
      current_ = Decode(codes, n, block);
    }
    at_ += n;
    return n;
  }

  NARTHEX_HD bool OpenChunk() {
    if (!ReadNxHead(piece_.at, piece_.at + piece_.bytes, &head_)) return false;
    power_ = PowerOfTen(head_.exponent);
    current_ = head_.first;
    if (head_.mode == kNxConstant) power_ = NxValue(current_, head_.ordered, power_);
    return true;
  }

  NARTHEX_HD uint32_t Malformed() {
    faults_ |= kFaultMalformed;
    return 0;
  }

  // The values of a block, and the integer behind the last one.
  NARTHEX_HD int64_t Decode(const NxBlock& codes, uint32_t n, Lanes<double>* values) {
    const bool is_signed = head_.mode == kNxSigned;
    Lanes<uint64_t> sum;
    if (IsNarrow(codes)) {
      Lanes<uint32_t> narrow;
      warp_.Each([&](uint32_t lane) {
        const uint32_t code = lane < n ? static_cast<uint32_t>(CodeOf(codes, lane)) : 0;
        narrow[lane] = is_signed ? (code >> 1) ^ (0u - (code & 1)) : code;
      });
      if (codes.mask != 0) warp_.Scan(&narrow);
      // Signed sums are below 2^31 on either side, unsigned ones below 2^31 as well.
      warp_.Each([&](uint32_t lane) {
        sum[lane] = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(narrow[lane])));
      });
    } else {
      warp_.Each([&](uint32_t lane) {
        const uint64_t code = lane < n ? CodeOf(codes, lane) : 0;
        sum[lane] = is_signed ? static_cast<uint64_t>(FromZigZag(code)) : code;
      });
      warp_.Scan(&sum);
    }
    Lanes<int64_t> ints;
    warp_.Each([&](uint32_t lane) {
      ints[lane] = static_cast<int64_t>(static_cast<uint64_t>(current_) + sum[lane] * head_.gcd);
      (*values)[lane] = NxValue(ints[lane], head_.ordered, power_);
    });
    return warp_.Broadcast(ints, n - 1);
  }

  // Whether a step must be computed before n values more come: 32 are complete, or the ring has no room.
  NARTHEX_HD bool MustCompute(uint32_t n) const {
    return have_ >= group_end_ || (have_ >= next_hi_ && have_ + n > next_lo_ + ring_.mask + 1);
  }

  // Appends n <= 32 values.
  NARTHEX_HD void Put(const Lanes<double>& block, uint32_t n) {
    if (!kScan && look_for_drops_) {
      const Lanes<double> before = warp_.Up(block, last_);
      Lanes<bool> drops;
      warp_.Each(
          [&](uint32_t lane) { drops[lane] = lane < n && have_ + lane > 0 && block[lane] < before[lane]; });
      const uint32_t found = warp_.Ballot(drops);
      if (found != 0) last_drop_ = have_ + HighestBit(found);
    }
    if (may_be_stale_) {
      Lanes<bool> stale;
      warp_.Each([&](uint32_t lane) { stale[lane] = lane < n && ToBits(block[lane]) == kStaleBits; });
      if (warp_.Ballot(stale) != 0) faults_ |= kFaultStale;
    }
    warp_.Each([&](uint32_t lane) {
      if (lane < n) ring_[have_ + lane] = block[lane];
    });
    last_ = warp_.Broadcast(block, n - 1);
    have_ += n;
    warp_.Sync();
  }

  // Computes the steps of the group whose windows are complete, 32 at most.
  NARTHEX_HD void Compute() {
    const uint32_t from = next_;
    Lanes<bool> done;
    warp_.Each([&](uint32_t lane) {
      const uint32_t step = from + lane;
      done[lane] = false;
      if (step >= steps_) return;
      const StepWindow w = windows_[step];
      if (w.hi > have_) return;
      done[lane] = true;
      if (w.lo == w.hi) {
        row_[step] = FromBits(kStaleBits);
        return;
      }
      row_[step] = kScan ? ScannedValue(batch_.plan.function, ring_, w)
                         : PickedValue(batch_.plan.function, ring_, w, last_drop_, range_seconds_);
    });
    // Windows end in the order of the steps: those that are done come first. A series with fewer values than
    // times is malformed: it must end nevertheless.
    const uint32_t count = Ones(warp_.Ballot(done));
    if (count == 0) faults_ |= kFaultMalformed;
    next_ = count == 0 ? steps_ : from + count;
    warp_.Sync();
    NextGroup();
  }

  NARTHEX_HD void NextGroup() {
    if (next_ >= steps_) return;
    const uint32_t last = next_ + kLanes - 1 < steps_ ? next_ + kLanes - 1 : steps_ - 1;
    next_lo_ = windows_[next_].lo;
    next_hi_ = windows_[next_].hi;
    group_end_ = windows_[last].hi;
  }

  const Warp& warp_;
  const SeriesBatch& batch_;
  const Ring ring_;
  const StepWindow* const windows_;
  double* const row_;
  const uint32_t steps_;
  const double range_seconds_;
  uint32_t have_ = 0;                   // values so far
  uint32_t next_ = 0;                   // the first step that is not computed
  uint32_t next_lo_ = 0, next_hi_ = 0;  // its window
  uint32_t group_end_ = 0;              // have_ at which 32 steps are complete
  uint32_t last_drop_ = 0;
  double last_ = 0;
  // The piece that is read.
  PlacedPiece piece_;
  uint32_t at_ = 0;  // values of it so far
  NxHead head_;
  int64_t current_ = 0;  // the integer behind the last value
  double power_ = 1;     // of ten, that its integers are divided by; of a constant chunk the value itself
  bool look_for_drops_ = true, may_be_stale_ = true;  // in the current block
  uint32_t faults_ = kFaultNone;
};

// What the kernel and its host double call.
template <typename Warp, bool kScan>
NARTHEX_HD void RunSeries(const Warp& warp, const SeriesBatch& batch, const Ring& ring, uint32_t number) {
  SeriesKernel<Warp, kScan> kernel(warp, batch, ring, number);
  const uint32_t faults = kernel.Run(batch.series[number]);
  if (faults == 0 || !warp.Leads()) return;
#ifdef __CUDA_ARCH__
  atomicOr(batch.faults, faults);
#else
  *batch.faults |= faults;
#endif
}

}  // namespace narthex::cuda
