#include <unistd.h>

#include "base/strings.h"
#include "discovery/sources.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_server.h"

namespace narthex::discovery {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kNetworks = R"([
  {"Id": "n1", "Name": "app", "Scope": "local", "Internal": false, "Ingress": false, "Labels": {"team.x": "a"}},
  {"Id": "n2", "Name": "back", "Scope": "swarm", "Internal": true, "Ingress": false, "Labels": {}}])";

constexpr std::string_view kContainers = R"([
  {"Id": "c1", "Names": ["/web", "/other"], "Labels": {"com.docker/name": "web"},
   "HostConfig": {"NetworkMode": "app"},
   "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
             {"PrivatePort": 81, "Type": "tcp"}, {"PrivatePort": 53, "Type": "udp"}],
   "NetworkSettings": {"Networks": {"back": {"NetworkID": "n2", "IPAddress": "10.2.0.2"},
                                    "app": {"NetworkID": "n1", "IPAddress": "10.1.0.2"}}}},
  {"Id": "c2", "Names": ["/sidecar"], "HostConfig": {"NetworkMode": "container:c1"}, "Ports": [],
   "NetworkSettings": {"Networks": {}}},
  {"Id": "c3", "Names": ["/host"], "HostConfig": {"NetworkMode": "host"},
   "NetworkSettings": {"Networks": {"host": {"NetworkID": "n3", "IPAddress": ""}}}},
  {"Id": "c4", "Names": [], "HostConfig": {"NetworkMode": "app"}}])";

std::vector<std::string> Addresses(const TargetGroup& group) {
  std::vector<std::string> out;
  for (const Labels& target : group.targets) out.emplace_back(target.Get("__address__"));
  return out;
}

TEST(DockerSource, EachPortOfTheFirstNetworkIsATarget) {
  Configs::DockerSd config;
  auto group = ParseDockerTargets(config, kContainers, kNetworks);
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(group->source, "Docker");
  EXPECT_EQ(Addresses(*group),
            (std::vector<std::string>{"10.1.0.2:80", "10.1.0.2:81", "10.1.0.2:80", "localhost"}));
  EXPECT_EQ(group->targets[0], (Labels{{"__address__", "10.1.0.2:80"},
                                       {"__meta_docker_container_id", "c1"},
                                       {"__meta_docker_container_label_com_docker_name", "web"},
                                       {"__meta_docker_container_name", "/web"},
                                       {"__meta_docker_container_network_mode", "app"},
                                       {"__meta_docker_network_id", "n1"},
                                       {"__meta_docker_network_ingress", "false"},
                                       {"__meta_docker_network_internal", "false"},
                                       {"__meta_docker_network_ip", "10.1.0.2"},
                                       {"__meta_docker_network_label_team_x", "a"},
                                       {"__meta_docker_network_name", "app"},
                                       {"__meta_docker_network_scope", "local"},
                                       {"__meta_docker_port_private", "80"},
                                       {"__meta_docker_port_public", "8080"},
                                       {"__meta_docker_port_public_ip", "0.0.0.0"}}));
  EXPECT_EQ(group->targets[1].Get("__meta_docker_port_public"), "");
}

TEST(DockerSource, AllNetworksIfWanted) {
  Configs::DockerSd config;
  config.match_first_network = false;
  config.port = 9000;
  config.host_networking_host = "10.9.9.9";
  auto group = ParseDockerTargets(config, kContainers, kNetworks);
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(Addresses(*group),
            (std::vector<std::string>{"10.1.0.2:80", "10.1.0.2:81", "10.2.0.2:80", "10.2.0.2:81",
                                      "10.1.0.2:9000", "10.2.0.2:9000", "10.9.9.9"}));
}

TEST(DockerSource, ContainersThatShareNetworksInACircleEnd) {
  auto group =
      ParseDockerTargets({}, R"([{"Id": "a", "Names": ["/a"], "HostConfig": {"NetworkMode": "container:b"}},
      {"Id": "b", "Names": ["/b"], "HostConfig": {"NetworkMode": "container:a"}}])",
                         "[]");
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_TRUE(group->targets.empty());
}

TEST(DockerSource, WhatIsNoListIsRefused) {
  EXPECT_EQ(ParseDockerTargets({}, "{}", "[]").status().message(),
            "error while listing containers: not a list");
  EXPECT_EQ(ParseDockerTargets({}, "[]", "\"x\"").status().message(),
            "error while computing network labels: not a list");
  EXPECT_TRUE(ParseDockerTargets({}, "[1, null, {\"Names\": 5}]", "[null]").ok());
}

