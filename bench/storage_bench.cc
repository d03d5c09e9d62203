// The store: scrape rounds committed to the journal, sealed, replayed and read.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "tsdb/tsdb.h"

namespace narthex::tsdb {
namespace {

// A store in a folder of its own, which goes away with it.
struct Store {
  Store() : clock(1'700'000'000'000), logger(LogLevel::kError, LogFormat::kLogfmt, &clock) {
    folder = std::filesystem::temp_directory_path() /
             ("narthex-bench." + std::to_string(SystemClock().MonotonicNs()));
    db = Open(folder, &metrics);
    group = std::move(db->OpenGroup(Labels({{"job", "bench"}}))).value();
  }
  ~Store() {
    group.reset();
    db.reset();
    std::filesystem::remove_all(folder);
  }
  std::unique_ptr<Db> Open(const std::filesystem::path& path, MetricsRegistry* registry) const {
    Options options;
    options.path = path.string();
    options.background_work = false;
    options.clock = &clock;
    options.logger = &logger;
    options.metrics = registry;
    return std::move(Db::Open(options)).value();
  }
  void AddSeries(int count) {
    for (int i = 0; i < count; ++i) {
      slots.push_back(*group->AddSeries(Labels({{"__name__", "m" + std::to_string(i)}, {"job", "bench"}})));
    }
  }
  void Round(int n) {
    clock.AdvanceMs(15'000);
    group->Begin(clock.NowMs());
    for (size_t i = 0; i < slots.size(); ++i) {
      // Two thirds of the values change, as on a node exporter.
      group->Set(slots[i], i % 3 == 0 ? 1 : static_cast<double>(n) * static_cast<double>(i));
    }
    benchmark::DoNotOptimize(group->Commit());
  }
  FakeClock clock;
  Logger logger;
  MetricsRegistry metrics;
  std::filesystem::path folder;
  std::unique_ptr<Db> db;
  std::unique_ptr<GroupAppender> group;
  std::vector<Slot> slots;
};

void BM_CommitRound(benchmark::State& state) {
  Store store;
  store.AddSeries(static_cast<int>(state.range(0)));
  int n = 0;
  for (auto _ : state) {
    store.Round(++n);
    if (n % 240 == 0) {
      state.PauseTiming();
      store.db->Maintain(false).IgnoreError();
      state.ResumeTiming();
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));  // samples
}
BENCHMARK(BM_CommitRound)->Arg(100)->Arg(1000);

// Selects all series of an hour, from the head (0) or from sealed stripes (1).
void BM_SelectHour(benchmark::State& state) {
  Store store;
  store.AddSeries(1000);
  int64_t begin = store.clock.NowMs();
  for (int n = 1; n <= 240; ++n) store.Round(n);
  if (state.range(0) == 1) store.db->Maintain(/*force_seal=*/true).IgnoreError();
  for (auto _ : state) {
    auto querier = std::move(store.db->NewQuerier(begin, store.clock.NowMs())).value();
    auto set =
        std::move(querier->Select({Matcher::Equal("job", "bench")}, begin, store.clock.NowMs(), {})).value();
    std::vector<Row> rows;
    for (size_t i = 0; i < set->size(); i += 64) {
      set->ReadBlock(i, std::min<size_t>(64, set->size() - i), &rows).IgnoreError();
      benchmark::DoNotOptimize(rows);
    }
  }
  state.SetItemsProcessed(state.iterations() * 240'000);  // samples
}
BENCHMARK(BM_SelectHour)->Arg(0)->Arg(1);

// An hour of a group of 1,000 series goes from the head into stripes.
void BM_Seal(benchmark::State& state) {
  Store store;
  store.AddSeries(1000);
  int n = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (int i = 0; i < 240; ++i) store.Round(++n);
    state.ResumeTiming();
    if (!store.db->Maintain(/*force_seal=*/true).ok()) state.SkipWithError("not sealed");
  }
  state.SetItemsProcessed(state.iterations() * 240'000);  // samples
}
BENCHMARK(BM_Seal);

// Opening what a killed process left: 120 rounds of 1,000 series in the journal.
void BM_Replay(benchmark::State& state) {
  Store store;
  store.AddSeries(1000);
  for (int n = 1; n <= 120; ++n) store.Round(n);
  const std::filesystem::path copy = store.folder.string() + ".copy";
  for (auto _ : state) {
    state.PauseTiming();
    std::filesystem::copy(store.folder, copy, std::filesystem::copy_options::recursive);
    MetricsRegistry metrics;
    state.ResumeTiming();
    std::unique_ptr<Db> db = store.Open(copy, &metrics);
    state.PauseTiming();
    db.reset();
    std::filesystem::remove_all(copy);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * 120'000);  // samples
}
BENCHMARK(BM_Replay);

}  // namespace
}  // namespace narthex::tsdb
