// corpus_test --corpus DIR: runs every folder of a conformance corpus and says what failed.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/strings.h"
#include "tests/corpus/corpus.h"

namespace narthex::corpus {
namespace {

struct Folder {
  std::string_view name;
  void (*run)(const std::string& dir, Report* report);
};
constexpr Folder kFolders[] = {
    {"promql", RunPromql},     {"rules", RunRules},       {"config", RunConfig},
    {"relabel", RunRelabel},   {"template", RunTemplate}, {"exposition", RunExposition},
    {"promtool", RunPromtool},
};

const Folder* FindFolder(std::string_view name) {
  auto it = std::find_if(std::begin(kFolders), std::end(kFolders),
                         [&](const Folder& folder) { return folder.name == name; });
  return it == std::end(kFolders) ? nullptr : it;
}

// Folders without case files (licences, for one) are none of ours.
bool HasCases(const std::filesystem::path& dir) {
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir, error)) {
    std::string extension = entry.path().extension().string();
    if (extension == ".jsonl" || extension == ".tsv" || extension == ".test") return true;
  }
  return false;
}

// Prints the outcome; true if nothing failed.
bool RunFolder(const std::string& root, const std::string& name) {
  const Folder* folder = FindFolder(name);
  if (folder == nullptr) {
    std::printf("%s: not run\n", name.c_str());
    return true;
  }
  Report report;
  folder->run(StrCat(root, "/", name), &report);
  for (const std::string& failure : report.failures()) std::printf("%s/%s\n", name.c_str(), failure.c_str());
  std::printf("%s: %d passed, %zu failed\n", name.c_str(), report.passed(), report.failures().size());
  std::fflush(stdout);
  return report.failures().empty() && report.passed() > 0;
}

int Run(const std::string& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    if (entry.is_directory() && HasCases(entry.path())) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  bool any = false, passed = true;
  for (const std::string& name : names) {
    any |= FindFolder(name) != nullptr;
    passed &= RunFolder(root, name);
  }
  if (!any) std::fprintf(stderr, "%s: holds no corpus folder\n", root.c_str());
  return any && passed ? 0 : 1;
}

}  // namespace
}  // namespace narthex::corpus

int main(int argc, char** argv) {
  if (argc != 3 || std::string(argv[1]) != "--corpus") {
    std::fprintf(stderr, "usage: corpus_test --corpus DIR\n");
    return 2;
  }
  return narthex::corpus::Run(argv[2]);
}
