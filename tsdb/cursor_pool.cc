#include "tsdb/cursor_pool.h"

#include <utility>

namespace narthex::tsdb {

std::unique_ptr<Cursor> CursorPool::Take(Family family, uint64_t layout) {
  std::vector<Idle> old;  // ends after the lock
  MutexLock lock(&mutex_);
  std::unique_ptr<Cursor> found;
  for (size_t i = idle_.size(); i-- > 0;) {
    const bool same = idle_[i].layout == layout;
    if (same && (found != nullptr || idle_[i].family != family)) continue;
    if (same)
      found = std::move(idle_[i].cursor);
    else if (idle_[i].layout < layout)
      old.push_back(std::move(idle_[i]));
    else
      continue;
    idle_.erase(idle_.begin() + static_cast<ptrdiff_t>(i));
  }
  return found;
}

void CursorPool::Give(Family family, uint64_t layout, std::unique_ptr<Cursor> cursor) {
  if (cursor == nullptr || !cursor->status().ok()) return;
  MutexLock lock(&mutex_);
  if (idle_.size() < kMost) idle_.push_back({family, layout, std::move(cursor)});
}

void CursorPool::Clear() {
  std::vector<Idle> old;
  MutexLock lock(&mutex_);
  old.swap(idle_);
}

}  // namespace narthex::tsdb
