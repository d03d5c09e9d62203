// scrape_failure_log_file: a JSON line for each scrape that failed.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

namespace narthex::scraper {

// The files of all jobs, opened at their first failure; jobs may share one. Owner: the manager. Thread-safe.
class FailureLogs {
 public:
  FailureLogs(const Clock* clock, const Logger* logger) : clock_(clock), logger_(logger) {}

  void Write(const std::string& path, std::string_view job, std::string_view target, std::string_view error);
  // Closes the files, so that a reload takes up what log rotation put in their place.
  void Reopen();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  const Clock* const clock_;
  const Logger* const logger_;
  Mutex mutex_;
  std::map<std::string, File> files_ ABSL_GUARDED_BY(mutex_);  // nullptr: could not be opened
};

}  // namespace narthex::scraper