TEST(DockerSource, AsksTheDaemonOverItsUnixSocket) {
  const std::string path = ::testing::TempDir() + "narthex_docker.sock";
  unlink(path.c_str());
  std::string asked;
  testing::RawServer daemon(
      [&asked](testing::RawServer::Connection& c) {
        StrAppend(&asked, c.path(), " ");
        c.Answer(200, "application/json", c.path() == "/networks" ? kNetworks : kContainers);
      },
      nullptr, path);
  Configs::DockerSd config;
  config.host = StrCat("unix://", path);
  config.filters = {{"name", {"a", "b"}}};
  config.http = std::make_shared<HttpClientConfig>();
  HttpClient http;
  WatcherOptions options;
  options.http = &http;
  auto source = NewDockerSource(config, options, std::make_shared<Interruption>());
  auto groups = source->Ask();
  ASSERT_TRUE(groups.ok()) << groups.status();
  EXPECT_EQ((*groups)[0].targets.size(), 4u);
  EXPECT_EQ(asked,
            StrCat("/containers/json?filters=", UrlEscape(R"({"name":{"a":true,"b":true}})"), " /networks "));
  unlink(path.c_str());
  config.host = "unix:///nonexistent/docker.sock";
  EXPECT_THAT(
      std::string(
          NewDockerSource(config, options, std::make_shared<Interruption>())->Ask().status().message()),
      HasSubstr(
          "Cannot connect to the Docker daemon at unix:///nonexistent/docker.sock. Is the docker daemon "
          "running?"));
}

// A daemon on a TCP port that answers as the test says.
class DockerOverTcp : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<TargetGroup>> Ask(std::string_view scheme, const Configs::DockerSd& sd = {}) {
    Configs::DockerSd config = sd;
    config.host = StrCat(scheme, daemon_.address());
    return AskAt(config);
  }
  absl::StatusOr<std::vector<TargetGroup>> AskAt(Configs::DockerSd config) {
    config.http = std::make_shared<HttpClientConfig>();
    WatcherOptions options;
    options.http = &http_;
    return NewDockerSource(config, options, std::make_shared<Interruption>())->Ask();
  }
  std::string ErrorOf(std::string_view scheme) { return std::string(Ask(scheme).status().message()); }

  int containers_status_ = 200, networks_status_ = 200;
  std::string containers_{kContainers}, networks_{kNetworks}, asked_;
  HttpClient http_;
  testing::RawServer daemon_{[this](testing::RawServer::Connection& c) {
    StrAppend(&asked_, c.path(), " ");
    const bool networks = c.path() == "/networks";
    c.Answer(networks ? networks_status_ : containers_status_, "application/json",
             networks ? networks_ : containers_);
  }};
};

TEST_F(DockerOverTcp, AsksThePort) {
  for (const char* scheme : {"tcp://", "http://"}) {
    asked_.clear();
    auto groups = Ask(scheme);
    ASSERT_TRUE(groups.ok()) << groups.status();
    EXPECT_EQ(Addresses((*groups)[0]),
              (std::vector<std::string>{"10.1.0.2:80", "10.1.0.2:81", "10.1.0.2:80", "localhost"}));
    EXPECT_EQ(asked_, "/containers/json /networks ");
  }
}

TEST_F(DockerOverTcp, SendsFiltersAndKeepsToItsOptions) {
  Configs::DockerSd config;
  config.filters = {{"name", {"b", "a"}}, {"label", {"x=y"}}};
  config.match_first_network = false;
  config.host_networking_host = "10.9.9.9";
  config.port = 9000;
  auto groups = Ask("tcp://", config);
  ASSERT_TRUE(groups.ok()) << groups.status();
  EXPECT_EQ(Addresses((*groups)[0]),
            (std::vector<std::string>{"10.1.0.2:80", "10.1.0.2:81", "10.2.0.2:80", "10.2.0.2:81",
                                      "10.1.0.2:9000", "10.2.0.2:9000", "10.9.9.9"}));
  EXPECT_EQ(asked_, StrCat("/containers/json?filters=",
                           UrlEscape(R"({"name":{"b":true,"a":true},"label":{"x=y":true}})"), " /networks "));
}

TEST_F(DockerOverTcp, LabelsOfNetworksThatAreNotListedAreMissing) {
  networks_ = "[]";
  auto groups = Ask("tcp://");
  ASSERT_TRUE(groups.ok()) << groups.status();
  EXPECT_FALSE((*groups)[0].targets[0].Has("__meta_docker_network_id"));
  EXPECT_EQ((*groups)[0].targets[0].Get("__meta_docker_network_ip"), "10.1.0.2");
}

TEST_F(DockerOverTcp, SaysWhatTheDaemonSays) {
  containers_status_ = 500;
  containers_ = R"({"message":"oh no"})";
  EXPECT_EQ(ErrorOf("tcp://"), "error while listing containers: Error response from daemon: oh no");
  containers_ = "oops";
  EXPECT_EQ(ErrorOf("tcp://"),
            "error while listing containers: Error response from daemon: 500 Internal Server Error");
  containers_status_ = 200;
  containers_ = "{not json";
  EXPECT_EQ(ErrorOf("http://"), "error while listing containers: not a list");
  containers_ = "[]";
  networks_status_ = 500;
  networks_ = R"({"message":"no nets"})";
  EXPECT_EQ(ErrorOf("http://"), "error while computing network labels: Error response from daemon: no nets");
}

TEST_F(DockerOverTcp, APortWithoutADaemonIsNamed) {
  // A port that was free a moment ago.
  auto gone = std::make_unique<testing::RawServer>([](testing::RawServer::Connection&) {});
  Configs::DockerSd config;
  config.host = StrCat("tcp://", gone->address());
  gone.reset();
  EXPECT_EQ(AskAt(config).status().message(),
            StrCat("error while listing containers: Cannot connect to the Docker daemon at ", config.host,
                   ". Is the docker daemon running?"));
}

}  // namespace
}  // namespace narthex::discovery
