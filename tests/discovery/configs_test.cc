#include <gtest/gtest.h>

#include "base/strings.h"
#include "discovery/discovery.h"

namespace narthex::discovery {
namespace {

// Reads the discovery sections of one job; its other keys are unknown.
absl::StatusOr<Configs> Read(std::string_view yaml) {
  absl::StatusOr<YamlNode> node = YamlNode::Parse(yaml);
  if (!node.ok()) return node.status();
  YamlMap map(*node, "config.plain");
  Configs configs;
  absl::Status status = ReadConfigs(&map, "/etc/narthex", &configs);
  if (status.ok()) status = map.Finish();
  if (!status.ok()) return status;
  return configs;
}

std::string ErrorOf(std::string_view yaml) {
  absl::StatusOr<Configs> configs = Read(yaml);
  return configs.ok() ? "accepted" : std::string(configs.status().message());
}

TEST(DiscoveryConfigs, StaticGroupsKeepTheirOrderAndLabels) {
  absl::StatusOr<Configs> configs =
      Read("static_configs: [{targets: ['a:1', 'b:2'], labels: {env: x}}, {targets: ['c:3']}]");
  ASSERT_TRUE(configs.ok()) << configs.status();
  ASSERT_EQ(configs->static_groups.size(), 2u);
  const TargetGroup& first = configs->static_groups[0];
  EXPECT_EQ(first.targets, (std::vector<Labels>{Labels{{"__address__", "a:1"}}, {{"__address__", "b:2"}}}));
  EXPECT_EQ(first.labels, (Labels{{"env", "x"}}));
  EXPECT_NE(first.source, configs->static_groups[1].source);
}

TEST(DiscoveryConfigs, NoSectionsGiveNothing) {
  absl::StatusOr<Configs> configs = Read("{}");
  ASSERT_TRUE(configs.ok());
  EXPECT_TRUE(configs->static_groups.empty() && configs->file_sd.empty() && configs->http_sd.empty() &&
              configs->dns_sd.empty() && configs->unsupported.empty());
}

TEST(DiscoveryConfigs, FilesAreRelativeToTheConfiguration) {
  absl::StatusOr<Configs> configs = Read(
      "file_sd_configs: [{files: [targets/*.yml, /abs/one.json], refresh_interval: 30s}, {files: [a.yaml]}]");
  ASSERT_TRUE(configs.ok()) << configs.status();
  ASSERT_EQ(configs->file_sd.size(), 2u);
  EXPECT_EQ(configs->file_sd[0].files,
            (std::vector<std::string>{"/etc/narthex/targets/*.yml", "/abs/one.json"}));
  EXPECT_EQ(configs->file_sd[0].refresh_interval_ms, 30'000);
  EXPECT_EQ(configs->file_sd[1].refresh_interval_ms, 300'000);
}

TEST(DiscoveryConfigs, FileNamesMustBeJsonOrYamlWithStarsInTheLastPart) {
  for (std::string_view file : {"a.txt", "*/a.json", "a.json.*", "json", "a.Json"}) {
    EXPECT_EQ(ErrorOf(StrCat("file_sd_configs: [{files: ['", file, "']}]")),
              StrCat("path name \"", file, "\" is not valid for file discovery"));
  }
  for (std::string_view file : {"a.json", "d/*.YML", "d/x*y.yaml"}) {
    EXPECT_EQ(ErrorOf(StrCat("file_sd_configs: [{files: ['", file, "']}]")), "accepted") << file;
  }
}

TEST(DiscoveryConfigs, HttpSectionsHaveTheirClientOptions) {
  absl::StatusOr<Configs> configs =
      Read("http_sd_configs: [{url: 'https://sd/targets', refresh_interval: 5s, bearer_token: t}]");
  ASSERT_TRUE(configs.ok()) << configs.status();
  ASSERT_EQ(configs->http_sd.size(), 1u);
  EXPECT_EQ(configs->http_sd[0].url, "https://sd/targets");
  EXPECT_EQ(configs->http_sd[0].refresh_interval_ms, 5000);
  EXPECT_NE(configs->http_sd[0].http, nullptr);
}

TEST(DiscoveryConfigs, DnsTypesMayBeInAnyCase) {
  absl::StatusOr<Configs> configs =
      Read("dns_sd_configs: [{names: [a, b], type: aaaa, port: 9100}, {names: [c]}]");
  ASSERT_TRUE(configs.ok()) << configs.status();
  EXPECT_EQ(configs->dns_sd[0].type, "AAAA");
  EXPECT_EQ(configs->dns_sd[0].names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(configs->dns_sd[0].port, 9100);
  EXPECT_EQ(configs->dns_sd[1].type, "SRV");
}

TEST(DiscoveryConfigs, OtherMechanismsAreNamedNotRefused) {
  absl::StatusOr<Configs> configs =
      Read("{kubernetes_sd_configs: [{role: pod}], static_configs: [{targets: [a]}], ec2_sd_configs: [{}]}");
  ASSERT_TRUE(configs.ok()) << configs.status();
  EXPECT_EQ(configs->unsupported, (std::vector<std::string>{"ec2_sd_configs", "kubernetes_sd_configs"}));
  EXPECT_EQ(configs->static_groups.size(), 1u);
}

TEST(DiscoveryConfigs, RefusalsAreWordedAsUpstreamWordsThem) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"static_configs: [null]", "empty or null section in static_configs"},
      {"static_configs: [{target: [a]}]",
       "yaml: unmarshal errors:\n  line 1: field target not found in type struct"},
      {"static_configs: [{targets: a}]",
       "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `a` into []string"},
      {"file_sd_configs: [{}]", "file service discovery config must contain at least one path name"},
      {"file_sd_configs: [{files: [a.yml], refresh_interval: x}]", "not a valid duration string: \"x\""},
      {"http_sd_configs: [{}]", "URL is missing"},
      {"http_sd_configs: [{url: 'ftp://a/b'}]", "URL scheme must be 'http' or 'https'"},
      {"http_sd_configs: [{url: 'http://'}]", "host is missing in URL"},
      {"http_sd_configs: [{url: 'http:///path'}]", "host is missing in URL"},
      {"dns_sd_configs: [{}]", "DNS-SD config must contain at least one SRV record name"},
      {"dns_sd_configs: [{names: [a], type: A}]",
       "a port is required in DNS-SD configs for all record types except SRV"},
      {"dns_sd_configs: [{names: [a], type: MX}]",
       "a port is required in DNS-SD configs for all record types except SRV"},
      {"dns_sd_configs: [{names: [a], type: Txt}]", "invalid DNS-SD records type Txt"},
      {"consult_sd_configs: []",
       "yaml: unmarshal errors:\n  line 1: field consult_sd_configs not found in type config.plain"},
  };
  for (const auto& [yaml, want] : kCases) EXPECT_EQ(ErrorOf(yaml), want) << yaml;
}

TEST(DiscoveryConfigs, SectionsMustBeLists) {
  for (std::string_view key : {"static_configs", "file_sd_configs", "http_sd_configs", "dns_sd_configs"}) {
    EXPECT_NE(ErrorOf(StrCat(key, ": {a: 1}")).find(key), std::string::npos) << key;
  }
}

TEST(TargetFile, ReadsYamlAndJson) {
  absl::StatusOr<std::vector<TargetGroup>> yaml =
      ParseTargetFile("/d/a.yml", "- targets: ['a:1', 'b:2']\n  labels: {env: x}\n- targets: []\n");
  ASSERT_TRUE(yaml.ok()) << yaml.status();
  ASSERT_EQ(yaml->size(), 2u);
  EXPECT_EQ((*yaml)[0].targets[1], (Labels{{"__address__", "b:2"}}));
  EXPECT_EQ((*yaml)[0].labels, (Labels{{"__meta_filepath", "/d/a.yml"}, {"env", "x"}}));
  EXPECT_EQ((*yaml)[0].source, "/d/a.yml:0");
  EXPECT_EQ((*yaml)[1].source, "/d/a.yml:1");
  EXPECT_EQ((*yaml)[1].labels, (Labels{{"__meta_filepath", "/d/a.yml"}}));

  absl::StatusOr<std::vector<TargetGroup>> json =
      ParseTargetFile("b.json", R"([{"targets": ["c:3"], "labels": {"k": "v\u00e9"}}])");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)[0].labels.Get("k"), "vé");
}

