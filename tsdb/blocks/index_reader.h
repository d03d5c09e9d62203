// Reading the index of a Prometheus block (format version 2): symbols, series, chunk references.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/labels.h"

namespace narthex::tsdb::blocks {

struct ChunkMeta {
  int64_t mint = 0, maxt = 0;  // both included
  uint64_t ref = 0;            // segment file in the upper half, offset in the lower
};

// Views bytes that must outlive it. Thread-safe after Open.
class IndexReader {
 public:
  // `name` is the file's, for errors. Checks header, table of contents and symbols.
  static absl::StatusOr<IndexReader> Open(std::string_view bytes, std::string name);
  // The references of all series, ascending, which is the order of their labels.
  absl::StatusOr<std::vector<uint64_t>> AllSeries() const;
  // Reads one series. Both may be null.
  absl::Status Series(uint64_t ref, Labels* labels, std::vector<ChunkMeta>* chunks) const;
  size_t symbol_count() const { return symbols_.size(); }

 private:
  struct Toc {
    uint64_t symbols = 0, series = 0, label_indices = 0, label_offsets = 0, postings = 0,
             postings_offsets = 0;
  };
  explicit IndexReader(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  absl::Status ReadToc();
  absl::Status ReadSymbols();
  // The body of a section: 4 bytes of length, the body, its checksum.
  absl::StatusOr<std::string_view> Section(uint64_t offset, std::string_view what) const;
  absl::Status Corrupt(uint64_t offset, std::string_view what) const;

  std::string_view bytes_;
  std::string name_;
  Toc toc_;
  std::vector<uint32_t> symbols_;  // where each starts, relative to the symbol section
};

}  // namespace narthex::tsdb::blocks
