// The subcommands, one function each. Each gets the arguments after its name and returns the exit status.
// This is the only folder that prints.
#pragma once

#include <string>
#include <vector>

namespace narthex::cli {

int RunServe(const std::vector<std::string>& args);   // no subcommand: the server, with Prometheus's flags
int RunCheck(const std::vector<std::string>& args);   // check config|rules|metrics|...
int RunQuery(const std::vector<std::string>& args);   // query instant|range SERVER|DIR EXPR
int RunTest(const std::vector<std::string>& args);    // test rules|promql FILE...
int RunPromql(const std::vector<std::string>& args);  // promql format EXPR
int RunTsdb(const std::vector<std::string>& args);    // tsdb list|analyze|dump|...

}  // namespace narthex::cli
