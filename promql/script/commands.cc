#include "promql/script/commands.h"

#include <algorithm>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::promql::script {
namespace {

constexpr std::string_view kSpace = " \t\r";

std::string_view Trim(std::string_view text) {
  size_t first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Cuts the first word off `text`.
std::string_view TakeWord(std::string_view* text) {
  *text = Trim(*text);
  size_t end = std::min(text->find_first_of(kSpace), text->size());
  std::string_view word = text->substr(0, end);
  *text = Trim(text->substr(end));
  return word;
}

absl::Status ExpectWord(std::string_view* text, std::string_view word) {
  std::string_view got = TakeWord(text);
  if (got == word) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("expected '", word, "', got '", got, "'"));
}

absl::StatusOr<int64_t> TakeDuration(std::string_view* text) {
  std::string_view word = TakeWord(text);
  bool negative = word.starts_with("-");
  ASSIGN_OR_RETURN(int64_t ms, ParseDurationMs(negative ? word.substr(1) : word));
  return negative ? -ms : ms;
}

// `-1m`, `-30s-1mx2`, `_x5`: offsets of start timestamps.
absl::Status ParseOffset(std::string_view item, std::vector<std::optional<int64_t>>* out) {
  size_t repeat_at = item.rfind('x');
  int64_t count = 1;
  bool repeated = repeat_at != item.npos;
  if (repeated) {
    std::optional<double> n = ParseGoFloat(item.substr(repeat_at + 1));
    if (!n || *n < 0 || *n > 1e6) return absl::InvalidArgumentError(StrCat("bad repeat in '", item, "'"));
    count = static_cast<int64_t>(*n);
    item = item.substr(0, repeat_at);
  }
  if (item == "_") {
    out->insert(out->end(), static_cast<size_t>(count), std::nullopt);
    return absl::OkStatus();
  }
  size_t second = item.find_first_of("+-", 1);
  auto signed_ms = [](std::string_view text) -> absl::StatusOr<int64_t> {
    bool negative = text.starts_with("-");
    if (negative || text.starts_with("+")) text.remove_prefix(1);
    ASSIGN_OR_RETURN(int64_t ms, ParseDurationMs(text));
    return negative ? -ms : ms;
  };
  ASSIGN_OR_RETURN(int64_t value, signed_ms(item.substr(0, second)));
  int64_t step = 0;
  if (second != item.npos) {
    ASSIGN_OR_RETURN(step, signed_ms(item.substr(second)));
  }
  for (int64_t i = 0; i < (repeated ? count + 1 : 1); ++i) out->push_back(value + i * step);
  return absl::OkStatus();
}

absl::Status ParseExpect(std::string_view line, EvalCommand* eval) {
  std::string_view word = TakeWord(&line);
  if (word == "ordered") {
    eval->ordered = true;
    return absl::OkStatus();
  }
  if (word == "no_warn" || word == "no_info") {
    (word == "no_warn" ? eval->no_warn : eval->no_info) = true;
    return absl::OkStatus();
  }
  if (word == "string") {
    eval->string = GoUnquote(line);
    return eval->string ? absl::OkStatus() : absl::InvalidArgumentError(StrCat("bad string ", line));
  }
  if (word == "range") {
    eval->range_vector = true;
    RETURN_IF_ERROR(ExpectWord(&line, "vector"));
    RETURN_IF_ERROR(ExpectWord(&line, "from"));
    ASSIGN_OR_RETURN(eval->points_start_ms, TakeDuration(&line));
    RETURN_IF_ERROR(ExpectWord(&line, "to"));
    RETURN_IF_ERROR(TakeDuration(&line).status());
    RETURN_IF_ERROR(ExpectWord(&line, "step"));
    ASSIGN_OR_RETURN(eval->points_step_ms, TakeDuration(&line));
    return absl::OkStatus();
  }
  Expectation expectation;
  if (word == "warn") {
    expectation.kind = Expectation::kWarn;
  } else if (word == "info") {
    expectation.kind = Expectation::kInfo;
  } else if (word != "fail") {
    return absl::InvalidArgumentError(StrCat("unknown expectation '", word, "'"));
  }
  if (!line.empty()) {
    bool regex = line.starts_with("regex:");
    if (!regex && !line.starts_with("msg:")) {
      return absl::InvalidArgumentError(StrCat("expected 'msg:' or 'regex:', got '", line, "'"));
    }
    expectation.mode = regex ? Expectation::kRegex : Expectation::kEquals;
    expectation.text = std::string(Trim(line.substr(regex ? 6 : 4)));
  }
  eval->expectations.push_back(std::move(expectation));
  return absl::OkStatus();
}

}  // namespace

bool EvalCommand::Expects(Expectation::Kind kind) const {
  return std::any_of(expectations.begin(), expectations.end(),
                     [kind](const Expectation& e) { return e.kind == kind; });
}

CommandReader::CommandReader(std::string_view text) : rest_(text) {}

bool CommandReader::ReadLine(std::string_view* line) {
  if (rest_.empty()) return false;
  ++line_;
  size_t end = std::min(rest_.find('\n'), rest_.size());
  *line = Trim(rest_.substr(0, end));
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  if (line->starts_with("#")) *line = {};
  return true;
}

