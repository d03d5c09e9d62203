#include "cli/tool/check_config.h"
#include "base/files.h"

#include <glob.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/config.h"

namespace narthex::cli {
namespace {

namespace fs = std::filesystem;

// A file's name as promtool shows it: joined to the folder of the configuration, in its shortest form.
std::string Shown(const std::string& path) { return fs::path(path).lexically_normal().string(); }

std::vector<std::string> Glob(const std::string& pattern) {
  glob_t found = {};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  return files;
}

absl::Status CheckFileExists(const std::string& what, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::error_code error;
  if (fs::exists(path, error)) return absl::OkStatus();
  const std::string reason = absl::AsciiStrToLower(std::strerror(error ? error.value() : ENOENT));
  return absl::InvalidArgumentError(
      StrCat("error checking ", what, " ", GoQuote(Shown(path)), ": stat ", Shown(path), ": ", reason));
}

absl::Status CheckTls(const TlsConfig& tls, bool syntax_only) {
  if (!tls.cert_file.empty() && tls.key_file.empty() && tls.key.empty()) {
    return absl::InvalidArgumentError(
        StrCat("client cert file ", GoQuote(Shown(tls.cert_file)), " specified without client key file"));
  }
  if (!tls.key_file.empty() && tls.cert_file.empty() && tls.cert.empty()) {
    return absl::InvalidArgumentError(
        StrCat("client key file ", GoQuote(Shown(tls.key_file)), " specified without client cert file"));
  }
  if (syntax_only) return absl::OkStatus();
  RETURN_IF_ERROR(CheckFileExists("client cert file", tls.cert_file));
  return CheckFileExists("client key file", tls.key_file);
}

// The target files that a file_sd section names; `where` ("scrape job \"x\"") is for the warning.
template <typename CheckGroups>
absl::Status CheckTargetFiles(const discovery::Configs& configs, const std::string& where,
                              const CheckGroups& check_groups) {
  for (const discovery::Configs::FileSd& section : configs.file_sd) {
    for (const std::string& pattern : section.files) {
      std::vector<std::string> files = Glob(pattern);
      if (files.empty()) {
        std::printf("  WARNING: file %s for file_sd in %s does not exist\n", GoQuote(Shown(pattern)).c_str(),
                    where.c_str());
      }
      for (const std::string& file : files) {
        absl::StatusOr<std::string> text = ReadFile(file);
        absl::StatusOr<std::vector<discovery::TargetGroup>> groups =
            text.ok() ? discovery::ParseTargetFile(file, *text) : text.status();
        if (!groups.ok()) {
          return absl::InvalidArgumentError(
              StrCat("checking SD file ", GoQuote(Shown(pattern)), ": ", groups.status().message()));
        }
        RETURN_IF_ERROR(check_groups(*groups));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckScrapeTargets(const std::vector<discovery::TargetGroup>& groups,
                                const scraper::ScrapeConfig& job) {
  for (const scraper::ResolvedTarget& target : scraper::ResolveTargets(groups, job)) {
    RETURN_IF_ERROR(target.error);
  }
  return absl::OkStatus();
}

absl::Status CheckScrapeConfig(const scraper::ScrapeConfig& job, bool syntax_only) {
  if (job.http) {
    if (!syntax_only) {
      RETURN_IF_ERROR(
          CheckFileExists("authorization credentials or bearer token file", job.http->auth_credentials_file));
    }
    RETURN_IF_ERROR(CheckTls(job.http->tls, syntax_only));
  }
  if (!syntax_only) {
    auto check = [&job](const auto& groups) { return CheckScrapeTargets(groups, job); };
    RETURN_IF_ERROR(CheckTargetFiles(job.discovery, StrCat("scrape job ", GoQuote(job.job_name)), check));
  }
  return CheckScrapeTargets(job.discovery.static_groups, job);
}

absl::Status CheckAlertmanager(const alerting::AlertmanagerConfig& config, bool syntax_only) {
  auto check = [&config](const std::vector<discovery::TargetGroup>& groups) {
    return alerting::CheckTargets(groups, config);
  };
  if (!syntax_only) RETURN_IF_ERROR(CheckTargetFiles(config.discovery, "alertmanager config", check));
  return check(config.discovery.static_groups);
}

// The rule files, in the order of the patterns. A name without * must be there.
absl::StatusOr<std::vector<std::string>> RuleFiles(const LoadedConfig& config, const std::string& dir) {
  std::vector<std::string> out;
  for (const std::string& pattern : config.rule_patterns) {
    const std::string path = pattern.starts_with("/") ? pattern : Shown((fs::path(dir) / pattern).string());
    std::vector<std::string> files = Glob(path);
    if (files.empty() && path.find('*') == path.npos) {
      return absl::InvalidArgumentError(StrCat(GoQuote(path), " does not point to an existing file"));
    }
    out.insert(out.end(), files.begin(), files.end());
  }
  return out;
}

absl::StatusOr<std::vector<std::string>> CheckLoaded(const LoadedConfig& config, const std::string& dir,
                                                     bool syntax_only) {
  std::vector<std::string> rule_files;
  if (!syntax_only) {
    ASSIGN_OR_RETURN(rule_files, RuleFiles(config, dir));
  }
  for (const scraper::ScrapeConfig& job : config.scrape_configs) {
    RETURN_IF_ERROR(CheckScrapeConfig(job, syntax_only));
  }
  for (const alerting::AlertmanagerConfig& config : config.alerting.alertmanagers) {
    RETURN_IF_ERROR(CheckAlertmanager(config, syntax_only));
  }
  return rule_files;
}

CheckOutcome LintScrapeIntervals(const LoadedConfig& config, int64_t limit_ms) {
  for (const scraper::ScrapeConfig& job : config.scrape_configs) {
    if (limit_ms <= 0 || job.scrape_interval_ms < limit_ms) continue;
    std::fprintf(stderr,
                 "  FAILED: too long scrape interval found, data point will be marked as stale - job: %s, "
                 "interval: %s\n",
                 job.job_name.c_str(), FormatDurationMs(job.scrape_interval_ms).c_str());
    return {/*failed=*/true, /*errors=*/false};
  }
  return {};
}

CheckOutcome CheckOne(const std::string& file, const ConfigCheck& check) {
  std::printf("Checking %s\n", file.c_str());
  absl::StatusOr<LoadedConfig> config = LoadConfig(file, check.agent_mode);
  absl::StatusOr<std::vector<std::string>> rule_files =
      config.ok() ? CheckLoaded(*config, fs::path(file).parent_path().string(), check.syntax_only)
                  : config.status();
  if (!rule_files.ok()) {
    std::fflush(stdout);
    std::fprintf(stderr, "  FAILED: %s\n", std::string(rule_files.status().message()).c_str());
    std::printf("\n");
    return {true, true};
  }
  if (!rule_files->empty()) std::printf("  SUCCESS: %zu rule files found\n", rule_files->size());
  std::printf(" SUCCESS: %s is valid prometheus config file syntax\n\n", file.c_str());
  std::fflush(stdout);
  CheckOutcome outcome;
  if (check.syntax_only) return outcome;
  outcome.Add(LintScrapeIntervals(*config, check.max_scrape_interval_ms));
  RuleCheck rules = check.rules;
  if (config->global.metric_name_validation_scheme == "legacy") rules.names = NameValidation::kLegacy;
  outcome.Add(CheckRuleFiles(*rule_files, rules));
  return outcome;
}

}  // namespace

CheckOutcome CheckConfigFiles(const std::vector<std::string>& files, const ConfigCheck& check) {
  CheckOutcome all;
  for (const std::string& file : files) all.Add(CheckOne(file, check));
  return all;
}

}  // namespace narthex::cli
