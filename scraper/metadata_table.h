// What one target says of its metrics: type, help, unit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "scraper/parser.h"
#include "scraper/scraper.h"

namespace narthex::scraper {

// Written by the one thread that scrapes the target, in rounds; read by any. A page says the same in the same
// order each time, so that the entry that comes next is guessed, and nothing is looked up.
class MetadataTable {
 public:
  void BeginRound();
  // An entry of the page: kHelp, kType or kUnit.
  void Note(const ExpositionParser& parser, EntryKind kind);
  // How many entries the round has had.
  uint32_t notes() const { return static_cast<uint32_t>(cursor_); }
  // Whether the page is at entry number `first`, and it is known what the last page said there.
  bool Knows(uint32_t first, uint32_t notes) const {
    return cursor_ == first && order_.size() - cursor_ >= notes;
  }
  // The page says the same again. REQUIRES: Knows(notes(), notes)
  void Skip(uint32_t notes) { cursor_ += notes; }
  // What has changed since the last call; what was not seen for some rounds is forgotten.
  std::vector<TargetMetadata> EndRound();

  // Of one metric ("" = of all).
  std::vector<TargetMetadata> Read(const std::string& metric) const;

 private:
  struct Meta {
    TargetMetadata data;
    uint64_t last_round = 0;  // only the scraping thread looks at it; see WriteRounds
    bool changed = true;
  };
  using Metas = std::map<std::string, Meta, std::less<>>;

  static bool Says(const Meta& meta, const ExpositionParser& parser, EntryKind kind);
  // A page that says what the last one said writes nothing down: all of order_ was seen in seen_round_, and
  // what stands before the cursor in this round. Before that changes it goes to the entries.
  void WriteRounds();
  Meta* FindOrAdd(std::string_view metric) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  uint64_t round_ = 0, seen_round_ = 0;
  std::vector<std::pair<EntryKind, Meta*>> order_;  // of the last page
  size_t cursor_ = 0;
  bool changed_ = false;  // some entry is marked so
  mutable Mutex mutex_;
  Metas metas_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace narthex::scraper
