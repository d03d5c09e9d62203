// narthex promql format EXPR.
#include <cstdio>

#include "cli/commands.h"
#include "promql/syntax/parser.h"

namespace narthex::cli {

int RunPromql(const std::vector<std::string>& args) {
  if (args.size() != 2 || args[0] != "format") {
    std::fprintf(stderr, "usage: narthex promql format EXPR\n");
    return 2;
  }
  promql::ParserOptions options;
  options.experimental_functions = options.extended_range_selectors = options.fill_modifiers = true;
  absl::StatusOr<promql::ExprPtr> expr = promql::ParseExpr(args[1], options);
  if (!expr.ok()) {
    std::fprintf(stderr, "error parsing query: %s\n", std::string(expr.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", promql::Pretty(**expr).c_str());
  return 0;
}

}  // namespace narthex::cli
