#include "promql/functions/changes.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "promql/functions/any_sample.h"
#include "promql/functions/start_timestamps.h"

namespace narthex::promql {

namespace {

// Where to begin in the floats and in the histograms.
struct First {
  size_t f = 0;
  size_t h = 0;
};

template <typename Point>
size_t CountUpTo(std::span<const Point> points, int64_t t) {
  auto after = std::partition_point(points.begin(), points.end(), [&](const Point& p) { return p.t <= t; });
  return static_cast<size_t>(after - points.begin());
}

// Anchored ranges begin with the last sample at or before the range, of whichever kind it is. nullopt: the
// range itself is empty.
std::optional<First> FirstSamples(const Window& window) {
  if (!window.anchored) return First();
  First first{CountUpTo(window.floats, window.start_ms), CountUpTo(window.histograms, window.start_ms)};
  if (first.f == window.floats.size() && first.h == window.histograms.size()) return std::nullopt;
  const bool any_float = first.f > 0, any_histogram = first.h > 0;
  if (any_float && (!any_histogram || window.floats[first.f - 1].t >= window.histograms[first.h - 1].t)) {
    --first.f;
  } else if (any_histogram) {
    --first.h;
  }
  return first;
}

// Counts the neighbours that differ; a step from one kind of sample to the other always counts.
template <typename Differ>
bool CountSteps(const Window& window, Differ differ, Value* out) {
  if (window.floats.empty() && window.histograms.empty()) return false;
  const std::optional<First> first = FirstSamples(window);
  if (!first.has_value()) return false;
  double count = 0;
  std::optional<AnySample> previous;
  for (size_t f = first->f, h = first->h; f < window.floats.size() || h < window.histograms.size();) {
    const bool take_float = h >= window.histograms.size() ||
                            (f < window.floats.size() && window.floats[f].t < window.histograms[h].t);
    const AnySample current = take_float ? FloatSample(window, f++) : HistogramSample(window, h++);
    if (previous.has_value()) {
      const bool other_kind = (previous->h == nullptr) != (current.h == nullptr);
      if (other_kind || differ(*previous, current)) ++count;
    }
    previous = current;
  }
  out->v = count;
  return true;
}

bool Changed(const AnySample& a, const AnySample& b) {
  if (b.h != nullptr) return !b.h->Equals(*a.h);
  return a.v != b.v && !(std::isnan(a.v) && std::isnan(b.v));
}

bool WasReset(const AnySample& a, const AnySample& b) {
  if (StartsAnew(a.start, a.t, b.start, b.t)) return true;
  return b.h != nullptr ? b.h->DetectReset(*a.h) : b.v < a.v;
}

}  // namespace

bool Changes(const Window& window, CallContext*, Value* out) { return CountSteps(window, Changed, out); }

bool Resets(const Window& window, CallContext*, Value* out) { return CountSteps(window, WasReset, out); }

}  // namespace narthex::promql
