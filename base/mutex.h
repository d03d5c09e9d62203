// Mutexes, condition variables and notifications: Abseil's, under our own names.
//
// In ThreadSanitizer builds they are stand-ins with the same interface, as far as Narthex uses it: Debian's
// Abseil is a shared library without instrumentation, so that ThreadSanitizer does not see its locks and
// reports every guarded access as a race.
#pragma once

#include "absl/base/thread_annotations.h"

#ifndef __SANITIZE_THREAD__

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace narthex {

using Condition = absl::Condition;
using CondVar = absl::CondVar;
using Mutex = absl::Mutex;
using MutexLock = absl::MutexLock;
using Notification = absl::Notification;
using ReaderMutexLock = absl::ReaderMutexLock;

// Debian's Abseil looks for lock cycles at every lock, which costs more than the locking. Once, at the start
// of a program that has to be fast; tests keep the check.
inline void StopDeadlockDetection() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace narthex

#else

#include <chrono>
#include <condition_variable>
#include <functional>
#include <shared_mutex>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace narthex {

class Condition {
 public:
  template <typename T>
  explicit Condition(T* callable) : test_([callable] { return static_cast<bool>((*callable)()); }) {}
  explicit Condition(const bool* flag) : test_([flag] { return *flag; }) {}
  explicit Condition(bool* flag) : test_([flag] { return *flag; }) {}
  bool Eval() const { return test_(); }

 private:
  std::function<bool()> test_;
};

class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  // Every unlock may make a condition true.
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    mutex_.unlock();
    changed_.notify_all();
  }
  void ReaderLock() ABSL_SHARED_LOCK_FUNCTION() { mutex_.lock_shared(); }
  void ReaderUnlock() ABSL_UNLOCK_FUNCTION() {
    mutex_.unlock_shared();
    changed_.notify_all();
  }
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}
  void Await(const Condition& condition) {
    while (!condition.Eval()) changed_.wait_for(mutex_, std::chrono::milliseconds(10));
  }
  bool AwaitWithDeadline(const Condition& condition, absl::Time deadline) {
    while (!condition.Eval()) {
      if (absl::Now() >= deadline) return false;
      changed_.wait_for(mutex_, std::chrono::milliseconds(10));
    }
    return true;
  }
  bool AwaitWithTimeout(const Condition& condition, absl::Duration timeout) {
    return AwaitWithDeadline(condition, absl::Now() + timeout);
  }

 private:
  friend class CondVar;
  std::shared_mutex mutex_;
  std::condition_variable_any changed_;
};

class CondVar {
 public:
  void Wait(Mutex* mutex) { changed_.wait(mutex->mutex_); }
  // Whether the time ran out.
  bool WaitWithTimeout(Mutex* mutex, absl::Duration timeout) {
    return WaitWithDeadline(mutex, absl::Now() + timeout);
  }
  bool WaitWithDeadline(Mutex* mutex, absl::Time deadline) {
    mutex->changed_.notify_all();
    return changed_.wait_until(mutex->mutex_, absl::ToChronoTime(deadline)) == std::cv_status::timeout;
  }
  void Signal() { changed_.notify_one(); }
  void SignalAll() { changed_.notify_all(); }

 private:
  std::condition_variable_any changed_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_->Lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};
class ABSL_SCOPED_LOCKABLE ReaderMutexLock {
 public:
  explicit ReaderMutexLock(Mutex* mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->ReaderLock();
  }
  ~ReaderMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->ReaderUnlock(); }
  ReaderMutexLock(const ReaderMutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

class Notification {
 public:
  void Notify() {
    MutexLock lock(&mutex_);
    notified_ = true;
  }
  bool HasBeenNotified() const {
    MutexLock lock(&mutex_);
    return notified_;
  }
  void WaitForNotification() const {
    MutexLock lock(&mutex_);
    mutex_.Await(Condition(&notified_));
  }
  bool WaitForNotificationWithTimeout(absl::Duration timeout) const {
    MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(Condition(&notified_), timeout);
  }

 private:
  mutable Mutex mutex_;
  bool notified_ = false;
};

inline void StopDeadlockDetection() {}

}  // namespace narthex

#endif
