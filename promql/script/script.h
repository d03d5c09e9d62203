// CONTRACT of the script runner: PromQL behaviour as text. Commands `load`, `clear` and `eval` run in order
// against a store in memory that starts empty; docs/testing.md gives the format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace narthex::promql {

class Devices;

struct ScriptFailure {
  int line = 0;  // of the eval, 1-based
  std::string message;
};

struct ScriptReport {
  int passed = 0, failed = 0;  // evals
  std::vector<ScriptFailure> failures;
};

struct ScriptOptions {
  // Runs each instant eval also with @ modifiers at other times, and as the middle of a range query.
  bool variants = true;
  Devices* devices = nullptr;                // may be null: queries run on the CPU
  std::vector<std::string> disabled_passes;  // as EngineOptions'
  const Clock* clock = nullptr;              // required; for deadlines only
};

// Runs a whole script. A malformed script is one failure at the line where it stops.
ScriptReport RunScript(std::string_view text, const ScriptOptions& options);

}  // namespace narthex::promql
