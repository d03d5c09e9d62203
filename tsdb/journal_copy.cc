// A copy of the journal for a snapshot, piece by piece: a segment is never in memory as a whole.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/journal_format.h"
#include "tsdb/journal.h"

namespace narthex::tsdb {

namespace fs = std::filesystem;

namespace {

constexpr size_t kPieceBytes = 64 << 10;

// What is readable of a file, by pieces. Not thread-safe.
class SegmentReader {
 public:
  explicit SegmentReader(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat st;
    if (fd_ >= 0 && ::fstat(fd_, &st) == 0) size_ = static_cast<uint64_t>(st.st_size);
  }
  ~SegmentReader() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool ok() const { return fd_ >= 0; }
  uint64_t size() const { return size_; }

  // The n bytes there, fewer at the end of what is readable. Valid until the next call.
  std::string_view At(uint64_t offset, size_t n) {
    if (offset < begin_ || offset + n > begin_ + piece_.size()) Fill(offset, std::max(n, kPieceBytes));
    return offset < begin_ + piece_.size() ? std::string_view(piece_).substr(offset - begin_, n)
                                           : std::string_view();
  }

 private:
  void Fill(uint64_t offset, size_t n) {
    begin_ = offset;
    piece_.resize(static_cast<size_t>(std::min<uint64_t>(n, offset < size_ ? size_ - offset : 0)));
    size_t done = 0;
    while (done < piece_.size()) {
      const ssize_t got =
          ::pread(fd_, piece_.data() + done, piece_.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;  // an unreadable sector: what is before it is still good
      done += static_cast<size_t>(got);
    }
    if (done < piece_.size()) size_ = std::min(size_, offset + done);
    piece_.resize(done);
  }

  const int fd_;
  uint64_t size_ = 0, begin_ = 0;
  std::string piece_;
};

}  // namespace

absl::Status Journal::CopySegment(const Segment& segment, uint64_t needed, const std::string& path) const {
  const std::string from = SegmentPath(segment.number);
  SegmentReader file(from);
  if (!file.ok()) return absl::ErrnoToStatus(errno, StrCat("open ", from));
  // The place behind the records below `needed`, and the one behind the last record; what does not check is
  // taken for a record.
  uint64_t begin = kSegmentHeaderSize, end = begin, sequence = 0;
  while (sequence < segment.last_sequence && end < file.size()) {
    std::string_view record = file.At(end, kRecordHeaderSize), payload;
    if (record.size() == kRecordHeaderSize) {
      const uint64_t length = kRecordHeaderSize + uint64_t{GetFixed32(record.data())};
      if (length <= file.size() - end) record = file.At(end, static_cast<size_t>(length));
    }
    if (DecodeRecord(segment.number, record, &sequence, &payload) != RecordState::kOk) {
      end = file.size();
      break;
    }
    end += record.size();
    if (sequence < needed) begin = end;
  }
  const std::string header = EncodeSegmentHeader({segment.number, std::max(segment.first_sequence, needed)});
  bool first = true;
  return files_.WriteWhole(path, [&]() -> std::string_view {
    if (std::exchange(first, false)) return header;
    const std::string_view piece =
        file.At(begin, static_cast<size_t>(std::min<uint64_t>(end - begin, kPieceBytes)));
    begin += piece.size();
    return piece;
  });
}

absl::Status Journal::CopyTo(const std::string& directory, uint64_t needed) const {
  MutexLock lock(&mutex_);
  std::error_code ec;
  fs::create_directories(directory, ec);
  const auto path = [&](uint64_t number) {
    return StrCat(directory, "/", fs::path(SegmentPath(number)).filename().string());
  };
  for (const Segment& s : segments_) {
    if (s.last_sequence >= needed) RETURN_IF_ERROR(CopySegment(s, needed, path(s.number)));
  }
  // No sequence is given twice, even if no record is left.
  return files_.WriteWhole(path(next_number_), EncodeSegmentHeader({next_number_, sequence_ + 1}));
}

}  // namespace narthex::tsdb
