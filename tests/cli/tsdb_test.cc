// narthex tsdb on a small store: what the tools print.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/duration.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/tool/tool_flags.h"
#include "cli/tool/tsdb_tool.h"

namespace narthex::cli {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kHour = 3600'000;
constexpr int64_t kStart = 1'700'000'000'000 / kHour * kHour;

class TsdbTool : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() /
            StrCat("narthex_tsdb_tool_", ::getpid(), "_",
                   std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    Fill();
  }
  void TearDown() override { fs::remove_all(root_); }

  // Two sealed hours of two series, and a sample in the head.
  void Fill() {
    auto store = ToolStore::Open(Path(), /*create=*/true);
    ASSERT_TRUE(store.ok()) << store.status();
    auto group = (*store)->db().OpenGroup({{"job", "x"}});
    const tsdb::Slot a = *(*group)->AddSeries({{"__name__", "a_total"}, {"job", "x"}, {"le", "é"}});
    const tsdb::Slot b = *(*group)->AddSeries({{"__name__", "b"}, {"job", "x"}});
    for (int i = 0; i < 5; ++i) {
      (*group)->Begin(kStart + i * kHour / 2);
      (*group)->Set(a, i * 1.5e6);
      if (i != 3) (*group)->Set(b, -i);
      ASSERT_TRUE((*group)->Commit().ok());
      if (i == 3) {
        ASSERT_TRUE((*store)->db().Maintain(/*force_seal=*/true).ok());
      }
    }
  }
  std::string Path() const { return (root_ / "data").string(); }
  std::string Run(const std::vector<std::string>& args, int want_status = 0) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = RunTsdb(args);
    const std::string out = ::testing::internal::GetCapturedStdout();
    error_ = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(status, want_status) << out << error_;
    return out;
  }

  fs::path root_;
  std::string error_;
};

TEST_F(TsdbTool, ListShowsWindowsAndHead) {
  const std::string out = Run({"list", Path()});
  EXPECT_NE(out.find("BLOCK ULID                  MIN TIME       MAX TIME       DURATION     NUM SAMPLES  "
                     "NUM CHUNKS   NUM SERIES   SIZE\n"),
            std::string::npos)
      << out;
  EXPECT_NE(
      out.find("01HF7XJCR00000000000000001  1699999200000  1700002800000  1h0m0s       4            2   "),
      std::string::npos)
      << out;
  EXPECT_NE(out.find("\nhead "), std::string::npos) << out;
  EXPECT_NE(Run({"list", "-r", Path()}).find("2023-11-14 22:00:00 +0000 UTC"), std::string::npos);
}

TEST_F(TsdbTool, DumpPrintsEverySampleOnce) {
  EXPECT_EQ(Run({"dump", "--match={__name__=~'a.*'}", Path()}),
            "{__name__=\"a_total\", job=\"x\", le=\"é\"} 0 1699999200000\n"
            "{__name__=\"a_total\", job=\"x\", le=\"é\"} 1.5e+06 1700001000000\n"
            "{__name__=\"a_total\", job=\"x\", le=\"é\"} 3e+06 1700002800000\n"
            "{__name__=\"a_total\", job=\"x\", le=\"é\"} 4.5e+06 1700004600000\n"
            "{__name__=\"a_total\", job=\"x\", le=\"é\"} 6e+06 1700006400000\n");
  EXPECT_EQ(Run({"dump", "--match", "b", "--match=a_total", "--min-time=1700004600000", Path()}),
            "{__name__=\"a_total\", job=\"x\", le=\"é\"} 4.5e+06 1700004600000\n"
            "{__name__=\"a_total\", job=\"x\", le=\"é\"} 6e+06 1700006400000\n"
            "{__name__=\"b\", job=\"x\"} NaN 1700004600000\n"
            "{__name__=\"b\", job=\"x\"} -4 1700006400000\n");
}

TEST_F(TsdbTool, DumpWithoutSelectorPrintsAll) {
  const std::string out = Run({"dump", Path()});
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 10) << out;
}

