#include "promql/operators/device_batch.h"

#include <algorithm>
#include <functional>

#include "model/sample.h"

namespace narthex::promql {
namespace {

// The stripes that are made here.
enum OwnStripe : uint32_t { kChunks = 0, kValues = 1, kOwnStripes = 2 };

}  // namespace

void DeviceBatchBuilder::Begin(const std::vector<tsdb::StoredStripe>& stripes) {
  stripes_.assign(kOwnStripes, DeviceStripe());
  for (const tsdb::StoredStripe& s : stripes) {
    DeviceStripe& out = stripes_.emplace_back();
    out.key[0] = s.id[0];
    out.key[1] = s.id[1];
    out.bytes = reinterpret_cast<const uint8_t*>(s.bytes.data());
    out.size = s.size;
    out.max_ms = s.max_t;
  }
  pieces_.clear();
  series_.clear();
  timelines_.clear();
  times_.clear();
  chunks_.clear();
  values_.clear();
  timeline_of_.clear();
  samples_ = compressed_bytes_ = 0;
}

void DeviceBatchBuilder::AddRaw(std::span<const double> v) {
  DevicePiece& piece = pieces_.emplace_back();
  piece.stripe = kValues;
  piece.offset = static_cast<uint32_t>(values_.size() * sizeof(double));
  piece.bytes = static_cast<uint32_t>(v.size_bytes());
  piece.count = static_cast<uint32_t>(v.size());
  piece.raw = 1;
  values_.insert(values_.end(), v.begin(), v.end());
  compressed_bytes_ += v.size_bytes();
}

uint32_t DeviceBatchBuilder::AddTimeline(std::span<const int64_t> times) {
  timelines_.push_back({times_.size(), static_cast<uint32_t>(times.size())});
  times_.insert(times_.end(), times.begin(), times.end());
  return static_cast<uint32_t>(timelines_.size() - 1);
}

// Rows of one target have the same columns of times.
uint32_t DeviceBatchBuilder::TimelineOf(const tsdb::StoredRow& row) {
  key_.clear();
  for (const tsdb::StoredPiece& p : row.pieces) {
    const std::pair<const int64_t*, size_t> place(p.t.data(), p.t.size());
    key_.append(reinterpret_cast<const char*>(&place), sizeof(place));
  }
  const auto [found, fresh] = timeline_of_.try_emplace(key_, static_cast<uint32_t>(timelines_.size()));
  if (fresh) {
    timelines_.push_back({times_.size(), 0});
    for (const tsdb::StoredPiece& p : row.pieces) times_.insert(times_.end(), p.t.begin(), p.t.end());
    timelines_.back().count = static_cast<uint32_t>(times_.size() - timelines_.back().first);
  }
  return found->second;
}

bool DeviceBatchBuilder::Add(const tsdb::StoredRow& row, uint32_t group) {
  DeviceSeries& series = series_.emplace_back();
  series.first_piece = static_cast<uint32_t>(pieces_.size());
  series.group = group;
  if (row.decoded) {
    const std::span<const int64_t> starts = row.row.start_t;
    if (!row.row.h.empty() || (use_starts_ && std::any_of(starts.begin(), starts.end(), std::identity()))) {
      return false;
    }
    own_times_.clear();
    own_values_.clear();
    for (size_t i = 0; i < row.row.v.size(); ++i) {
      if (IsStale(row.row.v[i])) continue;
      own_times_.push_back(row.row.t[i]);
      own_values_.push_back(row.row.v[i]);
    }
    AddRaw(own_values_);
    series.timeline = AddTimeline(own_times_);
    series.pieces = 1;
    samples_ += own_values_.size();
    return true;
  }
  for (const tsdb::StoredPiece& p : row.pieces) {
    const bool in_stripe = p.stripe != tsdb::StoredPiece::kNoStripe;
    if (!in_stripe && p.chunk.empty()) {
      AddRaw(p.v);
      continue;
    }
    DevicePiece& piece = pieces_.emplace_back();
    piece.stripe = in_stripe ? kOwnStripes + p.stripe : uint32_t{kChunks};
    piece.offset = in_stripe ? p.offset : static_cast<uint32_t>(chunks_.size());
    piece.bytes = in_stripe ? p.bytes : static_cast<uint32_t>(p.chunk.size());
    piece.count = static_cast<uint32_t>(p.t.size());
    compressed_bytes_ += piece.bytes;
    if (!in_stripe) chunks_.append(p.chunk);
  }
  series.pieces = static_cast<uint32_t>(pieces_.size()) - series.first_piece;
  series.timeline = TimelineOf(row);
  samples_ += row.samples;
  return true;
}

void DeviceBatchBuilder::CountWindows(const DevicePlan& plan, SampleCounts* counts) const {
  std::vector<int64_t> series(timelines_.size(), 0);
  for (const DeviceSeries& one : series_) ++series[one.timeline];
  for (size_t i = 0; i < timelines_.size(); ++i) {
    const std::span<const int64_t> t(times_.data() + timelines_[i].first, timelines_[i].count);
    size_t lo = 0, hi = 0;
    for (uint32_t k = 0; k < plan.steps; ++k) {
      const int64_t end = plan.first_end_ms + k * plan.step_ms;
      while (hi < t.size() && t[hi] <= end) ++hi;
      while (lo < hi && t[lo] <= end - plan.range_ms) ++lo;
      counts->Add(k, static_cast<int64_t>(hi - lo) * series[i]);
    }
  }
}

DeviceBatch DeviceBatchBuilder::View() {
  stripes_[kChunks].bytes = reinterpret_cast<const uint8_t*>(chunks_.data());
  stripes_[kChunks].size = chunks_.size();
  stripes_[kValues].bytes = reinterpret_cast<const uint8_t*>(values_.data());
  stripes_[kValues].size = values_.size() * sizeof(double);
  DeviceBatch out;
  out.stripes = stripes_.data();
  out.pieces = pieces_.data();
  out.series = series_.data();
  out.timelines = timelines_.data();
  out.times = times_.data();
  out.time_count = times_.size();
  out.stripe_count = static_cast<uint32_t>(stripes_.size());
  out.piece_count = static_cast<uint32_t>(pieces_.size());
  out.series_count = static_cast<uint32_t>(series_.size());
  out.timeline_count = static_cast<uint32_t>(timelines_.size());
  return out;
}

}  // namespace narthex::promql
