#include "promql/parse_cache.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "base/status_macros.h"

namespace narthex::promql {

bool ParseCache::SeenBefore(std::string_view text) {
  const uint64_t hash = absl::HashOf(text);
  if (std::find(seen_.begin(), seen_.end(), hash) != seen_.end()) return true;
  seen_[next_seen_++ % seen_.size()] = hash;
  return false;
}

absl::StatusOr<ExprPtr> ParseCache::Parse(std::string_view text) {
  bool keep = false;
  if (text.size() <= kLongestText) {
    MutexLock lock(&mutex_);
    if (const auto known = by_text_.find(text); known != by_text_.end()) {
      entries_.splice(entries_.begin(), entries_, known->second);
      return entries_.front().tree->Clone();
    }
    keep = SeenBefore(text);
  }
  ASSIGN_OR_RETURN(ExprPtr tree, ParseExpr(text, options_));
  if (!keep) return tree;
  Entry entry{std::string(text), tree->Clone()};
  MutexLock lock(&mutex_);
  if (by_text_.contains(text)) return tree;  // somebody else was quicker
  if (entries_.size() == kMost) {
    by_text_.erase(entries_.back().text);
    entries_.pop_back();
  }
  entries_.push_front(std::move(entry));
  by_text_.emplace(entries_.front().text, entries_.begin());
  return tree;
}

size_t ParseCache::size() const {
  MutexLock lock(&mutex_);
  return entries_.size();
}

}  // namespace narthex::promql
