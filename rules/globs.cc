#include <glob.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/strings.h"
#include "rules/rules.h"

namespace narthex::rules {

absl::StatusOr<std::vector<std::string>> ExpandGlobs(const std::vector<std::string>& patterns,
                                                     const std::string& base_dir) {
  std::vector<std::string> files;
  for (const std::string& pattern : patterns) {
    std::string path = pattern.starts_with("/") ? pattern : StrCat(base_dir, "/", pattern);
    path = std::filesystem::path(path).lexically_normal().string();
    glob_t found = {};
    int rc = ::glob(path.c_str(), 0, nullptr, &found);
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
    globfree(&found);
    if (rc != 0 && rc != GLOB_NOMATCH) {
      return absl::InvalidArgumentError(StrCat("error retrieving rule files for ", pattern, ": cannot read"));
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

}  // namespace narthex::rules
