// Queries that come again and again are parsed once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "promql/syntax/ast.h"
#include "promql/syntax/parser.h"

namespace narthex::promql {

// Owned by the engine. Thread-safe. Keeps the trees of texts that it was asked for more than once, the last
// few of them: dashboards ask the same at every refresh, and a copy of a tree costs a quarter of a new one,
// much less where there are regular expressions, which copies share.
class ParseCache {
 public:
  static constexpr size_t kMost = 32, kLongestText = 1000;

  explicit ParseCache(const ParserOptions& options) : options_(options) {}
  // A tree for the caller to change.
  absl::StatusOr<ExprPtr> Parse(std::string_view text);
  size_t size() const;

 private:
  struct Entry {
    std::string text;
    ExprPtr tree;
  };
  bool SeenBefore(std::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ParserOptions options_;
  mutable Mutex mutex_;
  std::array<uint64_t, kMost> seen_ ABSL_GUARDED_BY(mutex_) = {};  // hashes of texts that were parsed once
  size_t next_seen_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // the one used last in front
  absl::flat_hash_map<std::string_view, std::list<Entry>::iterator> by_text_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace narthex::promql
