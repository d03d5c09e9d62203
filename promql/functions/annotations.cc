#include <algorithm>
#include <utility>

#include "promql/functions/call.h"

namespace narthex::promql {

namespace {

// Operands are evaluated from left to right, and all of them before what they belong to.
bool IsLater(PositionRange a, PositionRange b) {
  if (a.start <= b.start && a.end >= b.end) return true;
  if (b.start <= a.start && b.end >= a.end) return false;
  return a.start > b.start;
}

void Merge(const FallingBuckets& more, FallingBuckets* all) {
  all->min_bucket = std::min(all->min_bucket, more.min_bucket);
  all->max_bucket = std::max(all->max_bucket, more.max_bucket);
  all->max_diff = std::max(all->max_diff, more.max_diff);
  all->first_ms = std::min(all->first_ms, more.first_ms);
  all->last_ms = std::max(all->last_ms, more.last_ms);
  all->count += more.count;
}

}  // namespace

void Annotations::Add(Entry entry) {
  const auto known = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& other) { return other.text == entry.text; });
  if (known == entries_.end()) {
    entries_.push_back(std::move(entry));
    return;
  }
  if (IsLater(entry.node, known->node) != entry.falling.has_value()) {
    known->pos = entry.pos;
    known->node = entry.node;
  }
  if (entry.falling.has_value() && known->falling.has_value()) Merge(*entry.falling, &*known->falling);
}

}  // namespace narthex::promql
