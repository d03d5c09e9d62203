// Export: the store's samples, range by range, as blocks.
#include <algorithm>
#include <random>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/blocks/block_writer.h"
#include "tsdb/blocks/blocks.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr size_t kBlockSeries = 64;

int64_t AlignDown(int64_t t, int64_t to) { return (t >= 0 ? t / to : -((-t + to - 1) / to)) * to; }

class Exporter {
 public:
  Exporter(const Db& db, const std::string& directory, const ExportOptions& options)
      : db_(db), directory_(directory), options_(options), entropy_(std::random_device{}()) {}

  absl::StatusOr<std::vector<Moved>> Run() {
    if (options_.block_ms <= 0) return absl::InvalidArgumentError("a block must have a duration above 0");
    ASSIGN_OR_RETURN(const std::vector<BlockInfo> stored, db_.Inspect({}));
    int64_t mint = INT64_MAX, maxt = INT64_MIN;
    for (const BlockInfo& b : stored) {
      mint = std::min(mint, b.mint);
      maxt = std::max(maxt, b.maxt - 1);
    }
    mint = std::max(mint, options_.mint);
    maxt = std::min(maxt, options_.maxt);
    if (mint > maxt) return std::move(moved_);
    for (int64_t start = AlignDown(mint, options_.block_ms); start <= maxt; start += options_.block_ms) {
      RETURN_IF_ERROR(
          WriteBlock(start, std::max(start, mint), std::min(start + options_.block_ms - 1, maxt)));
    }
    return std::move(moved_);
  }

 private:
  static void Collect(const Row& row, Samples* out) {
    out->Clear();
    out->t.assign(row.t.begin(), row.t.end());
    out->v.assign(row.v.begin(), row.v.end());
    out->h.assign(row.h.begin(), row.h.end());
  }

  // Samples in [mint, maxt] as the block that starts at `start`.
  absl::Status WriteBlock(int64_t start, int64_t mint, int64_t maxt) {
    ASSIGN_OR_RETURN(std::unique_ptr<Querier> querier, db_.NewQuerier(mint, maxt));
    ASSIGN_OR_RETURN(std::unique_ptr<SeriesSet> set, querier->Select(options_.match, mint, maxt, {}));
    if (set->size() == 0) return absl::OkStatus();
    const std::string ulid = MakeUlid(options_.clock->NowMs(), entropy_(), entropy_());
    ASSIGN_OR_RETURN(std::unique_ptr<BlockWriter> writer, BlockWriter::Create(directory_, ulid));
    for (size_t i = 0; i < set->size(); ++i) writer->AddSymbols(set->labels(i));
    std::vector<Row> rows;
    Samples samples;
    int64_t last = INT64_MIN;
    for (size_t first = 0; first < set->size(); first += kBlockSeries) {
      RETURN_IF_ERROR(set->ReadBlock(first, std::min(kBlockSeries, set->size() - first), &rows));
      for (size_t i = 0; i < rows.size(); ++i) {
        Collect(rows[i], &samples);
        const std::vector<EncodedChunk> chunks = EncodeChunks(samples);
        if (chunks.empty()) continue;
        last = std::max(last, chunks.back().maxt);
        RETURN_IF_ERROR(writer->AddSeries(set->labels(first + i), chunks));
      }
    }
    if (writer->series() == 0) return absl::OkStatus();
    // Prometheus takes no samples older than the end of its last block: the last one ends with its data.
    const int64_t end = maxt == start + options_.block_ms - 1 ? start + options_.block_ms : last + 1;
    ASSIGN_OR_RETURN(const BlockMeta meta, writer->Finish(start, end));
    Moved moved{ulid, meta.mint,   meta.maxt,       meta.series, meta.samples,
                0,    meta.chunks, writer->bytes(), false};
    if (options_.block_done) options_.block_done(moved);
    moved_.push_back(std::move(moved));
    return absl::OkStatus();
  }

  const Db& db_;
  const std::string directory_;
  const ExportOptions& options_;
  std::mt19937_64 entropy_;
  std::vector<Moved> moved_;
};

}  // namespace

absl::StatusOr<std::vector<Moved>> Export(const Db& db, const std::string& directory,
                                          const ExportOptions& options) {
  return Exporter(db, directory, options).Run();
}

}  // namespace narthex::tsdb::blocks
