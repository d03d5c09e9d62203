// The command lines of the tools (`narthex check ...`), read as promtool reads them: flags before, between
// and after the arguments, --name=value or --name value, --no-name for switches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "promql/syntax/parser.h"

namespace narthex::cli {

// One command's flags. Not thread-safe; owner: the command. The variables that Add names must outlive it.
class ToolFlags {
 public:
  // `usage` is what follows "usage: narthex ": "check rules [<flags>] [<rule-files>...]".
  explicit ToolFlags(std::string usage);

  void Add(std::string_view name, std::string_view help, bool* out, char letter = 0);  // letter: -r
  void Add(std::string_view name, std::string_view help, int64_t* out);
  void Add(std::string_view name, std::string_view help, std::string* out);
  void Add(std::string_view name, std::string_view help, std::vector<std::string>* out);
  void AddDuration(std::string_view name, std::string_view help, int64_t* out_ms);

  // The exit status if there is nothing left to do: help was printed, or a mistake reported.
  std::optional<int> Parse(const std::vector<std::string>& args, std::vector<std::string>* positional);

  // What --enable-feature turned on.
  promql::ParserOptions ParserOptions() const;
  bool delayed_name_removal() const;

 private:
  struct Flag {
    std::string name, help;
    bool* flag = nullptr;
    std::string* text = nullptr;
    std::vector<std::string>* list = nullptr;
    int64_t* duration_ms = nullptr;
    int64_t* number = nullptr;
    char letter = 0;
  };
  absl::Status ReadFlag(std::string_view arg, const std::vector<std::string>& args, size_t* at);
  absl::Status SetValue(const Flag& flag, std::string_view value);
  bool Feature(std::string_view name) const;
  void PrintHelp() const;

  std::string usage_;
  std::vector<Flag> flags_;
  std::vector<std::string> features_;
  bool experimental_ = false;
};

// Reports a mistake in the command line as promtool does; 1, the exit status.
int UsageError(std::string_view message);
// An argument that is no flag.
struct ToolArgument {
  const char* name;
  std::string* out;
  bool required = false;
};
// Puts what Parse left into the arguments, in order; the exit status if there are too few or too many.
std::optional<int> TakeArguments(const std::vector<std::string>& given,
                                 const std::vector<ToolArgument>& arguments);
// Those of `files` must exist; else the exit status.
std::optional<int> CheckExist(const std::vector<std::string>& files);

}  // namespace narthex::cli
