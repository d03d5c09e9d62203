// Writing a block: chunk segments, index, meta.json.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/labels.h"
#include "tsdb/blocks/block_meta.h"
#include "tsdb/blocks/chunk.h"
#include "tsdb/blocks/index_reader.h"

namespace narthex::tsdb::blocks {

// A file written front to back. The first error stays and is told by Close. Not thread-safe.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  ~FileWriter();
  void Write(std::string_view bytes);
  uint64_t position() const { return position_; }
  absl::Status Close();  // with fsync

 private:
  const std::string path_;
  std::FILE* file_;
  uint64_t position_ = 0;
  absl::Status status_;
};

// Index format 2. Symbols first, then series in order of labels, then Finish. Not thread-safe.
class IndexWriter {
 public:
  explicit IndexWriter(const std::string& path);
  void AddSymbols(const Labels& labels);
  absl::Status AddSeries(const Labels& labels, const std::vector<ChunkMeta>& chunks);
  absl::Status Finish();

 private:
  void Pad(size_t alignment);
  // Length, body, checksum; returns where it starts.
  uint64_t WriteSection(std::string_view body);
  void WriteSymbols();

  FileWriter file_;
  std::map<std::string, uint32_t, std::less<>> symbols_;
  bool symbols_written_ = false;
  Labels last_;
  uint64_t symbols_at_ = 0, series_at_ = 0;
  std::vector<uint32_t> all_;
  std::map<std::pair<std::string, std::string>, std::vector<uint32_t>> postings_;
};

// One block in `directory`. It is written aside and renamed by Finish; without Finish nothing stays. Not
// thread-safe.
class BlockWriter {
 public:
  static absl::StatusOr<std::unique_ptr<BlockWriter>> Create(const std::string& directory,
                                                             const std::string& ulid);
  ~BlockWriter();
  void AddSymbols(const Labels& labels) { index_->AddSymbols(labels); }
  absl::Status AddSeries(const Labels& labels, const std::vector<EncodedChunk>& chunks);
  // Fills the counts; the caller sets the times. Returns what was written.
  absl::StatusOr<BlockMeta> Finish(int64_t mint, int64_t maxt);
  uint64_t series() const { return meta_.series; }
  uint64_t bytes() const { return bytes_; }

 private:
  BlockWriter(std::string path, std::string ulid);
  absl::Status NextSegment();

  const std::string path_, aside_;
  BlockMeta meta_;
  std::unique_ptr<IndexWriter> index_;
  std::unique_ptr<FileWriter> segment_;
  uint64_t segments_ = 0, bytes_ = 0;
  bool finished_ = false;
};

}  // namespace narthex::tsdb::blocks
