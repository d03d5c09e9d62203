// What the store is made of, piece by piece: chunks, tiles, the journal's records, postings.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "tsdb/format/nx_chunk.h"
#include "tsdb/format/records.h"
#include "tsdb/format/tile_rows.h"
#include "tsdb/journal.h"
#include "tsdb/postings.h"

namespace narthex::tsdb {
namespace {

// What series look like: most of those of an exporter are one of the first three.
enum class Mix { kConstant, kCounter, kSeldom, kGauge, kNoise };

double NextValue(Mix mix, double last, std::mt19937_64* random) {
  const auto dice = [random](uint64_t n) { return static_cast<int64_t>((*random)() % n); };
  switch (mix) {
    case Mix::kConstant:
      return last;
    case Mix::kCounter:
      return last + static_cast<double>(dice(50));
    case Mix::kSeldom:  // one sample in ten is another than the one before
      return dice(10) == 0 ? last + 1 : last;
    case Mix::kGauge:  // with one digit behind the point; three in five change
      return dice(5) < 3 ? FromDecimal(200 + dice(11), 1) : last;
    case Mix::kNoise:
      return static_cast<double>((*random)() >> 11) * 0x1p-53;
  }
  return last;
}

// An hour of a series at 15 s.
std::vector<double> Hour(Mix mix, std::mt19937_64* random) {
  std::vector<double> values(240, 20);
  for (size_t i = 1; i < values.size(); ++i) values[i] = NextValue(mix, values[i - 1], random);
  return values;
}

constexpr int kChunks = 200;  // more than branch prediction learns by heart

struct Chunks {
  explicit Chunks(Mix mix) {
    std::mt19937_64 random(1);
    for (int i = 0; i < kChunks; ++i) {
      values.push_back(Hour(mix, &random));
      PutNxChunk(&bytes.emplace_back(), values.back().data(), values.back().size());
    }
  }
  std::vector<std::vector<double>> values;
  std::vector<std::string> bytes;
};

void BM_EncodeChunk(benchmark::State& state, Mix mix) {
  const Chunks chunks(mix);
  std::string out;
  for (auto _ : state) {
    out.clear();
    for (const std::vector<double>& values : chunks.values) PutNxChunk(&out, values.data(), values.size());
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * kChunks * 240);  // samples
  state.counters["bytes/sample"] = static_cast<double>(out.size()) / (kChunks * 240);
}

void BM_DecodeChunk(benchmark::State& state, Mix mix) {
  const Chunks chunks(mix);
  std::vector<double> values(240);
  for (auto _ : state) {
    for (const std::string& bytes : chunks.bytes) {
      ByteReader in(bytes);
      benchmark::DoNotOptimize(ReadNxChunk(&in, values.data(), values.size()));
    }
  }
  state.SetItemsProcessed(state.iterations() * kChunks * 240);
}

// The newest sample of each minute, as a step of 60 s wants them. Items are samples that are stored.
void BM_DecodeEachFourth(benchmark::State& state, Mix mix) {
  const Chunks chunks(mix);
  std::vector<uint32_t> at;
  for (uint32_t i = 3; i < 240; i += 4) at.push_back(i);
  std::vector<double> values(at.size());
  for (auto _ : state) {
    for (const std::string& bytes : chunks.bytes) {
      ByteReader in(bytes);
      benchmark::DoNotOptimize(ReadNxChunkAt(&in, 240, at, values.data()));
    }
  }
  state.SetItemsProcessed(state.iterations() * kChunks * 240);
}

#define NARTHEX_MIXES(function)                              \
  BENCHMARK_CAPTURE(function, constant, Mix::kConstant);     \
  BENCHMARK_CAPTURE(function, counter, Mix::kCounter);       \
  BENCHMARK_CAPTURE(function, seldom_changes, Mix::kSeldom); \
  BENCHMARK_CAPTURE(function, gauge, Mix::kGauge);           \
  BENCHMARK_CAPTURE(function, noise, Mix::kNoise)
NARTHEX_MIXES(BM_EncodeChunk);
NARTHEX_MIXES(BM_DecodeChunk);
NARTHEX_MIXES(BM_DecodeEachFourth);
#undef NARTHEX_MIXES

// 32 rounds of a target, a third of its series of each of three kinds, become a tile. Items are samples.
void BM_BuildTile(benchmark::State& state) {
  std::mt19937_64 random(1);
  const size_t series = static_cast<size_t>(state.range(0));
  Round round;
  round.values.assign(series, 20);
  round.present.Resize(series);
  for (size_t i = 0; i < series; ++i) round.present.Set(i);
  std::vector<std::string> rounds;
  Round before;
  for (size_t n = 0; n < TileRows::kMaxRows; ++n) {
    round.t += 15'000;
    for (size_t i = 0; i < series; ++i) {
      const Mix mix = i % 3 == 0 ? Mix::kConstant : i % 3 == 1 ? Mix::kCounter : Mix::kGauge;
      round.values[i] = NextValue(mix, round.values[i], &random);
    }
    PutRound(&rounds.emplace_back(), round, n == 0 ? nullptr : &before);
    before = round;
  }
  for (auto _ : state) {
    TileRows rows;
    for (const std::string& one : rounds) benchmark::DoNotOptimize(rows.Add(one));
    std::string bytes;
    std::vector<uint32_t> ends;
    size_t bad = 0;
    benchmark::DoNotOptimize(rows.Encode(&bytes, &ends, &bad));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * static_cast<int64_t>(rounds.size()));
}
BENCHMARK(BM_BuildTile)->Arg(100)->Arg(1000);

// Records as long as a round of 100 series, and of 1,000.
void BM_JournalAppend(benchmark::State& state) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("narthex-bench-journal." + std::to_string(state.range(0)));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  {
    FakeClock clock(0);
    Logger logger(LogLevel::kError, LogFormat::kLogfmt, &clock);
    Journal::OpenStats stats;
    auto journal =
        std::move(Journal::Open(
                      folder.string(), nullptr, &logger, [](uint64_t, std::string_view) {}, &stats))
            .value();
    const std::string payload(static_cast<size_t>(state.range(0)), 'x');
    uint64_t sequence = 0;
    for (auto _ : state) {
      absl::Status written;
      uint64_t bytes = 0;
      sequence = journal->Append(payload, &written, &bytes);
      if (!written.ok()) state.SkipWithError("not written");
      if (sequence % 4096 == 0) journal->Free(sequence);
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_JournalAppend)->Arg(130)->Arg(1300);

// {instance="one of 100", metric="one of 50"}: ids of 1,000 targets' series that follow one another, and
// every 50th.
void BM_IntersectPostings(benchmark::State& state) {
  const SeriesId count = static_cast<SeriesId>(state.range(0));
  Postings instance, metric;
  std::vector<SeriesId> ids;
  for (SeriesId id = count / 2; id < count / 2 + count / 100; ++id) ids.push_back(id);
  instance.AddMany(ids);
  instance.Finish();
  ids.clear();
  for (SeriesId id = 1; id <= count; id += 50) ids.push_back(id);
  metric.AddMany(ids);
  metric.Finish();
  size_t found = 0;
  for (auto _ : state) benchmark::DoNotOptimize(found = instance.Common(metric).size());
  state.counters["found"] = static_cast<double>(found);
}
BENCHMARK(BM_IntersectPostings)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace narthex::tsdb
