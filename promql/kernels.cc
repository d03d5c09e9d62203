// Compiled once for each instruction set; the best one that the machine has is taken at run time.
#include "promql/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "promql/kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/kahan_sum.h"
#include "model/sample.h"

HWY_BEFORE_NAMESPACE();
namespace narthex::promql {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<double>;
using Vec = hn::Vec<D>;

size_t Drops(const double* v, size_t n, uint32_t* at) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t found = 0, i = 1;
  const auto scan = [&](size_t end) {
    for (; i < end; ++i) {
      at[found] = static_cast<uint32_t>(i);
      found += v[i] < v[i - 1] ? 1 : 0;
    }
  };
  while (i + 4 * lanes <= n) {
    auto any = hn::Lt(hn::LoadU(d, v + i), hn::LoadU(d, v + i - 1));
    for (size_t k = 1; k < 4; ++k) {
      any = hn::Or(any, hn::Lt(hn::LoadU(d, v + i + k * lanes), hn::LoadU(d, v + i + k * lanes - 1)));
    }
    if (hn::AllFalse(d, any))
      i += 4 * lanes;
    else
      scan(i + 4 * lanes);
  }
  scan(n);
  return found;
}

bool HasStale(const double* v, size_t n) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto stale = hn::Set(du, kStaleNanBits);
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  auto any = hn::Ne(stale, stale);
  for (; i + lanes <= n; i += lanes) any = hn::Or(any, hn::Eq(hn::BitCast(du, hn::LoadU(d, v + i)), stale));
  if (!hn::AllFalse(du, any)) return true;
  for (; i < n; ++i) {
    if (IsStale(v[i])) return true;
  }
  return false;
}

// Below this, products lose so many bits that the quick test for the limit at zero would be wrong.
constexpr double kTiny = 1e-290;

double LimitedRate(const RateSteps& s, size_t i, double first, double change) {
  const double to_zero = s.sampled[i] * (first / change);
  if (!(to_zero < s.to_start[i])) return change * s.factor[i];
  const double factor = (s.sampled[i] + to_zero + s.to_end[i]) / s.sampled[i];
  return change * (s.range_seconds > 0 ? factor / s.range_seconds : factor);
}

void Rates(const RateSteps& s, const double* first, const double* change, double* out) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const Vec zero = hn::Zero(d), guard = hn::Set(d, 1.0001), tiny = hn::Set(d, kTiny);
  size_t i = 0;
  const auto one = [&](size_t k) {
    const double r = change[k];
    out[k] = s.is_counter && r > 0 && first[k] >= 0 ? LimitedRate(s, k, first[k], r) : r * s.factor[k];
  };
  for (; i + lanes <= s.n; i += lanes) {
    const Vec r = hn::LoadU(d, change + i), f = hn::LoadU(d, first + i);
    if (s.is_counter) {
      // Without a division: could the limit apply at all?
      const auto near = hn::Lt(hn::Mul(hn::LoadU(d, s.sampled + i), f),
                               hn::Mul(hn::Mul(hn::LoadU(d, s.to_start + i), r), guard));
      const auto limited = hn::And(hn::And(hn::Gt(r, zero), hn::Ge(f, zero)), hn::Or(near, hn::Lt(r, tiny)));
      if (HWY_UNLIKELY(!hn::AllFalse(d, limited))) {
        for (size_t k = i; k < i + lanes; ++k) one(k);
        continue;
      }
    }
    hn::StoreU(hn::Mul(r, hn::LoadU(d, s.factor + i)), d, out + i);
  }
  for (; i < s.n; ++i) one(i);
}

// One step of the sum without a look at infinities: those make *low NaN.
HWY_INLINE void Neumaier(Vec v, Vec* sum, Vec* low) {
  const Vec total = hn::Add(*sum, v);
  const auto sum_larger = hn::Ge(hn::Abs(*sum), hn::Abs(v));
  const Vec large = hn::IfThenElse(sum_larger, *sum, v), small = hn::IfThenElse(sum_larger, v, *sum);
  *low = hn::Add(*low, hn::Add(hn::Sub(large, total), small));
  *sum = total;
}

