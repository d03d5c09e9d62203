#include "tsdb/stripe_directory.h"

#include <algorithm>

#include "base/status_macros.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/stripe.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kMaxBytes = 4 << 20;

bool DecodeLeaders(std::string_view bytes, std::vector<SeriesId>* leaders) {
  ByteReader in(bytes);
  leaders->resize(in.Count(in.left()));
  for (SeriesId& id : *leaders) id = static_cast<SeriesId>(in.Varint());
  return in.ok() && in.done();
}

}  // namespace

std::string EncodeLeaders(const std::vector<SeriesId>& leaders) {
  std::string out;
  PutVarint(&out, leaders.size());
  for (SeriesId id : leaders) PutVarint(&out, id);
  return out;
}

absl::StatusOr<std::shared_ptr<const WindowRuns>> StripeDirectory::Window(int64_t window) {
  uint64_t version = 0;
  {
    MutexLock lock(&mutex_);
    const auto it = windows_.find(window);
    if (it != windows_.end()) {
      it->second.used = ++uses_;
      return it->second.runs;
    }
    version = version_;
  }
  Loaded loaded;
  ASSIGN_OR_RETURN(loaded.runs, Load(window, &loaded.size));
  std::shared_ptr<const WindowRuns> out = loaded.runs;
  MutexLock lock(&mutex_);
  if (version != version_ || windows_.contains(window)) return out;
  while (!windows_.empty() && size_ + loaded.size > kMaxBytes) {
    const auto oldest = std::min_element(windows_.begin(), windows_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    });
    size_ -= oldest->second.size;
    windows_.erase(oldest);
  }
  loaded.used = ++uses_;
  size_ += loaded.size;
  windows_[window] = std::move(loaded);
  return out;
}

absl::StatusOr<std::shared_ptr<const WindowRuns>> StripeDirectory::Load(int64_t window, size_t* size) const {
  auto runs = std::make_shared<WindowRuns>();
  *size = 256;
  const std::string prefix = LeadersPrefix(window);
  RETURN_IF_ERROR(store_->Scan(prefix, [&](std::string_view key, std::string_view value) {
    StripeRun run;
    if (DecodeLeadersKey(key, &run.first) && DecodeLeaders(value, &run.leaders)) {
      *size += sizeof(StripeRun) + 64 + run.leaders.size() * sizeof(SeriesId);
      (*runs)[run.first.group].push_back(std::move(run));
    }
    return true;
  }));
  return std::shared_ptr<const WindowRuns>(std::move(runs));
}

void StripeDirectory::Forget() {
  MutexLock lock(&mutex_);
  windows_.clear();
  size_ = 0;
  ++version_;
}

}  // namespace narthex::tsdb
