#include "promql/query_threads.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace narthex::promql {
namespace {

// What ran, in order.
class Record {
 public:
  std::function<void()> Task(std::string name) {
    return [this, name] {
      MutexLock lock(&mutex_);
      ran_.push_back(name);
    };
  }
  bool Has(const std::string& name) const {
    MutexLock lock(&mutex_);
    return std::find(ran_.begin(), ran_.end(), name) != ran_.end();
  }
  std::vector<std::string> ran() const {
    MutexLock lock(&mutex_);
    return ran_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> ran_ ABSL_GUARDED_BY(mutex_);
};

// A lane whose task keeps the only thread until `go_on`.
struct BusyLane {
  explicit BusyLane(QueryThreads* threads) : lane(threads) {
    lane.Submit([this] {
      begun.Notify();
      go_on.WaitForNotification();
    });
    begun.WaitForNotification();
  }
  Notification begun, go_on;
  QueryThreads::Lane lane;
};

TEST(QueryThreads, ALightQueryIsServedWhileAHeavyOneHasTasksWaiting) {
  QueryThreads threads(1);
  Record record;
  BusyLane heavy(&threads);
  QueryThreads::Lane light(&threads);
  for (int i = 0; i < 20; ++i) heavy.lane.Submit(record.Task("heavy"));
  light.Submit(record.Task("light"));
  heavy.go_on.Notify();
  heavy.lane.Await([&] { return record.ran().size() == 21; });
  const std::vector<std::string> ran = record.ran();
  const auto at = std::find(ran.begin(), ran.end(), "light") - ran.begin();
  EXPECT_LE(at, 1) << "it had to wait for one task of the other at most";
}

TEST(QueryThreads, TasksOfALaneRunInOrder) {
  QueryThreads threads(1);
  Record record;
  std::vector<std::string> expected;
  QueryThreads::Lane lane(&threads);
  for (int i = 0; i < 50; ++i) {
    lane.Submit(record.Task(std::to_string(i)));
    expected.push_back(std::to_string(i));
  }
  lane.Await([&] { return record.ran().size() == 50; });
  EXPECT_EQ(record.ran(), expected);
}

TEST(QueryThreads, WhoWaitsMayHelp) {
  QueryThreads threads(1);
  Record record;
  BusyLane other(&threads);
  QueryThreads::Lane mine(&threads);
  mine.Submit(record.Task("mine"));
  EXPECT_TRUE(mine.RunOne());
  EXPECT_TRUE(record.Has("mine"));
  EXPECT_FALSE(mine.RunOne());
  other.go_on.Notify();
}

TEST(QueryThreads, ALaneThatGoesAwayForgetsWhatHasNotBegun) {
  QueryThreads threads(1);
  Record record;
  BusyLane busy(&threads);
  {
    QueryThreads::Lane lane(&threads);
    lane.Submit(record.Task("forgotten"));
  }
  busy.go_on.Notify();
  busy.lane.Submit(record.Task("last"));
  busy.lane.Await([&] { return record.Has("last"); });
  EXPECT_FALSE(record.Has("forgotten"));
}

TEST(QueryThreads, ALaneThatGoesAwayWaitsForWhatHasBegun) {
  QueryThreads threads(1);
  bool done = false;
  {
    Notification begun;
    QueryThreads::Lane lane(&threads);
    lane.Submit([&] {
      begun.Notify();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      done = true;
    });
    begun.WaitForNotification();
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace narthex::promql
