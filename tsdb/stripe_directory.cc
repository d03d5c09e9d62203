#include "tsdb/stripe_directory.h"

#include <algorithm>
#include <utility>

#include "tsdb/format/bytes.h"
#include "tsdb/memory.h"

namespace narthex::tsdb {
namespace {

// The rows of an entry that have a value; false where the stripe itself must be asked.
bool PickRows(const StripeView::Entry& entry, const std::vector<int64_t>& times, std::string_view* chunk,
              std::vector<int64_t>* picked) {
  Bits present;
  if (!TraitsOf(entry.bytes).floats || !SplitFloats(entry.bytes, times.size(), &present, chunk)) return false;
  for (size_t i = 0; i < times.size(); ++i) {
    if (present.Get(i)) picked->push_back(times[i]);
  }
  return true;
}

}  // namespace

// Columns are mostly shared with the other stripes of their group: each counts its part.
size_t StripeDirectory::MemoryBytes() const {
  size_t all = sizeof(*this) + VectorBytes(columns) + VectorBytes(entries);
  for (const Times& column : columns) {
    all += (sizeof(*column) + VectorBytes(*column)) / static_cast<size_t>(std::max(column.use_count(), 1L));
  }
  return all;
}

uint32_t StripeChecksum(std::string_view stripe) {
  return GetFixed32(stripe.data() + stripe.size() - sizeof(uint32_t));
}

StripeDirectoryPtr ListStripe(int64_t window, const ParsedStripe& parsed, TimeColumns* columns) {
  auto out = std::make_shared<StripeDirectory>();
  out->window = window;
  out->stripe_bytes = parsed.bytes.size();
  out->checksum = StripeChecksum(parsed.bytes);
  for (const Times& column : parsed.columns) out->columns.push_back(columns->Intern(column));
  out->entries.reserve(parsed.entries.size());
  for (const StripeView::Entry& e : parsed.entries) {
    StripeDirectory::Entry& entry = out->entries.emplace_back();
    entry.series = e.series;
    entry.column = static_cast<uint16_t>(e.column);
    std::string_view chunk;
    std::vector<int64_t> picked;
    if (TraitsOf(e.bytes).dense) {
      chunk = e.bytes.substr(1);
    } else if (PickRows(e, *parsed.columns[e.column], &chunk, &picked)) {
      entry.picked = static_cast<uint16_t>(out->columns.size());
      out->columns.push_back(columns->Intern(std::move(picked)));
    } else {
      continue;
    }
    entry.offset = static_cast<uint32_t>(chunk.data() - parsed.bytes.data());
    entry.bytes = static_cast<uint32_t>(chunk.size());
  }
  out->columns.shrink_to_fit();
  return out->columns.size() < StripeDirectory::Entry::kEveryRow ? out : nullptr;
}

std::optional<StripeDirectories::List> StripeDirectories::Find(uint64_t layout, std::string_view key,
                                                               int64_t from, int64_t to) {
  MutexLock lock(&mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const Known& known = *found->second;
  if (known.layout > layout || known.from > from || known.to < to) return std::nullopt;
  known_.splice(known_.begin(), known_, found->second);
  List out;
  for (const StripeDirectoryPtr& d : known.windows) {
    if (d->window >= from && d->window <= to) out.push_back(d);
  }
  return out;
}

void StripeDirectories::Put(uint64_t layout, bool merged, std::string_view key, int64_t from, int64_t to,
                            List windows) {
  MutexLock lock(&mutex_);
  if (merged && layout < merged_since_) return;
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const Place old = found->second;
    if (old->from <= from && old->to >= to) return;
    // Ranges that move on meet what is known already.
    if (old->from <= to && old->to >= from) {
      for (const StripeDirectoryPtr& d : old->windows) {
        if (d->window < from || d->window > to) windows.push_back(d);
      }
      std::sort(windows.begin(), windows.end(),
                [](const auto& a, const auto& b) { return a->window < b->window; });
      from = std::min(from, old->from);
      to = std::max(to, old->to);
    }
    layout = std::max(layout, old->layout);
    Remove(old);
  }
  size_t bytes = sizeof(Known) + 2 * key.size() + 64 + windows.capacity() * sizeof(windows[0]);
  for (const StripeDirectoryPtr& d : windows) bytes += d->MemoryBytes();
  if (bytes > limit_) return;
  MakeRoom(bytes);
  known_.push_front({std::string(key), merged, layout, from, to, std::move(windows), bytes});
  by_key_.emplace(known_.front().key, known_.begin());
  bytes_ += bytes;
}

void StripeDirectories::ForgetMerged(uint64_t layout) {
  MutexLock lock(&mutex_);
  merged_since_ = layout;
  for (Place it = known_.begin(); it != known_.end();) {
    const Place at = it++;
    if (at->merged) Remove(at);
  }
}

void StripeDirectories::Remove(Place place) {
  bytes_ -= place->bytes;
  by_key_.erase(place->key);
  known_.erase(place);
}

void StripeDirectories::MakeRoom(size_t bytes) {
  while (!known_.empty() && bytes_ + bytes > limit_) Remove(std::prev(known_.end()));
}

void StripeDirectories::SetLimit(size_t bytes) {
  MutexLock lock(&mutex_);
  limit_ = bytes;
  MakeRoom(0);
}

size_t StripeDirectories::MemoryBytes() const {
  MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace narthex::tsdb
