#include "tsdb/journal.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/journal_format.h"

namespace narthex::tsdb {
namespace {

namespace fs = std::filesystem;
constexpr size_t kSegmentSize = size_t{4} << 20;
constexpr size_t kMaxSpares = 2;
constexpr size_t kKeptFrame = 64 << 10;
constexpr uint64_t kMaxSequenceJump = 1 << 20;

bool IsSegmentName(const std::string& name) {
  return name.size() == 8 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string Journal::SegmentPath(uint64_t number) const {
  std::string digits = std::to_string(number);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return StrCat(directory_, "/", digits);
}
std::string Journal::SparePath(uint64_t number) const { return StrCat(directory_, "/spare-", number); }

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& directory, FileHooks* hooks,
                                                       const Logger* logger, const Replay& replay,
                                                       OpenStats* stats) {
  std::error_code ec;
  fs::create_directories(directory, ec);
  if (ec) return absl::InternalError(StrCat("create ", directory, ": ", ec.message()));
  std::unique_ptr<Journal> journal(new Journal(directory, hooks, logger));
  RETURN_IF_ERROR(journal->ReplayAll(replay, stats));
  return journal;
}

Journal::~Journal() {
  MutexLock lock(&mutex_);
  if (fd_ >= 0) {
    (void)files_.Sync(fd_, SegmentPath(segments_.back().number));
    ::close(fd_);
  }
}

// Nobody else knows the journal yet; `replay` takes locks that are held around Append later.
absl::Status Journal::ReplayAll(const Replay& replay, OpenStats* stats) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  std::vector<uint64_t> numbers;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(directory_, ec)) {
    const std::string name = entry.path().filename().string();
    if (IsSegmentName(name)) numbers.push_back(std::strtoull(name.c_str(), nullptr, 10));
    if (name.rfind("spare-", 0) == 0) spares_.push_back(entry.path().string());
  }
  if (ec) return absl::InternalError(StrCat("read ", directory_, ": ", ec.message()));
  std::sort(numbers.begin(), numbers.end());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const uint64_t number = numbers[i];
    next_number_ = number + 1;
    absl::StatusOr<std::string> bytes = ReadWhole(SegmentPath(number));
    size_t end = 0;
    bool clean = false;
    const uint64_t first = sequence_ + 1;
    if (bytes.ok())
      clean = ReplaySegment(number, *bytes, replay, stats, &end);
    else
      ++stats->corruptions;
    if (end == 0) continue;  // no usable header: the file stays, for whoever wants to look
    segments_.push_back({number, first, sequence_});
    if (i + 1 == numbers.size() && clean) {
      path_ = SegmentPath(number);
      ASSIGN_OR_RETURN(fd_, files_.Open(path_));
      position_ = end;
      capacity_ = bytes->size();
    }
  }
  return absl::OkStatus();
}

// Returns true if the end is clean, so that appending may go on there.
bool Journal::ReplaySegment(uint64_t number, std::string_view bytes, const Replay& replay, OpenStats* stats,
                            size_t* end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SegmentHeader header;
  if (!DecodeSegmentHeader(bytes, &header) || header.epoch != number) {
    const bool blank = bytes.find_first_not_of('\0') == std::string_view::npos;
    if (!blank) {
      ++stats->corruptions;
      logger_->Warn("Journal segment has no valid header, skipped", {{"segment", SegmentPath(number)}});
    }
    return false;
  }
  sequence_ = std::max(sequence_, header.first_sequence > 0 ? header.first_sequence - 1 : 0);
  size_t position = kSegmentHeaderSize;
  *end = position;
  bool clean = true;
  while (position < bytes.size()) {
    uint64_t sequence = 0;
    std::string_view payload;
    RecordState state = DecodeRecord(header.epoch, bytes.substr(position), &sequence, &payload);
    if (state != RecordState::kOk || sequence <= sequence_) {
      const bool suspicious =
          state == RecordState::kBad && sequence > sequence_ && sequence - sequence_ < kMaxSequenceJump;
      // Look for a later record of this epoch. Sequence numbers make chance hits next to impossible.
      size_t next = position + 1;
      for (; next + kRecordHeaderSize <= bytes.size(); ++next) {
        const uint64_t candidate = GetFixed64(bytes.data() + next + 8);
        if (candidate <= sequence_ || candidate - sequence_ > kMaxSequenceJump) continue;
        if (DecodeRecord(header.epoch, bytes.substr(next), &sequence, &payload) == RecordState::kOk) break;
      }
      const bool found = next + kRecordHeaderSize <= bytes.size();
      if (found || suspicious) {
        ++stats->corruptions;
        clean = false;
        logger_->Warn("Journal record corrupt, skipped",
                      {{"segment", SegmentPath(number)},
                       {"offset", std::to_string(position)},
                       {"skipped", std::to_string(found ? next - position : 0)}});
      }
      if (!found) break;
      position = next;
    }
    sequence_ = sequence;
    replay(sequence, payload);
    ++stats->records;
    position += kRecordHeaderSize + payload.size();
    *end = position;
  }
  return clean;
}

