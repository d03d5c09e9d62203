// promtool/: commands with their exit status and output.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/cli.h"
#include "promql/script/commands.h"
#include "tests/corpus/corpus.h"
#include "tsdb/tsdb.h"

namespace narthex::corpus {
namespace {

struct Outcome {
  int exit = -1;
  std::string out, err;
};

// Runs the program in a child process, in `dir`.
Outcome RunTool(const std::string& dir, const std::vector<std::string>& args, const std::string& input,
                const std::string& temporary) {
  const std::string out_file = temporary + "/stdout", err_file = temporary + "/stderr";
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    auto redirect = [](const std::string& file, int flags, int to) {
      int fd = open(file.c_str(), flags, 0600);
      if (fd >= 0) dup2(fd, to);
    };
    redirect(out_file, O_CREAT | O_TRUNC | O_WRONLY, 1);
    redirect(err_file, O_CREAT | O_TRUNC | O_WRONLY, 2);
    if (chdir(dir.c_str()) != 0) _exit(127);
    redirect(input.empty() ? "/dev/null" : input, O_RDONLY, 0);
    int status = cli::Main(args);
    std::fflush(nullptr);
    _exit(status);
  }
  Outcome outcome;
  int status = 0;
  if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status))
    outcome.exit = WEXITSTATUS(status);
  outcome.out = ReadText(out_file).value_or("");
  outcome.err = ReadText(err_file).value_or("");
  return outcome;
}

std::string Contains(const char* what, const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return "";
  return StrCat("want \"", part, "\" in ", what, ", got: ", text);
}

std::vector<std::string> SortedLines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string CompareOutput(const std::string& dir, const YamlNode& node, const std::string& out) {
  std::string file = Text(node, "stdout_file");
  if (file.empty()) return "";
  absl::StatusOr<std::string> want = ReadText(StrCat(dir, "/", file));
  if (!want.ok()) return std::string(want.status().message());
  if (Text(node, "compare") == "sorted lines" ? SortedLines(*want) == SortedLines(out) : *want == out)
    return "";
  return StrCat("not as ", file, ":\n", out);
}

std::string CheckOutcome(const std::string& dir, const YamlNode& node, const Outcome& got) {
  std::string wrong;
  if (StrCat(got.exit) != Text(node, "exit"))
    wrong = StrCat("want exit ", Text(node, "exit"), ", got ", got.exit, ": ", got.out, got.err);
  if (wrong.empty()) wrong = Contains("stderr", got.err, Text(node, "stderr_contains"));
  if (wrong.empty()) wrong = Contains("stdout", got.out, Text(node, "stdout_contains"));
  if (wrong.empty())
    wrong = Contains("the output", got.out + got.err, Text(node, "stdout_or_stderr_contains"));
  return wrong.empty() ? CompareOutput(dir, node, got.out) : wrong;
}

// A database with the samples of a `load` file.
absl::Status LoadDb(const std::string& path, const std::string& file) {
  ASSIGN_OR_RETURN(std::string text, ReadText(file));
  Logger logger(LogLevel::kError, LogFormat::kLogfmt, &SystemClock());
  MetricsRegistry metrics;
  tsdb::Options options;
  options.path = path;
  options.retention_ms = 0;
  options.background_work = false;
  options.clock = &SystemClock();
  options.logger = &logger;
  options.metrics = &metrics;
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Db> db, tsdb::Db::Open(options));
  promql::script::CommandReader reader(text);
  while (true) {
    ASSIGN_OR_RETURN(std::optional<promql::script::Command> command, reader.Next());
    if (!command) return absl::OkStatus();
    const auto* load = std::get_if<promql::script::LoadCommand>(&*command);
    if (load == nullptr) return absl::InvalidArgumentError("only load is understood here");
    std::unique_ptr<tsdb::Appender> appender = db->NewAppender();
    for (const promql::script::LoadSeries& series : load->series) {
      tsdb::SeriesRef ref = 0;
      for (size_t i = 0; i < series.series.points.size(); ++i) {
        const promql::SequencePoint& point = series.series.points[i];
        if (point.missing) continue;
        tsdb::Sample sample{static_cast<int64_t>(i) * load->step_ms, point.v, point.h, 0};
        RETURN_IF_ERROR(appender->Append(&ref, series.series.labels, sample).status());
      }
    }
    RETURN_IF_ERROR(appender->Commit());
  }
}

// Makes the database that %DB% stands for, if the case has one.
absl::Status MakeDb(const std::string& dir, const YamlNode& node, const std::string& temporary) {
  const std::string path = temporary + "/db";
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (std::string file = Text(node, "load"); !file.empty()) return LoadDb(path, StrCat(dir, "/", file));
  std::string file = Text(node, "create_blocks_from");
  if (file.empty()) return absl::OkStatus();
  Outcome made = RunTool(dir, {"tsdb", "create-blocks-from", "openmetrics", file, path}, "", temporary);
  return made.exit == 0 ? absl::OkStatus() : absl::InternalError(StrCat(made.out, made.err));
}

}  // namespace

void RunPromtool(const std::string& dir, Report* report) {
  std::string temporary = (std::filesystem::temp_directory_path() / "narthex-corpus-XXXXXX").string();
  if (mkdtemp(temporary.data()) == nullptr) return report->Result("cases.jsonl", "no temporary folder");
  for (const JsonCase& c : ReadJsonLines(dir, "cases.jsonl", report)) {
    std::vector<std::string> args;
    for (const YamlNode& arg : c.node.Find("argv")->items())
      args.push_back(arg.scalar() == "%DB%" ? temporary + "/db" : arg.scalar());
    std::string where = StrCat(c.where, " ", Text(c.node, "id"));
    if (absl::Status made = MakeDb(dir, c.node, temporary); !made.ok()) {
      report->Result(where, StrCat("cannot make the database: ", made.message()));
      continue;
    }
    Outcome outcome = RunTool(dir, args, Text(c.node, "stdin"), temporary);
    report->Result(where, CheckOutcome(dir, c.node, outcome));
  }
  std::error_code error;
  std::filesystem::remove_all(temporary, error);
}

}  // namespace narthex::corpus
