#include "cli/config.h"

#include <gtest/gtest.h>

namespace narthex::cli {
namespace {

std::string ErrorOf(std::string_view yaml) { return std::string(ParseConfig(yaml, ".").status().message()); }

TEST(Config, HandsSectionsToTheirOwners) {
  absl::StatusOr<LoadedConfig> config = ParseConfig(R"(
global: {scrape_interval: 5s, evaluation_interval: 7s}
alerting: {alertmanagers: [{static_configs: [{targets: ["am:9093"]}]}]}
storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 3d, size: 1GB}}}
remote_write: [{url: "http://x/"}]
scrape_configs: [{job_name: a, static_configs: [{targets: ["b:1"]}]}]
)",
                                                    ".");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->global.evaluation_interval_ms, 7000);
  ASSERT_EQ(config->scrape_configs.size(), 1u);
  EXPECT_EQ(config->scrape_configs[0].scrape_interval_ms, 5000);
  EXPECT_EQ(config->alerting.alertmanagers.size(), 1u);
  EXPECT_EQ(config->out_of_order_window_ms, 1'800'000);
  EXPECT_EQ(config->retention_ms, 3LL * 24 * 3600 * 1000);
  ASSERT_EQ(config->remote_write.size(), 1u);
  EXPECT_EQ(config->remote_write[0].url, "http://x/");
  EXPECT_TRUE(config->ignored.empty());
}

TEST(Config, EmptyFileHasTheDefaults) {
  absl::StatusOr<LoadedConfig> config = ParseConfig("", ".");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->global.scrape_interval_ms, 60'000);
  EXPECT_TRUE(config->scrape_configs.empty());
}

TEST(Config, UnknownKeyIsNamedWithItsLine) {
  EXPECT_NE(ErrorOf("global:\n  scrape_interval: 1s\nscrape_config: []\n")
                .find("line 3: field scrape_config not found in type config.plain"),
            std::string::npos);
}

TEST(Config, BadDurationIsNamed) {
  EXPECT_NE(ErrorOf("global:\n  scrape_interval: soon\n").find("not a valid duration string: \"soon\""),
            std::string::npos);
}

TEST(Config, TwoJobsOfOneNameAreRefused) {
  EXPECT_NE(ErrorOf("scrape_configs: [{job_name: a}, {job_name: a}]")
                .find("found multiple scrape configs with job name \"a\""),
            std::string::npos);
}

