#include "tsdb/blocks/block_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/blocks/mapped_file.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr uint64_t kMaxSegmentBytes = 512 << 20;

// What a file or folder says of its name after a rename or creation is durable only then.
void SyncFolder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)::fsync(fd);
  ::close(fd);
}

absl::Status WriteFile(const std::string& path, std::string_view bytes) {
  FileWriter file(path);
  file.Write(bytes);
  return file.Close();
}

}  // namespace

FileWriter::FileWriter(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wbe")) {
  if (file_ == nullptr) status_ = absl::InternalError(StrCat("create ", path, ": ", std::strerror(errno)));
}

FileWriter::~FileWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

void FileWriter::Write(std::string_view bytes) {
  position_ += bytes.size();
  if (!status_.ok() || bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size())
    status_ = absl::InternalError(StrCat("write ", path_, ": ", std::strerror(errno)));
}

absl::Status FileWriter::Close() {
  if (file_ == nullptr) return status_;
  if (status_.ok() && (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0))
    status_ = absl::InternalError(StrCat("write ", path_, ": ", std::strerror(errno)));
  std::fclose(file_);
  file_ = nullptr;
  return status_;
}

BlockWriter::BlockWriter(std::string path, std::string ulid)
    : path_(std::move(path)), aside_(path_ + ".tmp-for-creation") {
  meta_.sources = {ulid};
  meta_.ulid = std::move(ulid);
}

BlockWriter::~BlockWriter() {
  if (finished_) return;
  index_.reset();
  segment_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(aside_, ignored);
}

absl::StatusOr<std::unique_ptr<BlockWriter>> BlockWriter::Create(const std::string& directory,
                                                                 const std::string& ulid) {
  std::unique_ptr<BlockWriter> out(new BlockWriter(StrCat(directory, "/", ulid), ulid));
  std::error_code error;
  std::filesystem::create_directories(out->aside_ + "/chunks", error);
  if (error) return absl::InternalError(StrCat("create ", out->aside_, ": ", error.message()));
  out->index_ = std::make_unique<IndexWriter>(out->aside_ + "/index");
  return out;
}

absl::Status BlockWriter::NextSegment() {
  if (segment_ != nullptr) RETURN_IF_ERROR(segment_->Close());
  segment_ = std::make_unique<FileWriter>(absl::StrFormat("%s/chunks/%06d", aside_, ++segments_));
  std::string header;
  PutBe32(&header, 0x85BD40DD);
  header += std::string("\1\0\0\0", 4);
  segment_->Write(header);
  return absl::OkStatus();
}

absl::Status BlockWriter::AddSeries(const Labels& labels, const std::vector<EncodedChunk>& chunks) {
  std::vector<ChunkMeta> metas;
  for (const EncodedChunk& chunk : chunks) {
    std::string bytes;
    PutUvarint(&bytes, chunk.data.size());
    const size_t summed_from = bytes.size();
    bytes.push_back(static_cast<char>(chunk.encoding));
    bytes += chunk.data;
    PutBe32(&bytes, Crc32c(0, std::string_view(bytes).substr(summed_from)));
    if (segment_ == nullptr || segment_->position() + bytes.size() > kMaxSegmentBytes)
      RETURN_IF_ERROR(NextSegment());
    metas.push_back({chunk.mint, chunk.maxt, (segments_ - 1) << 32 | segment_->position()});
    segment_->Write(bytes);
    bytes_ += bytes.size();
    meta_.samples += chunk.samples;
    (chunk.encoding == Encoding::kXor ? meta_.float_samples : meta_.histogram_samples) += chunk.samples;
  }
  meta_.chunks += chunks.size();
  ++meta_.series;
  return index_->AddSeries(labels, metas);
}

absl::StatusOr<BlockMeta> BlockWriter::Finish(int64_t mint, int64_t maxt) {
  meta_.mint = mint;
  meta_.maxt = maxt;
  if (segment_ == nullptr) RETURN_IF_ERROR(NextSegment());
  RETURN_IF_ERROR(segment_->Close());
  RETURN_IF_ERROR(index_->Finish());
  std::error_code error;
  bytes_ += std::filesystem::file_size(aside_ + "/index", error);
  std::string tombstones;  // none: header and the checksum of nothing
  PutBe32(&tombstones, 0x0130BA30);
  tombstones.push_back(1);
  PutBe32(&tombstones, Crc32c(0, ""));
  RETURN_IF_ERROR(WriteFile(aside_ + "/tombstones", tombstones));
  RETURN_IF_ERROR(WriteFile(aside_ + "/meta.json", FormatBlockMeta(meta_)));
  SyncFolder(aside_ + "/chunks");
  SyncFolder(aside_);
  std::filesystem::rename(aside_, path_, error);
  if (error) return absl::InternalError(StrCat("rename ", aside_, ": ", error.message()));
  SyncFolder(std::filesystem::path(path_).parent_path().string());
  finished_ = true;
  return meta_;
}

}  // namespace narthex::tsdb::blocks
