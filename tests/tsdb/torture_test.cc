// Real processes that write are killed at any moment, again and again; each time the whole content is
// compared with a model, bit for bit. NARTHEX_TORTURE_ROUNDS sets how often (./dev torture: 1000).
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/tsdb/db_fixture.h"
#include "tests/tsdb/workload.h"

namespace narthex::tsdb {
namespace {

constexpr int64_t kMinute = 60'000;
constexpr int kChildPipe = 9;

class TortureTest : public DbTest {
 protected:
  Options WorkOptions() {
    Options o = MakeOptions("t");
    o.window_ms = kMinute;
    return o;
  }
  // Kills a process again and again that writes to one store.
  void KillRounds(int first, int end);
};

// The process that is killed; the parent starts this program again for it. It does steps and says after each
// how far it is.
class TortureChild : public TortureTest {};
TEST_F(TortureChild, WritesUntilItIsKilled) {
  const char* const path = std::getenv("NARTHEX_TORTURE_PATH");
  if (path == nullptr) GTEST_SKIP() << "started by AKilledProcessHasLostNothing";
  const Workload work(std::strtoull(std::getenv("NARTHEX_TORTURE_SEED"), nullptr, 10), kStart);
  fs::remove_all(root_);  // nobody will after the kill
  Options options = WorkOptions();
  options.path = path;
  auto db = Db::Open(options);
  if (!db.ok()) ::_exit(1);
  Driver driver(db->get(), &clock_);
  for (int i = std::atoi(std::getenv("NARTHEX_TORTURE_NEXT"));; ++i) {
    const absl::Status s = driver.Do(work.At(i));
    if (!s.ok()) {
      std::fprintf(stderr, "step %d: %s\n", i, std::string(s.message()).c_str());
      ::_exit(2);
    }
    if (::write(kChildPipe, &i, sizeof i) != sizeof i) ::_exit(3);
  }
}

// The same without processes: whatever goes wrong happens again at the same step.
TEST_F(TortureTest, EveryStepLeavesWhatTheModelSays) {
  for (const uint64_t seed : {1, 2}) {
    const Workload work(seed, kStart);
    Model model;
    Options options = WorkOptions();
    options.path = (root_ / std::to_string(seed)).string();
    auto db = Db::Open(options);
    ASSERT_TRUE(db.ok()) << db.status();
    auto driver = std::make_unique<Driver>(db->get(), &clock_);
    for (int i = 0; i < 500; ++i) {
      const Step step = work.At(i);
      ASSERT_TRUE(driver->Do(step).ok()) << "step " << i;
      model.Apply(step);
      if (i % 83 == 82) {
        driver.reset();
        db->reset();
        db = Db::Open(options);
        ASSERT_TRUE(db.ok()) << db.status();
        driver = std::make_unique<Driver>(db->get(), &clock_);
      }
      if (i % 11 != 0 && step.kind <= Step::kLoose) continue;
      ASSERT_EQ(Difference(model.content(), ReadContent(**db)), "")
          << "seed " << seed << ", step " << i << ", kind " << step.kind;
    }
    driver.reset();
  }
}

TEST_F(TortureTest, AKilledProcessHasLostNothing) {
  const char* const wanted = std::getenv("NARTHEX_TORTURE_ROUNDS");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 30;
  // Each round reads all that there is: every so often it begins anew, with other steps.
  constexpr int kRoundsOfAStore = 50;
  for (int first = 0; first < rounds; first += kRoundsOfAStore) {
    ASSERT_NO_FATAL_FAILURE(KillRounds(first, std::min(rounds, first + kRoundsOfAStore)));
    if (wanted != nullptr) std::fprintf(stderr, "%d rounds\n", std::min(rounds, first + kRoundsOfAStore));
  }
}

void TortureTest::KillRounds(int first, int end) {
  clock_.StepWall(kStart - clock_.NowMs());
  std::filesystem::remove_all(WorkOptions().path);
  const uint64_t seed = 11 + static_cast<uint64_t>(first);
  const Workload work(seed, kStart);
  Model model;
  std::mt19937_64 random(seed);
  int next = 0;  // the step that comes next
  for (int round = first; round < end; ++round) {
    int pipe_fd[2];
    ASSERT_EQ(::pipe(pipe_fd), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(pipe_fd[1], kChildPipe);
      ::setenv("NARTHEX_TORTURE_PATH", WorkOptions().path.c_str(), 1);
      ::setenv("NARTHEX_TORTURE_NEXT", std::to_string(next).c_str(), 1);
      ::setenv("NARTHEX_TORTURE_SEED", std::to_string(seed).c_str(), 1);
      ::execl("/proc/self/exe", "torture", "--gtest_filter=TortureChild.*", nullptr);
      ::_exit(4);
    }
    ::close(pipe_fd[1]);
    const int stop = next + 20 + static_cast<int>(random() % 150);
    int done = next - 1;
    while (done < stop && ::read(pipe_fd[0], &done, sizeof done) == sizeof done) {
    }
    // Somewhere in what follows that step.
    for (volatile uint64_t spin = random() % 3'000'000; spin > 0;) spin = spin - 1;
    ::kill(child, SIGKILL);
    for (int more; ::read(pipe_fd[0], &more, sizeof more) == sizeof more;) done = more;
    ::close(pipe_fd[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << ": exit " << WEXITSTATUS(status);

    for (; next <= done; ++next) model.Apply(work.At(next));
    clock_.AdvanceMs(std::max<int64_t>(0, work.TimeOf(next) - clock_.NowMs()));
    auto db = Db::Open(WorkOptions());
    ASSERT_TRUE(db.ok()) << db.status();
    const Content got = ReadContent(**db);
    std::string difference = Difference(model.content(), got);
    if (!difference.empty()) {
      // The step that was under way may have been done.
      const std::string first = difference;
      model.Apply(work.At(next));
      difference = Difference(model.content(), got);
      ASSERT_EQ(difference, "") << "round " << round << " after step " << next << "; without it: " << first;
      ++next;
    }
    for (const char* none :
         {"prometheus_tsdb_wal_corruptions_total 0\n", "narthex_storage_damaged_ranges_total 0\n",
          "narthex_storage_corrupt_stripes_total 0\n"}) {
      ASSERT_NE(metrics_.Expose().find(none), std::string::npos) << "round " << round << ": not " << none;
    }
  }
}

}  // namespace
}  // namespace narthex::tsdb
