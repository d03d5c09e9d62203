// CONTRACT of cli: the subcommand table of the `narthex` program.
#pragma once

#include <string>
#include <vector>

namespace narthex::cli {

// Runs the program with argv[1..]; returns its exit status: 0 ok, 1 failure, 2 bad usage or configuration, 3
// lint.
int Main(const std::vector<std::string>& args);

}  // namespace narthex::cli