void Add(const double* v, size_t n, double* sum, double* low) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const Vec inf = hn::Set(d, std::numeric_limits<double>::infinity());
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    Vec s = hn::LoadU(d, sum + i), l = hn::LoadU(d, low + i);
    Neumaier(hn::LoadU(d, v + i), &s, &l);
    l = hn::IfThenZeroElse(hn::Eq(hn::Abs(s), inf), l);
    hn::StoreU(s, d, sum + i);
    hn::StoreU(l, d, low + i);
  }
  for (; i < n; ++i) KahanAdd(v[i], &sum[i], &low[i]);
}

bool AddFinite(const double* v, size_t n, double* sum, double* low) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const Vec inf = hn::Set(d, std::numeric_limits<double>::infinity());
  size_t i = 0;
  auto finite = hn::Eq(inf, inf);
  for (; i + lanes <= n; i += lanes) {
    finite = hn::And(finite, hn::Lt(hn::Abs(hn::Add(hn::LoadU(d, sum + i), hn::LoadU(d, v + i))), inf));
  }
  if (!hn::AllTrue(d, finite)) return false;
  for (; i < n; ++i) {
    if (!std::isfinite(sum[i] + v[i])) return false;
  }
  Add(v, n, sum, low);
  return true;
}

struct Greater {
  HWY_INLINE auto operator()(Vec a, Vec b) const { return hn::Gt(a, b); }
  bool operator()(double a, double b) const { return a > b; }
};
struct Less {
  HWY_INLINE auto operator()(Vec a, Vec b) const { return hn::Lt(a, b); }
  bool operator()(double a, double b) const { return a < b; }
};

template <typename Beats>
HWY_INLINE Vec Better(Beats beats, Vec v, Vec best) {
  return hn::IfThenElse(hn::Or(beats(v, best), hn::IsNaN(best)), v, best);
}
template <typename Beats>
double Better(Beats beats, double v, double best) {
  return beats(v, best) || std::isnan(best) ? v : best;
}

template <typename Beats>
void Best(const double* v, size_t n, double* best) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const Beats beats;
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(Better(beats, hn::LoadU(d, v + i), hn::LoadU(d, best + i)), d, best + i);
  }
  for (; i < n; ++i) best[i] = Better(beats, v[i], best[i]);
}

// The values so that neighbouring windows have neighbouring values: value j of window k is at
// Column(j)[k].
class Columns {
 public:
  Columns(const double* v, size_t n, size_t stride, size_t width, double* scratch)
      : stride_(stride), length_(stride == 1 ? 0 : n + width / stride + 1), base_(stride == 1 ? v : scratch) {
    if (stride == 1) return;
    const size_t end = (n - 1) * stride + width;
    for (size_t phase = 0; phase < stride && phase < end; ++phase) {
      double* to = scratch + phase * length_;
      for (size_t i = phase; i < end; i += stride) *to++ = v[i];
    }
  }
  // Walks over the columns j = 0, 1, ...
  class Cursor {
   public:
    explicit Cursor(const Columns& c) : stride_(c.stride_), length_(c.length_), row_(c.base_), at_(c.base_) {}
    const double* at() const { return at_; }
    void Next() {
      at_ += length_;
      if (++phase_ < stride_) return;
      phase_ = 0;
      at_ = ++row_;
    }

   private:
    const size_t stride_, length_;
    const double *row_, *at_;
    size_t phase_ = 0;
  };

 private:
  const size_t stride_, length_;
  const double* const base_;
};

// KahanAdd without its comparison: what rounding lost is exact either way, and so are the bits.
HWY_INLINE void AddExactly(Vec v, Vec* sum, Vec* low) {
  const Vec total = hn::Add(*sum, v);
  const Vec added = hn::Sub(total, *sum);
  const Vec lost = hn::Add(hn::Sub(*sum, hn::Sub(total, added)), hn::Sub(v, added));
  *low = hn::Add(*low, lost);
  *sum = total;
}

