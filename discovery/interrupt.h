// Waiting for an answer that somebody may no longer want.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/http_client.h"
#include "base/mutex.h"

namespace narthex::discovery {

// Thread-safe. Shared by a watcher, its sources and the answers on their way.
class Interruption : public std::enable_shared_from_this<Interruption> {
 public:
  // All waiting ends now, and what comes later does not begin.
  void Interrupt() {
    MutexLock lock(&mutex_);
    interrupted_ = true;
    changed_.SignalAll();
  }
  bool interrupted() const {
    MutexLock lock(&mutex_);
    return interrupted_;
  }

  // As HttpClient::Fetch; Cancelled once interrupted.
  absl::StatusOr<HttpClientResponse> Fetch(HttpClient* http, HttpClientRequest request) {
    struct Answer {
      bool there = false;
      absl::StatusOr<HttpClientResponse> response;
    };
    auto answer = std::make_shared<Answer>();
    http->Start(std::move(request),
                [self = shared_from_this(), answer](absl::StatusOr<HttpClientResponse> r) {
                  MutexLock lock(&self->mutex_);
                  answer->response = std::move(r);
                  answer->there = true;
                  self->changed_.SignalAll();
                });
    MutexLock lock(&mutex_);
    while (!answer->there && !interrupted_) changed_.Wait(&mutex_);
    if (!answer->there) return absl::CancelledError("context canceled");
    return std::move(answer->response);
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool interrupted_ = false;
};

}  // namespace narthex::discovery
