// prometheus.yml: read whole, each section handed to the folder that owns it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "alerting/alerting.h"
#include "base/yaml.h"
#include "promql/syntax/parser.h"
#include "remote/remote.h"
#include "rules/rules.h"
#include "scraper/scraper.h"

namespace narthex::cli {

struct LoadedConfig {
  scraper::GlobalConfig global;
  std::vector<scraper::ScrapeConfig> scrape_configs;
  alerting::AlertingConfig alerting;
  std::vector<remote::RemoteWriteConfig> remote_write;
  std::vector<remote::RemoteReadConfig> remote_read;
  remote::OtlpConfig otlp;
  std::vector<std::string> rule_patterns;  // as written
  std::vector<std::string> rule_files;     // what the patterns match, sorted
  int64_t out_of_order_window_ms = 0;
  int64_t retention_ms = 0, retention_bytes = 0;  // storage.tsdb.retention; 0 = not given
  std::vector<std::string> ignored;  // sections that are accepted and not acted on yet: "remote_write", ...
  std::string yaml;                  // effective configuration for /api/v1/status/config
};

// Parses the text of a configuration. base_dir: where relative file names start. Errors lack the file's name.
absl::StatusOr<LoadedConfig> ParseConfig(std::string_view text, const std::string& base_dir);
// Reads and parses a file. The error is Prometheus's: "parsing YAML file prometheus.yml: yaml: ...".
// In agent mode the sections that an agent cannot have are errors.
absl::StatusOr<LoadedConfig> LoadConfig(const std::string& path, bool agent_mode = false);
// Loads all rule files of a configuration; the error names file and line.
absl::StatusOr<std::vector<rules::GroupSpec>> LoadRules(const LoadedConfig& config,
                                                        const promql::ParserOptions& parser);

}  // namespace narthex::cli
