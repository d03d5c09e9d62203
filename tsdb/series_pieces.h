// What a series set finds of a series before its row is built.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tsdb/format/stripe.h"
#include "tsdb/stripe_directory.h"
#include "tsdb/time_columns.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

// Some samples of one series: an entry of a tile or stripe over a column of times, or values that came
// decoded from the loose head.
struct Piece {
  // Of two samples at one time, the one of the later kind counts, and of one kind the one that was found
  // later.
  enum Kind { kSealedRounds, kRounds, kSealedLoose, kLoose };
  Kind kind = kSealedRounds;
  Times times;
  std::string_view entry;      // empty: `values`
  std::vector<double> values;  // one for each time
  size_t found = 0;            // the how manieth of its series
  // For ReadStored: the stripe it is in, and if that was not read, where the entry is.
  uint32_t stripe = StoredPiece::kNoStripe;
  const StripeDirectory::Entry* listed = nullptr;
  Times picked;  // of a listed one, if not every row has a value
};

// What is known of one series of the block before its row is built.
struct Found {
  std::vector<Piece> pieces;
  void Add(Piece::Kind kind, Times times, std::string_view entry, std::vector<double> values = {}) {
    pieces.push_back({kind,
                      std::move(times),
                      entry,
                      std::move(values),
                      pieces.size(),
                      StoredPiece::kNoStripe,
                      nullptr,
                      {}});
  }
  std::vector<Sample> loose;  // of the loose head, where it is no piece
};

// Of a piece whose stripe was not read.
inline EntryTraits ListedTraits(const Piece& p) {
  const bool nothing = p.picked != nullptr && p.picked->empty();
  return {p.picked == nullptr, p.listed->bytes > 0 || nothing};
}

// Bytes that stay where they are until the block is done.
class ByteArena {
 public:
  std::string_view Copy(std::string_view bytes) {
    if (chunks_.empty() || used_ + bytes.size() > chunks_.back().size()) {
      chunks_.emplace_back(std::max(kChunk, bytes.size()), '\0');
      used_ = 0;
    }
    char* to = chunks_.back().data() + used_;
    bytes.copy(to, bytes.size());
    used_ += bytes.size();
    return {to, bytes.size()};
  }
  void Clear() {
    if (chunks_.size() > 1) chunks_.resize(1);
    used_ = 0;
  }

 private:
  static constexpr size_t kChunk = 64 << 10;
  std::vector<std::string> chunks_;  // on the heap: their bytes stay where they are
  size_t used_ = 0;
};

}  // namespace narthex::tsdb
