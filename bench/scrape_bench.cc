// The parsers of exposition formats.
#include <benchmark/benchmark.h>

#include <string>

#include "scraper/parser.h"

namespace narthex::scraper {
namespace {

// A page of the shape of a node exporter's.
std::string Page() {
  std::string page;
  for (int family = 0; family < 100; ++family) {
    std::string name = "node_family_" + std::to_string(family) + "_total";
    page += "# HELP " + name + " Something that is counted.\n# TYPE " + name + " counter\n";
    for (int s = 0; s < 10; ++s) {
      page += name + "{cpu=\"" + std::to_string(s) + "\",mode=\"user\"} " +
              std::to_string(family * 1000 + s) + ".25\n";
    }
  }
  return page;
}

void BM_ParseText(benchmark::State& state) {
  std::string page = Page();
  for (auto _ : state) {
    std::unique_ptr<ExpositionParser> parser = NewTextParser(&page, ParserOptions());
    int series = 0;
    for (EntryKind kind = EntryKind::kHelp; kind != EntryKind::kEnd;) {
      absl::StatusOr<EntryKind> next = parser->Next();
      kind = next.ok() ? *next : EntryKind::kEnd;
      series += kind == EntryKind::kSeries ? 1 : 0;
    }
    benchmark::DoNotOptimize(series);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * page.size()));
}
BENCHMARK(BM_ParseText);

}  // namespace
}  // namespace narthex::scraper