void WindowSums(const double* v, size_t n, size_t stride, size_t width, double* scratch, double* sum,
                double* low) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const Columns columns(v, n, stride, width, scratch);
  size_t k = 0;
  // Four vectors at a time hide the latency of the additions.
  for (; k + 4 * lanes <= n; k += 4 * lanes) {
    Columns::Cursor c(columns);
    const double* at = c.at() + k;
    Vec s0 = hn::LoadU(d, at), s1 = hn::LoadU(d, at + lanes);
    Vec s2 = hn::LoadU(d, at + 2 * lanes), s3 = hn::LoadU(d, at + 3 * lanes);
    Vec l0 = hn::Zero(d), l1 = l0, l2 = l0, l3 = l0;
    for (size_t j = 1; j < width; ++j) {
      c.Next();
      at = c.at() + k;
      AddExactly(hn::LoadU(d, at), &s0, &l0);
      AddExactly(hn::LoadU(d, at + lanes), &s1, &l1);
      AddExactly(hn::LoadU(d, at + 2 * lanes), &s2, &l2);
      AddExactly(hn::LoadU(d, at + 3 * lanes), &s3, &l3);
    }
    hn::StoreU(s0, d, sum + k);
    hn::StoreU(s1, d, sum + k + lanes);
    hn::StoreU(s2, d, sum + k + 2 * lanes);
    hn::StoreU(s3, d, sum + k + 3 * lanes);
    hn::StoreU(l0, d, low + k);
    hn::StoreU(l1, d, low + k + lanes);
    hn::StoreU(l2, d, low + k + 2 * lanes);
    hn::StoreU(l3, d, low + k + 3 * lanes);
  }
  for (; k < n && n >= lanes; k += lanes) {
    k = std::min(k, n - lanes);  // the last ones reach back into those before
    Columns::Cursor c(columns);
    Vec s0 = hn::LoadU(d, c.at() + k), l0 = hn::Zero(d);
    for (size_t j = 1; j < width; ++j) {
      c.Next();
      AddExactly(hn::LoadU(d, c.at() + k), &s0, &l0);
    }
    hn::StoreU(s0, d, sum + k);
    hn::StoreU(l0, d, low + k);
  }
  for (; k < n; ++k) {
    const double* w = v + k * stride;
    sum[k] = w[0];
    low[k] = 0;
    for (size_t j = 1; j < width; ++j) KahanAdd(w[j], &sum[k], &low[k]);
  }
}

template <typename Beats>
void WindowBest(const double* v, size_t n, size_t stride, size_t width, double* scratch, double* best) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const Columns columns(v, n, stride, width, scratch);
  const Beats beats;
  size_t k = 0;
  for (; k < n && n >= lanes; k += lanes) {
    k = std::min(k, n - lanes);
    Columns::Cursor c(columns);
    Vec b = hn::LoadU(d, c.at() + k);
    for (size_t j = 1; j < width; ++j) {
      c.Next();
      b = Better(beats, hn::LoadU(d, c.at() + k), b);
    }
    hn::StoreU(b, d, best + k);
  }
  for (; k < n; ++k) {
    const double* w = v + k * stride;
    best[k] = w[0];
    for (size_t j = 1; j < width; ++j) best[k] = Better(beats, w[j], best[k]);
  }
}

}  // namespace

void FillKernels(Kernels* out) {
  *out = {Drops,
          HasStale,
          Rates,
          Add,
          AddFinite,
          Best<Greater>,
          Best<Less>,
          WindowSums,
          WindowBest<Greater>,
          WindowBest<Less>};
}

}  // namespace HWY_NAMESPACE
}  // namespace narthex::promql
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace narthex::promql {

HWY_EXPORT(FillKernels);

const Kernels& MachineKernels() {
  static const Kernels kernels = [] {
    Kernels out;
    HWY_DYNAMIC_DISPATCH(FillKernels)(&out);
    return out;
  }();
  return kernels;
}

std::vector<std::pair<std::string, Kernels>> AllKernels() {
  std::vector<std::pair<std::string, Kernels>> out;
  for (int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0; targets &= targets - 1) {
    const int64_t target = targets & -targets;
    hwy::SetSupportedTargetsForTest(target);
    HWY_DYNAMIC_DISPATCH(FillKernels)(&out.emplace_back(hwy::TargetName(target), Kernels{}).second);
  }
  hwy::SetSupportedTargetsForTest(0);
  return out;
}

}  // namespace narthex::promql
#endif