TEST_F(TsdbTool, DumpPrintsSeriesAsJson) {
  EXPECT_EQ(Run({"dump", "--format=seriesjson", "--match=b", "--match=a_total", Path()}),
            "{\"__name__\":\"a_total\",\"job\":\"x\",\"le\":\"é\"}\n{\"__name__\":\"b\",\"job\":\"x\"}\n");
}

TEST_F(TsdbTool, DumpOpenMetricsLeavesStaleMarkersOut) {
  EXPECT_EQ(Run({"dump-openmetrics", "--match=b", Path()}),
            "b{job=\"x\"} 0 1699999200.000\nb{job=\"x\"} -1 1700001000.000\nb{job=\"x\"} -2 1700002800.000\n"
            "b{job=\"x\"} -4 1700006400.000\n# EOF\n");
}

TEST_F(TsdbTool, AnalyzeCountsABlock) {
  const std::string out = Run({"analyze", "--limit=1", "--extended", Path(), "01HF7XJCR00000000000000001"});
  EXPECT_NE(
      out.find("Block ID: 01HF7XJCR00000000000000001\nDuration: 1h0m0s\nTotal Series: 2\nLabel names: 3\n"
               "Postings (unique label pairs): 4\nPostings entries (total label pairs): 5\n"),
      std::string::npos)
      << out;
  EXPECT_NE(out.find("\nMost common label pairs:\n2 job=x\n\n"), std::string::npos) << out;
  EXPECT_NE(out.find("samples per float chunk (min/avg/max): 2/2/2\n[ 1, 10]: 2 ####"), std::string::npos)
      << out;
  Run({"analyze", Path(), "nothing"}, 1);
  EXPECT_EQ(error_, "narthex: error: block nothing not found\n");
}

TEST_F(TsdbTool, VerifyPassesAndRefusesWhatIsNoStore) {
  EXPECT_EQ(Run({"verify", Path()}),
            StrCat("Checking ", Path(), "\n  SUCCESS: 3 blocks, 6 chunks, 10 samples check\n"));
  Run({"verify", root_.string()}, 1);
  EXPECT_NE(error_.find("holds no Narthex storage"), std::string::npos) << error_;
  Run({"list", "--such", Path()}, 1);
  EXPECT_EQ(error_, "narthex: error: unknown long flag '--such', try --help\n");
}

TEST(ToolText, FormatsAsGoDoes) {
  EXPECT_EQ(GoDuration(0), "0s");
  EXPECT_EQ(GoDuration(7'200'000), "2h0m0s");
  EXPECT_EQ(GoDuration(61'500), "1m1.5s");
  EXPECT_EQ(GoDuration(999), "999ms");
  EXPECT_EQ(Base2Bytes(6296), "6KiB152B");
  EXPECT_EQ(Base2Bytes(1 << 20), "1MiB");
  EXPECT_EQ(Base2Bytes(0), "0B");
}

TEST(ToolFlags, TakesLettersNumbersAndArguments) {
  bool human = false, quiet = true;
  int64_t limit = 20;
  std::string dir, file;
  ToolFlags flags("x");
  flags.Add("human-readable", "", &human, 'r');
  flags.Add("quiet", "", &quiet, 'q');
  flags.Add("limit", "", &limit);
  std::vector<std::string> given;
  ASSERT_EQ(flags.Parse({"-r", "--no-quiet", "--limit", "-3", "in"}, &given), std::nullopt);
  ASSERT_EQ(TakeArguments(given, {{"input file", &file, true}, {"dir", &dir}}), std::nullopt);
  EXPECT_TRUE(human);
  EXPECT_FALSE(quiet);
  EXPECT_EQ(limit, -3);
  EXPECT_EQ(file, "in");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(flags.Parse({"--limit=x"}, &given), 1);
  EXPECT_EQ(TakeArguments({}, {{"input file", &file, true}}), 1);
  EXPECT_EQ(TakeArguments({"a", "b"}, {{"input file", &file}}), 1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "narthex: error: strconv.ParseInt: parsing \"x\": invalid syntax, try --help\n"
            "narthex: error: required argument 'input file' not provided, try --help\n"
            "narthex: error: unexpected b, try --help\n");
}

}  // namespace
}  // namespace narthex::cli
