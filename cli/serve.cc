// No subcommand: run the server until SIGTERM, SIGINT or /-/quit.
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/code_pages.h"
#include "base/heap.h"
#include "base/mutex.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/server.h"
#include "cli/version.h"

namespace narthex::cli {
namespace {

// Signals are taken by sigtimedwait on the main thread; they are blocked in all threads started after this.
sigset_t BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return set;
}

int64_t ModificationTime(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec : 0;
}

constexpr int64_t kFirstReleaseMs = 10'000, kReleaseMs = 60'000;

// Waits for signals; with auto-reload also looks at the configuration's modification time. Now and then lets
// go of code that is not used and of memory that is free.
void WaitForStop(const sigset_t& set, const ServeFlags& flags, const Logger& logger, Server* server) {
  const auto after_ms = [](int64_t ms) { return SystemClock().MonotonicNs() + ms * 1'000'000; };
  const auto next_look = [&flags, &after_ms] {
    return flags.config_auto_reload ? after_ms(flags.config_auto_reload_interval_ms) : INT64_MAX;
  };
  int64_t modified = ModificationTime(flags.config_file);
  int64_t look_at = next_look(), release_at = after_ms(kFirstReleaseMs);
  while (true) {
    const int64_t left = std::max<int64_t>(std::min(look_at, release_at) - after_ms(0), 0);
    const timespec time{left / 1'000'000'000, left % 1'000'000'000};
    const int signal = sigtimedwait(&set, nullptr, &time);
    if (signal == SIGHUP) (void)server->Reload();
    if (signal == SIGTERM || signal == SIGINT) {
      logger.Warn("Received an OS signal, exiting gracefully...",
                  {{"signal", signal == SIGTERM ? "terminated" : "interrupt"}});
      return;
    }
    if (after_ms(0) >= release_at) {
      ReleaseUnusedCode();
      ReleaseFreeHeap();
      release_at = after_ms(kReleaseMs);
    }
    if (after_ms(0) < look_at) continue;
    const int64_t now = ModificationTime(flags.config_file);
    if (now != 0 && now != modified) (void)server->Reload();
    modified = now;
    look_at = next_look();
  }
}

}  // namespace

int RunServe(const std::vector<std::string>& args) {
  StopDeadlockDetection();
  for (const std::string& arg : args) {
    if (arg == "--help-flags") {
      std::fputs(DescribeFlags().c_str(), stdout);
      return 0;
    }
  }
  absl::StatusOr<ServeFlags> flags = ParseServeFlags(args);
  if (!flags.ok()) {
    std::string message(flags.status().message());
    std::fprintf(stderr, "Error parsing command line arguments: %s\nnarthex: error: %s\n", message.c_str(),
                 message.c_str());
    return 2;
  }
  // Two arenas instead of eight a core: the memory that idle arenas hold is a good part of a small box's.
  mallopt(M_ARENA_MAX, 2);
  sigset_t signals = BlockSignals();
  Logger logger(flags->log_level, flags->log_format, &SystemClock());
  logger.Info("Starting Narthex", {{"version", kVersion}, {"revision", kRevision}});
  // What linking has touched is not needed while the store is read, what reading it needs not afterwards.
  ReleaseUnusedCode();
  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::Start(*flags, &SystemClock(), &logger, [] { kill(getpid(), SIGTERM); });
  if (!server.ok()) {
    logger.Error("Fatal error",
                 {{"file", flags->config_file}, {"err", std::string(server.status().message())}});
    return server.status().code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
  }
  ReleaseUnusedCode();
  ReleaseFreeHeap();
  WaitForStop(signals, *flags, logger, server->get());
  server->reset();
  logger.Info("See you next time!");
  return 0;
}

}  // namespace narthex::cli
