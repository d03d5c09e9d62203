// The commands below `narthex check`, one function each: the arguments after the name, to the exit status.
#pragma once

#include <string>
#include <vector>

namespace narthex::cli {

int RunCheckConfig(const std::vector<std::string>& args);
int RunCheckRules(const std::vector<std::string>& args);
int RunCheckMetrics(const std::vector<std::string>& args);
int RunCheckServiceDiscovery(const std::vector<std::string>& args);
int RunCheckWebConfig(const std::vector<std::string>& args);
int RunCheckHealthy(const std::vector<std::string>& args);
int RunCheckReady(const std::vector<std::string>& args);

}  // namespace narthex::cli