absl::Status Journal::StartSegment(size_t record_size) {
  if (fd_ >= 0) {
    // Records after this one must not survive a power cut that those before it do not.
    RETURN_IF_ERROR(files_.Sync(fd_, SegmentPath(segments_.back().number)));
    ::close(fd_);
    fd_ = -1;
  }
  const uint64_t number = next_number_;
  const std::string path = SegmentPath(number);
  const size_t size = std::max(kSegmentSize, kSegmentHeaderSize + record_size);
  if (!spares_.empty()) {
    // Recycled blocks need no new file system metadata.
    (void)files_.Rename(spares_.back(), path);
    spares_.pop_back();
  }
  ASSIGN_OR_RETURN(const int fd, files_.Open(path));
  absl::Status s = files_.Allocate(fd, path, size);
  if (s.ok()) s = files_.Write(fd, path, 0, EncodeSegmentHeader({number, sequence_}));
  if (s.ok()) s = files_.SyncDirectory(directory_);
  if (!s.ok()) {
    ::close(fd);
    (void)files_.Remove(path);
    return s;
  }
  ++next_number_;
  fd_ = fd;
  path_ = path;
  position_ = kSegmentHeaderSize;
  capacity_ = size;
  written_ += kSegmentHeaderSize;
  segments_.push_back({number, sequence_, sequence_});
  return absl::OkStatus();
}

uint64_t Journal::Append(std::string_view payload, absl::Status* written, uint64_t* bytes) {
  MutexLock lock(&mutex_);
  ++sequence_;
  const uint64_t before = written_;
  const size_t size = kRecordHeaderSize + payload.size();
  *written = absl::OkStatus();
  if (fd_ < 0 || position_ + size > capacity_) *written = StartSegment(size);
  if (written->ok()) {
    EncodeRecord(segments_.back().number, sequence_, payload, &frame_);
    *written = files_.Write(fd_, path_, position_, frame_);
    if (frame_.capacity() > kKeptFrame) std::string().swap(frame_);  // an assignment would keep the room
  }
  if (written->ok()) {
    position_ += size;
    written_ += size;
    dirty_ = true;
    segments_.back().last_sequence = sequence_;
  }
  *bytes = written_ - before;
  return sequence_;
}

absl::Status Journal::Sync() {
  int fd = -1;
  uint64_t number = 0;
  {
    MutexLock lock(&mutex_);
    if (!dirty_ || fd_ < 0) return absl::OkStatus();
    fd = ::dup(fd_);  // appends go on while the disk works
    number = segments_.back().number;
    dirty_ = false;
  }
  const absl::Status s = files_.Sync(fd, SegmentPath(number));
  ::close(fd);
  if (s.ok()) return s;
  // What the system had of the file may be gone: the next record starts a new one.
  MutexLock lock(&mutex_);
  if (fd_ >= 0 && segments_.back().number == number) {
    ::close(fd_);
    fd_ = -1;
  }
  return s;
}

uint64_t Journal::last_sequence() const {
  MutexLock lock(&mutex_);
  return sequence_;
}

uint64_t Journal::first_sequence() const {
  MutexLock lock(&mutex_);
  return segments_.empty() ? sequence_ + 1 : segments_.front().first_sequence;
}

void Journal::RaiseSequence(uint64_t at_least) {
  MutexLock lock(&mutex_);
  sequence_ = std::max(sequence_, at_least);
}

void Journal::Free(uint64_t needed) {
  MutexLock lock(&mutex_);
  while (!segments_.empty() && segments_.front().last_sequence < needed) {
    const bool current = segments_.size() == 1 && fd_ >= 0;
    if (current) break;
    const std::string path = SegmentPath(segments_.front().number);
    const std::string spare = SparePath(segments_.front().number);
    if (spares_.size() < kMaxSpares && files_.Rename(path, spare).ok())
      spares_.push_back(spare);
    else
      (void)files_.Remove(path);
    segments_.erase(segments_.begin());
  }
}

uint64_t Journal::bytes_written() const {
  MutexLock lock(&mutex_);
  return written_;
}

size_t Journal::segment_count() const {
  MutexLock lock(&mutex_);
  return segments_.size();
}

}  // namespace narthex::tsdb
