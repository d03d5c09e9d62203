// Sources of targets that are asked from time to time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "discovery/discovery.h"
#include "discovery/interrupt.h"

namespace narthex::discovery {

// One section of a discovery mechanism. Owner: one watcher, which asks it one at a time.
class Source {
 public:
  virtual ~Source() = default;
  // May block. On an error the last answer stays.
  virtual absl::StatusOr<std::vector<TargetGroup>> Ask() = 0;
  virtual int64_t refresh_interval_ms() const = 0;
  // What the log and the metrics call it: mechanism ("http") and address.
  virtual std::string mechanism() const = 0;
  virtual std::string address() const = 0;
};

std::unique_ptr<Source> NewHttpSource(const Configs::HttpSd& config, const WatcherOptions& options,
                                      std::shared_ptr<Interruption> interruption);
// One name of the section.
std::unique_ptr<Source> NewDnsSource(const Configs::DnsSd& config, const std::string& name,
                                     const WatcherOptions& options);
std::unique_ptr<Source> NewDockerSource(const Configs::DockerSd& config, const WatcherOptions& options,
                                        std::shared_ptr<Interruption> interruption);

// What the Docker API's lists of containers and networks (JSON) say. Errors name what is not as it should be.
absl::StatusOr<TargetGroup> ParseDockerTargets(const Configs::DockerSd& config, std::string_view containers,
                                               std::string_view networks);

}  // namespace narthex::discovery
