// `narthex test rules`.
#pragma once

#include <string>
#include <vector>

namespace narthex::cli {

// The arguments after "test rules", to the exit status.
int RunTestRules(const std::vector<std::string>& args);

}  // namespace narthex::cli