absl::StatusOr<std::optional<Command>> CommandReader::Next() {
  std::string_view line;
  do {
    if (!ReadLine(&line)) return std::nullopt;
  } while (line.empty());
  std::string word(line.substr(0, line.find_first_of(kSpace)));
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  if (word == "clear") return Command(ClearCommand());
  if (word.starts_with("load")) {
    ASSIGN_OR_RETURN(LoadCommand load, ReadLoad(line));
    return Command(std::move(load));
  }
  if (word.starts_with("eval")) {
    ASSIGN_OR_RETURN(EvalCommand eval, ReadEval(line));
    return Command(std::move(eval));
  }
  return absl::InvalidArgumentError(StrCat("unknown command '", word, "'"));
}

absl::StatusOr<LoadCommand> CommandReader::ReadLoad(std::string_view head) {
  LoadCommand load;
  std::string_view word = TakeWord(&head);
  load.with_nhcb = word == "load_with_nhcb";
  if (!load.with_nhcb && word != "load")
    return absl::InvalidArgumentError(StrCat("unknown command '", word, "'"));
  ASSIGN_OR_RETURN(load.step_ms, TakeDuration(&head));
  std::vector<std::optional<int64_t>> offsets;
  for (std::string_view line; ReadLine(&line) && !line.empty();) {
    if (size_t at = line.find("@st "); at != line.npos) {
      std::string_view items = line.substr(at + 4);
      while (!items.empty()) RETURN_IF_ERROR(ParseOffset(TakeWord(&items), &offsets));
      continue;
    }
    LoadSeries series;
    ASSIGN_OR_RETURN(series.series, ParseSeriesDescription(line));
    series.start_offsets_ms = std::exchange(offsets, {});
    if (!series.start_offsets_ms.empty() && series.start_offsets_ms.size() != series.series.points.size()) {
      return absl::InvalidArgumentError("as many start timestamps as points are needed");
    }
    load.series.push_back(std::move(series));
  }
  return load;
}

absl::StatusOr<EvalCommand> CommandReader::ReadEval(std::string_view head) {
  EvalCommand eval;
  eval.line = line_;
  std::string_view word = TakeWord(&head);
  if (word == "eval_fail") eval.expectations.push_back({Expectation::kFail, Expectation::kAny, ""});
  if (word == "eval_warn") eval.expectations.push_back({Expectation::kWarn, Expectation::kAny, ""});
  if (word == "eval_info") eval.expectations.push_back({Expectation::kInfo, Expectation::kAny, ""});
  if (word == "eval_ordered") eval.ordered = true;
  if (word != "eval" && !eval.ordered && eval.expectations.empty()) {
    return absl::InvalidArgumentError(StrCat("unknown command '", word, "'"));
  }
  word = TakeWord(&head);
  if (word == "instant") {
    RETURN_IF_ERROR(ExpectWord(&head, "at"));
    ASSIGN_OR_RETURN(eval.start_ms, TakeDuration(&head));
    eval.end_ms = eval.start_ms;
  } else if (word == "range") {
    eval.range_query = true;
    RETURN_IF_ERROR(ExpectWord(&head, "from"));
    ASSIGN_OR_RETURN(eval.start_ms, TakeDuration(&head));
    RETURN_IF_ERROR(ExpectWord(&head, "to"));
    ASSIGN_OR_RETURN(eval.end_ms, TakeDuration(&head));
    RETURN_IF_ERROR(ExpectWord(&head, "step"));
    ASSIGN_OR_RETURN(eval.step_ms, TakeDuration(&head));
    if (eval.step_ms <= 0) return absl::InvalidArgumentError("the step of a range must be positive");
  } else {
    return absl::InvalidArgumentError(StrCat("expected 'instant' or 'range', got '", word, "'"));
  }
  eval.query = std::string(head);
  eval.points_start_ms = eval.start_ms;
  eval.points_step_ms = eval.step_ms;
  RETURN_IF_ERROR(ReadExpectations(&eval));
  return eval;
}

absl::Status CommandReader::ReadExpectations(EvalCommand* eval) {
  for (std::string_view line; ReadLine(&line) && !line.empty();) {
    if (line.starts_with("expect ")) {
      RETURN_IF_ERROR(ParseExpect(line.substr(7), eval));
      continue;
    }
    for (auto [word, mode] :
         {std::pair<std::string_view, Expectation::Mode>{"expected_fail_message ", Expectation::kEquals},
          {"expected_fail_regexp ", Expectation::kRegex}}) {
      if (!line.starts_with(word)) continue;
      eval->expectations.push_back({Expectation::kFail, mode, std::string(Trim(line.substr(word.size())))});
      line = {};
    }
    if (line.empty()) continue;
    if (std::optional<double> number = ParseGoFloat(line)) {
      eval->scalar = number;
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(SeriesDescription series, ParseSeriesDescription(line));
    eval->series.push_back(std::move(series));
  }
  return absl::OkStatus();
}

}  // namespace narthex::promql::script
