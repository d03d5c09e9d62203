// No subcommand: run the server until SIGTERM, SIGINT or /-/quit.
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

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

// Waits for signals; with auto-reload also looks at the configuration's modification time.
void WaitForStop(const sigset_t& set, const ServeFlags& flags, const Logger& logger, Server* server) {
  int64_t modified = ModificationTime(flags.config_file);
  timespec interval{flags.config_auto_reload_interval_ms / 1000,
                    flags.config_auto_reload_interval_ms % 1000 * 1'000'000};
  while (true) {
    int signal =
        flags.config_auto_reload ? sigtimedwait(&set, nullptr, &interval) : sigwaitinfo(&set, nullptr);
    if (signal == SIGHUP) (void)server->Reload();
    if (signal == SIGTERM || signal == SIGINT) {
      logger.Warn("Received an OS signal, exiting gracefully...",
                  {{"signal", signal == SIGTERM ? "terminated" : "interrupt"}});
      return;
    }
    if (signal < 0 && flags.config_auto_reload) {
      int64_t now = ModificationTime(flags.config_file);
      if (now != 0 && now != modified) (void)server->Reload();
      modified = now;
    }
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
  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::Start(*flags, &SystemClock(), &logger, [] { kill(getpid(), SIGTERM); });
  if (!server.ok()) {
    logger.Error("Fatal error",
                 {{"file", flags->config_file}, {"err", std::string(server.status().message())}});
    return server.status().code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
  }
  WaitForStop(signals, *flags, logger, server->get());
  server->reset();
  logger.Info("See you next time!");
  return 0;
}

}  // namespace narthex::cli
