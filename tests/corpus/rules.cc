// rules/: rule files that load or are refused.
#include "rules/rules.h"

#include "base/strings.h"
#include "tests/corpus/corpus.h"

namespace narthex::corpus {

void RunRules(const std::string& dir, Report* report) {
  for (const TsvRow& row : ReadTsv(dir, "cases.tsv", 4, report)) {
    std::string path = StrCat(dir, "/", row.cells[0]);
    absl::StatusOr<std::string> text = ReadText(path);
    if (!text.ok()) {
      report->Result(row.where, std::string(text.status().message()));
      continue;
    }
    NameValidation names = row.cells[2] == "legacy" ? NameValidation::kLegacy : NameValidation::kUtf8;
    absl::Status status =
        rules::ParseRuleFile(path, *text, promql::ParserOptions(), /*ignore_unknown=*/false, names).status();
    std::string where = StrCat(row.where, " (", row.cells[2], ")");
    if (status.ok() != (row.cells[1] == "ok")) {
      report->Result(where, status.ok() ? StrCat("should be refused: ", row.cells[3]) : status.ToString());
    } else {
      report->Result(where, status.ok() ? "" : Missing(std::string(status.message()), row.cells[3]));
    }
  }
}

}  // namespace narthex::corpus