// Each mistake with the words of its error.
TEST(Config, MistakesInSectionsGetPrometheussWords) {
  const std::pair<const char*, const char*> kCases[] = {
      {"remote_write: [{name: a}]", "url for remote_write is empty"},
      {"remote_write: [{url: http://x}, null]", "empty or null remote write config section"},
      {"remote_write: [{url: http://x, queue_config: {max_shards: 0}}]",
       "remote write queue max_shards must be positive"},
      {"remote_write: [{url: http://x, name: q}, {url: http://y, name: q}]",
       "found multiple remote write configs with job name \"q\""},
      {"remote_write: [{url: http://x, headers: {Host: y}}]",
       "Host is a reserved header. It must not be changed"},
      {"remote_read: [{url: http://x, headers: {Authorization: y}}]",
       "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or "
       "google_iam parameter"},
      {"remote_write: [{url: '::'}]", "parse \"::\": missing protocol scheme"},
      {"remote_write: [{url: http://x, sigv4: {access_key: a}}]",
       "must provide a AWS SigV4 Access key and Secret Key"},
      {"remote_write: [{url: http://x, basic_auth: {username: a}, sigv4: {}}]",
       "Currently configured: [basic_auth sigv4]"},
      {"otlp: {promote_resource_attributes: ['']}", "empty promoted OTel resource attribute"},
      {"scrape_configs: [{job_name: a, label_limit: -1}]", "cannot unmarshal !!int `-1` into uint64"},
      {"remote_write: x", "line 1: cannot unmarshal !!str `x` into []*config.RemoteWriteConfig"},
      {"remote_read: {}", "line 1: cannot unmarshal !!map into []*config.RemoteReadConfig"},
      {"remote_write: [{url: http://x, protobuf_message: x}]",
       "invalid protobuf_message value: unknown type for remote write protobuf message x, supported: "},
      {"runtime: {gogc: x}", "cannot unmarshal !!str `x` into int"},
      {"runtime: {foo: 1}", "field foo not found in type config.RuntimeConfig"},
      {"storage: {exemplars: {foo: 1}}", "field foo not found in type config.ExemplarsConfig"},
      {"storage: {exemplars: x}", "cannot unmarshal !!str `x` into config.ExemplarsConfig"},
      {"tracing: {endpoint: a, client_type: x}",
       "expected tracing client type to be to be http or grpc, but got x"},
      {"tracing: {endpoint: a, headers: {authorization: b}}",
       "custom authorization header configuration is not yet supported"},
      {"otlp: {promote_resource_attributes: [a, ' a']}",
       "duplicated promoted OTel resource attribute \" a\""},
      {"global: {sample_limit: -1}", "cannot unmarshal !!int `-1` into uint64"},
      {"global: {body_size_limit: 10XB}", "units: unknown unit XB in 10XB"},
      {"scrape_configs: [{job_name: a, proxy_url: '%zz'}]", "parse \"%zz\": invalid URL escape \"%zz\""},
      {"scrape_configs: [{job_name: a, tls_config: {ca: a, ca_file: b}}]",
       "at most one of ca, ca_file & ca_ref must be configured"},
      {"scrape_configs: [{job_name: a, static_configs: [{labels: {'': b}}]}]",
       "\"\" is not a valid label name"},
      {"scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [''], target_label: b}]}]",
       "\"\" is not a valid label name"},
      {"scrape_configs: [{job_name: a, dns_sd_configs: [null]}]", "empty or null section in dns_sd_configs"},
      {"tracing: {sampling_fraction: 1}", "tracing endpoint must be set"},
      {"otlp: {translation_strategy: Invalid}", "unsupported OTLP translation strategy \"Invalid\""},
      {"storage: {tsdb: {retention: {size: -1GB}}}",
       "'storage.tsdb.retention.size' must be greater than or equal to 0"},
      {"storage: {tsdb: {chunk_encoding: {floats: xor3}}}", "'storage.tsdb.chunk_encoding.floats' must be"},
      {"scrape_config_files: ['a/*/b']", "invalid scrape config file path \"a/*/b\""},
      {"scrape_configs: [{job_name: a, static_configs: [null]}]", "empty or null section in static_configs"},
      {"scrape_configs: [{job_name: a, relabel_configs: [{action: null}]}]",
       "relabel action cannot be empty"},
      {"scrape_configs: [{job_name: a, basic_auth: {username: u}, bearer_token: t}]",
       "at most one of basic_auth"},
      {"scrape_configs: [{job_name: a, scrape_interval: 1s, scrape_timeout: 2s}]",
       "scrape timeout greater than scrape interval"},
      {"global: {external_labels: {!!binary \"/w==\": x}}", "\"\\xff\" is not a valid label name"},
      {"alerting: {alertmanagers: [{api_version: v1}]}", "expected Alertmanager api version"},
  };
  for (const auto& [yaml, error] : kCases) {
    EXPECT_NE(ErrorOf(yaml).find(error), std::string::npos) << yaml << "\n gave: " << ErrorOf(yaml);
  }
}

TEST(Config, WhatGosLibraryTakesIsTaken) {
  for (const char* yaml :
       {"global: {sample_limit: 1.5}", "global: {label_limit: 1e3}", "otlp: {translation_strategy: ''}",
        "scrape_configs: [{job_name: a, scrape_protocols: null}]", "global: {scrape_protocols: null}",
        "runtime: {gogc: 50}"})
    EXPECT_EQ(ErrorOf(yaml), "") << yaml;
}

TEST(Config, MissingFileIsNamed) {
  EXPECT_NE(std::string(LoadConfig("/nonexistent/p.yml").status().message()).find("/nonexistent/p.yml"),
            std::string::npos);
}

}  // namespace
}  // namespace narthex::cli
