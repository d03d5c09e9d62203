#include "tsdb/stripe_writer.h"

#include <utility>

#include "tsdb/format/directory.h"

namespace narthex::tsdb {

void StripeBuilder::Add(uint32_t series, uint32_t column, std::string bytes) {
  const auto [it, fresh] = local_.emplace(column, static_cast<uint32_t>(used_.size()));
  if (fresh) used_.push_back((*columns_)[column]);
  bytes_ += bytes.size();
  if (series_.empty() || series_.back() != series) series_.push_back(series);
  entries_.push_back({series, it->second, std::move(bytes)});
}

std::string StripeBuilder::Finish(std::vector<uint32_t>* series) {
  std::string out = EncodeStripe(used_, entries_);
  *series = std::move(series_);
  entries_.clear();
  series_.clear();
  used_.clear();
  local_.clear();
  bytes_ = 0;
  return out;
}

void RunWriter::Add(uint32_t series, uint32_t column, std::string bytes) {
  if (!builder_.empty() && builder_.last_series() != series && builder_.Full()) Flush();
  builder_.Add(series, column, std::move(bytes));
}

void RunWriter::Flush() {
  (*out_)[EncodeStripeKey(key_)] = builder_.Finish(&directory_.emplace_back());
  ++key_.stripe;
}

RunWriter::~RunWriter() {
  if (!builder_.empty()) Flush();
  key_.stripe = kDirectoryStripe;
  if (!directory_.empty()) (*out_)[EncodeStripeKey(key_)] = EncodeDirectory(directory_);
}

}  // namespace narthex::tsdb
