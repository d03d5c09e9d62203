// The journal's bytes: segment header and record frame. What a record says is in records.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace narthex::tsdb {

inline constexpr size_t kSegmentHeaderSize = 32;
inline constexpr size_t kRecordHeaderSize = 16;
inline constexpr uint32_t kJournalVersion = 1;

struct SegmentHeader {
  uint64_t epoch = 0;           // new for every use of a file: old records of a recycled file do not check
  uint64_t first_sequence = 0;  // records in the segment have at least this sequence
};

std::string EncodeSegmentHeader(const SegmentHeader& header);
bool DecodeSegmentHeader(std::string_view bytes, SegmentHeader* header);

std::string EncodeRecord(uint64_t epoch, uint64_t sequence, std::string_view payload);
// The same, in the place of what *out had.
void EncodeRecord(uint64_t epoch, uint64_t sequence, std::string_view payload, std::string* out);

enum class RecordState { kOk, kEnd, kBad };
// The record at the front of `bytes`. kEnd: zeros or nothing. kBad: the checksum or the length is wrong.
RecordState DecodeRecord(uint64_t epoch, std::string_view bytes, uint64_t* sequence,
                         std::string_view* payload);

}  // namespace narthex::tsdb
