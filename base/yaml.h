// The one door to yaml-cpp: documents with line numbers, strict mappings, anchors and merge keys resolved.
//
// Error texts are those of Prometheus's YAML library, "line 7: field foo not found in type config.plain" and
// "line 3: cannot unmarshal !!str `x` into int", collected as "yaml: unmarshal errors:\n  line ...". The
// caller prefixes the file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace narthex {

// A node of a parsed document. Cheap to copy (shared, immutable); thread-safe to read.
class YamlNode {
 public:
  enum class Kind { kNull, kScalar, kSequence, kMapping };
  // Depth limit 100, size limit 64 MiB. An empty document is a null node. Anchors, aliases and << merge keys
  // are resolved (an alias bomb is refused). Of several documents only the first counts. A duplicate key of a
  // free mapping (labels, params, ...) is an error naming its line; other duplicates are kept for YamlMap,
  // which knows the type to name.
  static absl::StatusOr<YamlNode> Parse(std::string_view text);

  YamlNode();  // null
  Kind kind() const;
  int line() const;    // 1-based
  int column() const;  // 1-based
  bool IsNull() const { return kind() == Kind::kNull; }
  bool IsScalar() const { return kind() == Kind::kScalar; }
  bool IsSequence() const { return kind() == Kind::kSequence; }
  bool IsMapping() const { return kind() == Kind::kMapping; }
  bool quoted() const;                                                  // "..." or '...' or a block scalar
  const std::string& scalar() const;                                    // "" unless a scalar
  const std::vector<YamlNode>& items() const;                           // of a sequence
  const std::vector<std::pair<std::string, YamlNode>>& fields() const;  // of a mapping, in order
  int key_line(size_t field) const;                                     // the line of fields()[field]'s key
  // Second and later occurrences of keys, with their lines; not in fields().
  const std::vector<std::pair<std::string, int>>& duplicates() const;
  const YamlNode* Find(std::string_view key) const;  // nullptr if absent
  // Block-style YAML text of this node (for /api/v1/status/config and messages).
  std::string Dump() const;

 private:
  struct Rep;
  friend struct YamlAccess;
  std::shared_ptr<const Rep> rep_;
};

// Reads one mapping strictly. Getters leave *out alone if the key is absent or null; the first error of each
// getter is remembered and all are reported by Finish() together with unknown keys. Usage:
//   YamlMap map(node, "config.plain");
//   map.Get("job_name", &c.job_name);
//   map.GetDuration("scrape_interval", &c.interval_ms);
//   if (const YamlNode* n = map.Child("basic_auth")) ...
//   return map.Finish();
class YamlMap {
 public:
  // type_name is the Go type that Prometheus names in "not found in type X".
  YamlMap(const YamlNode& node, std::string_view type_name);

  void Get(std::string_view key, std::string* out);
  void Get(std::string_view key, bool* out);
  void Get(std::string_view key, int64_t* out);
  void Get(std::string_view key, uint64_t* out);
  void Get(std::string_view key, double* out);
  void Get(std::string_view key, std::vector<std::string>* out);
  void Get(std::string_view key, std::vector<std::pair<std::string, std::string>>* out);  // a flat mapping
  void GetDuration(std::string_view key, int64_t* out_ms);
  void GetBytes(std::string_view key, int64_t* out_bytes);  // "15MB", "1KiB", "0"
  // The child node, nullptr if absent or null; marks the key as known.
  const YamlNode* Child(std::string_view key);
  bool Has(std::string_view key) const;
  int line() const { return node_.line(); }
  // Remembers an error of the caller's ("line N: " is put before it).
  void AddError(int line, std::string_view message);
  // OK, or InvalidArgument "yaml: unmarshal errors:\n  line N: ...". ignore_unknown skips unknown keys.
  absl::Status Finish(bool ignore_unknown = false);

 private:
  const YamlNode* Take(std::string_view key);
  YamlNode node_;
  std::string type_name_;
  std::vector<std::string> known_;
  std::vector<std::string> errors_;
};

// A string as a YAML scalar on one line, quoted where the bare text would mean something else.
std::string YamlString(std::string_view text);

// Byte sizes as alecthomas/units reads them: B KB KiB MB MiB GB GiB TB TiB PB EB (1000 and 1024 both mean
// 1024 for the flags: "512MB" = 512 * 2^20).
absl::StatusOr<int64_t> ParseBytes(std::string_view text);

}  // namespace narthex
