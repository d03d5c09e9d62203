#include "tsdb/stripe_reader.h"

#include <algorithm>

#include "base/status_macros.h"
#include "tsdb/format/stripe.h"

namespace narthex::tsdb {
namespace {
constexpr size_t kMaxKeptBytes = 8 << 20;
}

void StripeReader::Forget() {
  runs_.clear();
  by_key_.clear();
  stripes_.clear();
  bytes_ = 0;
}

absl::StatusOr<const StripeReader::Runs*> StripeReader::RunsOf(uint32_t group) {
  const auto [it, fresh] = runs_.try_emplace(group);
  if (!fresh) return &it->second;
  for (int64_t window : db_->WindowsIn(mint_, maxt_)) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const WindowRuns> all, db_->directory_->Window(window));
    const auto mine = all->find(group);
    if (mine == all->end()) continue;
    for (const StripeRun& run : mine->second) {
      Run out{run.first, {}};
      for (uint32_t s = 0; s < run.leaders.size(); ++s) {
        const uint32_t rank = RankOf(run.leaders[s]);
        // A stripe whose leader is gone begins somewhere behind the leader before it.
        if (rank == SeriesIndex::kNoRank && !out.parts.empty())
          out.parts.back().end = s + 1;
        else
          out.parts.push_back({rank == SeriesIndex::kNoRank ? 0 : rank, s, s + 1});
      }
      it->second.push_back(std::move(out));
    }
  }
  return &it->second;
}

absl::Status StripeReader::Read(uint32_t group, std::span<const SeriesId> ids, const Visitor& visit) {
  ASSIGN_OR_RETURN(const Runs* runs, RunsOf(group));
  for (const Run& run : *runs) ReadRun(run, ids, visit);
  return absl::OkStatus();
}

void StripeReader::ReadRun(const Run& run, std::span<const SeriesId> ids, const Visitor& visit) {
  auto part = run.parts.begin();
  for (size_t i = 0; i < ids.size();) {
    // The last part that begins at or before the series.
    part = std::upper_bound(part, run.parts.end(), RankOf(ids[i]),
                            [](uint32_t rank, const Part& p) { return rank < p.rank; });
    if (part == run.parts.begin()) {
      ++i;
      continue;
    }
    size_t end = i + 1;
    while (end < ids.size() && (part == run.parts.end() || RankOf(ids[end]) < part->rank)) ++end;
    --part;
    for (uint32_t s = part->begin; s < part->end; ++s) {
      StripeKey key = run.first;
      key.stripe = s;
      const Stripe* stripe = Load(key);
      if (stripe != nullptr) VisitStripe(*stripe, ids.subspan(i, end - i), i, visit);
    }
    i = end;
  }
}

// Both sides have the order of labels, but for entries whose series is gone.
void StripeReader::VisitStripe(const Stripe& stripe, std::span<const SeriesId> ids, size_t offset,
                               const Visitor& visit) {
  auto entry = stripe.entries.begin();
  for (size_t i = 0; i < ids.size(); ++i) {
    const uint32_t rank = RankOf(ids[i]);
    for (; entry != stripe.entries.end(); ++entry) {
      const uint32_t have = RankOf(entry->series);
      if (have == SeriesIndex::kNoRank || have < rank) continue;
      if (have > rank) break;
      visit(offset + i, stripe.columns[entry->column], entry->bytes);
    }
  }
}

const StripeReader::Stripe* StripeReader::Load(const StripeKey& key) {
  std::string encoded = EncodeStripeKey(key);
  const auto have = by_key_.find(encoded);
  if (have != by_key_.end()) {
    stripes_.splice(stripes_.begin(), stripes_, have->second);
    return &stripes_.front();
  }
  stripes_.emplace_front();
  Stripe& kept = stripes_.front();
  kept.key = key;
  const absl::Status s = db_->store_->GetStripe(encoded, &kept.bytes);
  StripeView view;
  if (!s.ok() || !view.Parse(kept.bytes)) {
    stripes_.pop_front();
    if (!absl::IsNotFound(s)) NoteCorrupt(key);
    return nullptr;
  }
  for (std::vector<int64_t>& column : view.columns)
    kept.columns.push_back(columns_.Intern(std::move(column)));
  for (const StripeView::Entry& e : view.entries) kept.entries.push_back({e.series, e.column, e.bytes});
  by_key_[std::move(encoded)] = stripes_.begin();
  bytes_ += kept.bytes.size();
  while (bytes_ > kMaxKeptBytes && stripes_.size() > 1) {
    bytes_ -= stripes_.back().bytes.size();
    by_key_.erase(EncodeStripeKey(stripes_.back().key));
    stripes_.pop_back();
  }
  return &kept;
}

void StripeReader::NoteCorrupt(const StripeKey& key) {
  db_->metrics_.stripe_corruptions->Add();
  db_->options_.logger->Error("Stripe corrupt, left out of the answer",
                              {{"window", std::to_string(key.window)},
                               {"group", std::to_string(key.group)},
                               {"stripe", std::to_string(key.stripe)}});
}

}  // namespace narthex::tsdb