TEST(TargetFile, AnEmptyFileHasNoTargets) {
  absl::StatusOr<std::vector<TargetGroup>> groups = ParseTargetFile("a.yml", "");
  ASSERT_TRUE(groups.ok());
  EXPECT_TRUE(groups->empty());
}

TEST(TargetFile, ErrorsNameTheFileAndTheMistake) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"- targets: [a]\n- null\n", "nil target group item found (index 1)"},
      {"- targets: [a]\n  label: {}\n", "line 2: field label not found in type struct"},
      {"targets: [a]\n", "cannot unmarshal into []*targetgroup.Group"},
      {"- targets: a\n", "line 1: cannot unmarshal !!str `a` into []string"},
      {"- targets: [a\n", "line 2: did not find expected ',' or ']'"},
      {"- labels: {'': x}\n", "\"\" is not a valid label name"},
      {"- labels: {a: !!binary /w==}\n", "\"\\xff\" is not a valid label value"},
  };
  for (const auto& [text, want] : kCases) {
    absl::StatusOr<std::vector<TargetGroup>> groups = ParseTargetFile("d/bad.yml", text);
    ASSERT_FALSE(groups.ok()) << text;
    std::string message(groups.status().message());
    EXPECT_TRUE(message.starts_with("d/bad.yml: ")) << message;
    EXPECT_NE(message.find(want), message.npos) << message;
  }
}

TEST(TargetFile, OtherExtensionsAreRefused) {
  for (std::string_view name : {"a.txt", "a", "a.yml.bak"}) {
    EXPECT_NE(ParseTargetFile(std::string(name), "[]").status().message().find("invalid file extension: \""),
              std::string::npos)
        << name;
  }
}

}  // namespace
}  // namespace narthex::discovery
