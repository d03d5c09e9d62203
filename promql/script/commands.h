// The commands of a script, parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "promql/syntax/parser.h"

namespace narthex::promql::script {

struct ClearCommand {};

struct LoadSeries {
  SeriesDescription series;
  std::vector<std::optional<int64_t>> start_offsets_ms;  // of start timestamps; empty or one a point
};
struct LoadCommand {
  int64_t step_ms = 0;
  bool with_nhcb = false;
  std::vector<LoadSeries> series;
};

// `expect warn msg: ...`: what must be among the annotations (or be the error).
struct Expectation {
  enum Kind { kFail, kWarn, kInfo };
  enum Mode { kAny, kEquals, kRegex };
  Kind kind = kFail;
  Mode mode = kAny;
  std::string text;
};

struct EvalCommand {
  int line = 0;
  std::string query;
  bool range_query = false;
  int64_t start_ms = 0, end_ms = 0, step_ms = 0;  // an instant query has start only
  bool ordered = false, no_warn = false, no_info = false;
  std::vector<Expectation> expectations;
  std::optional<double> scalar;
  std::optional<std::string> string;
  bool range_vector = false;  // an instant query whose result is a range vector at points_*
  int64_t points_start_ms = 0, points_step_ms = 0;
  std::vector<SeriesDescription> series;

  bool Expects(Expectation::Kind kind) const;
};

using Command = std::variant<ClearCommand, LoadCommand, EvalCommand>;

// Reads a script command by command, so that what stands before a mistake still runs.
class CommandReader {
 public:
  explicit CommandReader(std::string_view text);
  // The next command; nullopt at the end of the script.
  absl::StatusOr<std::optional<Command>> Next();
  int line() const { return line_; }  // last line read, 1-based

 private:
  // The next line, trimmed, comments as empty ones; false at the end.
  bool ReadLine(std::string_view* line);
  absl::StatusOr<LoadCommand> ReadLoad(std::string_view head);
  absl::StatusOr<EvalCommand> ReadEval(std::string_view head);
  absl::Status ReadExpectations(EvalCommand* eval);

  std::string_view rest_;
  int line_ = 0;
};

}  // namespace narthex::promql::script
