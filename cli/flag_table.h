// The rows of Prometheus's flag table: name, kind, default.
#pragma once

#include <span>

namespace narthex::cli {

enum class FlagKind { kBool, kString, kDuration, kInt, kFloat, kBytes, kList };

struct FlagRow {
  const char* name;
  FlagKind kind;
  const char* default_value;
  bool acted_on;  // false: accepted and shown only
};

std::span<const FlagRow> FlagTable();

}  // namespace narthex::cli
