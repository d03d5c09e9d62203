#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"

namespace narthex {
namespace {

TEST(ThreadPool, RunsEveryTaskOnce) {
  std::atomic<int> sum = 0;
  ThreadPool pool(3);
  for (int i = 1; i <= 100; ++i) {
    ASSERT_TRUE(pool.Submit([&sum, i] { sum += i; }));
  }
  pool.Stop();
  EXPECT_EQ(sum, 5050);
}

TEST(ThreadPool, OneWorkerKeepsTheOrder) {
  std::vector<int> order;
  {
    ThreadPool pool(1);
    for (int i = 0; i < 20; ++i) pool.Submit([&order, i] { order.push_back(i); });
  }
  std::vector<int> want;
  for (int i = 0; i < 20; ++i) want.push_back(i);
  EXPECT_EQ(order, want);
}

// Each task waits for the others: with fewer workers this would never end.
TEST(ThreadPool, WorkersRunSideBySide) {
  absl::Barrier all(4);
  std::atomic<int> passed = 0;
  {
    ThreadPool pool(3);
    for (int i = 0; i < 3; ++i) {
      pool.Submit([&] {
        all.Block();
        ++passed;
      });
    }
    all.Block();
  }
  EXPECT_EQ(passed, 3);
}

TEST(ThreadPool, TheDestructorFinishesWhatIsQueued) {
  std::atomic<int> done = 0;
  absl::Notification go;
  {
    ThreadPool pool(1);
    pool.Submit([&] { go.WaitForNotification(); });
    for (int i = 0; i < 10; ++i) pool.Submit([&] { ++done; });
    EXPECT_EQ(done, 0);
    go.Notify();
  }
  EXPECT_EQ(done, 10);
}

TEST(ThreadPool, RefusesWorkAfterStop) {
  bool ran = false;
  ThreadPool pool(2);
  pool.Stop();
  EXPECT_FALSE(pool.Submit([&] { ran = true; }));
  EXPECT_FALSE(ran);
}

TEST(ThreadPool, StopMayBeCalledAgain) {
  ThreadPool pool(2);
  pool.Stop();
  pool.Stop();
  EXPECT_FALSE(pool.Submit([] {}));
}

TEST(ThreadPool, ATaskMaySubmitMore) {
  absl::Notification done;
  ThreadPool pool(1);
  pool.Submit([&] { pool.Submit([&] { done.Notify(); }); });
  done.WaitForNotification();
  EXPECT_TRUE(done.HasBeenNotified());
}

// A task holds on to nothing after it has run.
TEST(ThreadPool, TasksAreDestroyedAfterTheyRan) {
  auto held = std::make_shared<int>(1);
  ThreadPool pool(1);
  pool.Submit([held] {});
  pool.Stop();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace narthex
