#include <map>
#include <memory>

#include "base/strings.h"
#include "remote/endpoint.h"
#include "remote/remote.h"

namespace narthex::remote {
namespace {

class SenderImpl : public Sender {
 public:
  explicit SenderImpl(SenderOptions options) : options_(std::move(options)) {}
  ~SenderImpl() override { Stop(); }

  absl::Status Apply(std::vector<RemoteWriteConfig> configs,
                     std::vector<std::pair<std::string, std::string>> external_labels) override {
    MutexLock lock(&mutex_);
    std::map<std::string, std::unique_ptr<Endpoint>> next;
    std::map<std::string, RemoteWriteConfig> fresh;
    for (RemoteWriteConfig& config : configs) {
      for (const std::string& key : config.unsupported) {
        options_.logger->Warn("Remote write requests are not signed: this authentication is not supported",
                              {{"component", "remote"}, {"url", config.url}, {"key", key}});
      }
      std::string key = config.fingerprint;
      for (const auto& [name, value] : external_labels) StrAppend(&key, "\n", name, "=", value);
      if (auto it = endpoints_.find(key); it != endpoints_.end()) {
        next[key] = std::move(it->second);
        endpoints_.erase(it);
      } else if (!next.contains(key)) {
        next[key] = nullptr;
        fresh[key] = std::move(config);
      }
    }
    // Old ones first: a changed section takes over the cursor of the one before it.
    for (auto& [key, endpoint] : endpoints_) endpoint->Stop(/*flush=*/true);
    endpoints_ = std::move(next);
    for (auto& [key, config] : fresh) {
      endpoints_[key] = std::make_unique<Endpoint>(options_, std::move(config), external_labels);
      endpoints_[key]->Start();
    }
    return absl::OkStatus();
  }

  void Stop() override {
    MutexLock lock(&mutex_);
    for (auto& [key, endpoint] : endpoints_) endpoint->Stop(/*flush=*/true);
    endpoints_.clear();
  }

 private:
  const SenderOptions options_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<Endpoint>> endpoints_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Sender> Sender::Create(SenderOptions options) {
  return std::make_unique<SenderImpl>(std::move(options));
}

}  // namespace narthex::remote
