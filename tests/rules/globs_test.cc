#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "rules/rules.h"

namespace narthex::rules {
namespace {

TEST(ExpandGlobs, FilesAreSortedUniqueAndCleanlyNamed) {
  namespace fs = std::filesystem;
  fs::path folder = fs::path(::testing::TempDir()) / "narthex_globs";
  fs::create_directories(folder / "sub");
  for (const char* name : {"b.yml", "a.yml", "sub/c.yml"}) std::ofstream(folder / name) << "groups: []\n";
  fs::path before = fs::current_path();
  fs::current_path(folder);
  absl::StatusOr<std::vector<std::string>> relative = ExpandGlobs({"*.yml", "./a.yml"}, ".");
  fs::current_path(before);
  ASSERT_TRUE(relative.ok());
  EXPECT_EQ(*relative, (std::vector<std::string>{"a.yml", "b.yml"})) << "as Prometheus names them";
  absl::StatusOr<std::vector<std::string>> absolute =
      ExpandGlobs({"sub/../sub/*.yml", "none*.yml"}, folder.string());
  ASSERT_TRUE(absolute.ok());
  EXPECT_EQ(*absolute, (std::vector<std::string>{(folder / "sub/c.yml").lexically_normal().string()}));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace narthex::rules
