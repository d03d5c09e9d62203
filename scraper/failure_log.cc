#include "scraper/failure_log.h"

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace narthex::scraper {

void FailureLogs::Write(const std::string& path, std::string_view job, std::string_view target,
                        std::string_view error) {
  if (path.empty()) return;
  MutexLock lock(&mutex_);
  auto [it, added] = files_.try_emplace(path);
  if (added) {
    it->second.reset(std::fopen(path.c_str(), "ae"));
    if (it->second == nullptr) {  // said once; scraping goes on
      logger_->Error("Error creating scrape failure log",
                     {{"file", path}, {"err", StrCat("open ", path, ": ", std::strerror(errno))}});
    }
  }
  std::FILE* file = it->second.get();
  if (file == nullptr) return;
  Logger lines(LogLevel::kInfo, LogFormat::kJson, clock_, [file](std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), file);
    std::fputc('\n', file);
    std::fflush(file);
  });
  lines.Error(error, {{"job_name", std::string(job)}, {"target", std::string(target)}});
}

void FailureLogs::Reopen() {
  MutexLock lock(&mutex_);
  files_.clear();
}

}  // namespace narthex::scraper
