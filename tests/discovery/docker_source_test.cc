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
            "error while listing networks: not a list");
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
      HasSubstr("dial unix /nonexistent/docker.sock: connect: "));
}

}  // namespace
}  // namespace narthex::discovery
