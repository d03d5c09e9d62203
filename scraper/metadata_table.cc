#include "scraper/metadata_table.h"

#include <algorithm>

namespace narthex::scraper {
namespace {

constexpr uint64_t kRounds = 10;  // metadata outlives its metric by so many scrapes, as upstream

}  // namespace

void MetadataTable::BeginRound() {
  if (cursor_ > 0 && seen_round_ != round_) WriteRounds();  // the last round was broken off
  ++round_;
  cursor_ = 0;
}

// Texts with escapes are said to differ: they are compared once they are unescaped.
bool MetadataTable::Says(const Meta& meta, const ExpositionParser& parser, EntryKind kind) {
  if (meta.data.metric != parser.metric()) return false;
  if (kind == EntryKind::kType) return meta.data.type == parser.type();
  if (kind == EntryKind::kUnit) return meta.data.unit == parser.text();
  return meta.data.help == parser.text() && parser.text().find('\\') == std::string_view::npos;
}

MetadataTable::Meta* MetadataTable::FindOrAdd(std::string_view metric) {
  auto it = metas_.find(metric);
  if (it == metas_.end()) {
    it = metas_.emplace(std::string(metric), Meta()).first;
    it->second.data.metric = it->first;
    it->second.data.type = "unknown";
  }
  return &it->second;
}

void MetadataTable::Note(const ExpositionParser& parser, EntryKind kind) {
  if (cursor_ < order_.size() && order_[cursor_].first == kind) {
    Meta* meta = order_[cursor_].second;
    if (Says(*meta, parser, kind)) {
      ++cursor_;
      return;
    }
  }
  if (cursor_ < order_.size()) WriteRounds();
  MutexLock lock(&mutex_);
  Meta* meta = FindOrAdd(parser.metric());
  meta->last_round = round_;
  auto update = [this, meta](std::string* field, std::string_view value) {
    if (*field == value) return;
    *field = value;
    meta->changed = changed_ = true;
  };
  if (kind == EntryKind::kType) update(&meta->data.type, parser.type());
  if (kind == EntryKind::kUnit) update(&meta->data.unit, parser.text());
  if (kind == EntryKind::kHelp) update(&meta->data.help, parser.help());
  changed_ |= meta->changed;
  // From here on the order is learnt anew.
  order_.resize(cursor_);
  order_.emplace_back(kind, meta);
  ++cursor_;
}

void MetadataTable::WriteRounds() {
  for (size_t i = 0; i < order_.size(); ++i) {
    uint64_t& last = order_[i].second->last_round;
    last = std::max(last, i < cursor_ ? round_ : seen_round_);
  }
}

std::vector<TargetMetadata> MetadataTable::EndRound() {
  std::vector<TargetMetadata> changed;
  const bool due = changed_ || round_ % kRounds == 0;
  if (due || cursor_ < order_.size()) {
    WriteRounds();
    order_.resize(cursor_);
  }
  seen_round_ = round_;
  if (!due) return changed;
  changed_ = false;
  MutexLock lock(&mutex_);
  for (auto it = metas_.begin(); it != metas_.end();) {
    if (round_ - it->second.last_round > kRounds) {
      order_.clear();
      it = metas_.erase(it);
      continue;
    }
    if (it->second.changed) changed.push_back(it->second.data);
    it->second.changed = false;
    ++it;
  }
  return changed;
}

std::vector<TargetMetadata> MetadataTable::Read(const std::string& metric) const {
  std::vector<TargetMetadata> out;
  MutexLock lock(&mutex_);
  if (metric.empty()) {
    for (const auto& [name, meta] : metas_) out.push_back(meta.data);
  } else if (auto it = metas_.find(metric); it != metas_.end()) {
    out.push_back(it->second.data);
  }
  return out;
}

}  // namespace narthex::scraper
