#include "tsdb/format/journal_format.h"

#include "tsdb/format/bytes.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb {
namespace {
constexpr std::string_view kMagic = "NXJL";

uint32_t RecordSum(uint64_t epoch, std::string_view sequence_and_payload) {
  const uint64_t seed = LittleEndian(epoch);
  return Crc32c(Crc32c(0, {reinterpret_cast<const char*>(&seed), sizeof(seed)}), sequence_and_payload);
}
}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string out(kMagic);
  PutFixed32(&out, kJournalVersion);
  PutFixed64(&out, header.epoch);
  PutFixed64(&out, header.first_sequence);
  PutFixed32(&out, Crc32c(0, out));
  out.resize(kSegmentHeaderSize, '\0');
  return out;
}

bool DecodeSegmentHeader(std::string_view bytes, SegmentHeader* header) {
  if (bytes.size() < kSegmentHeaderSize || bytes.substr(0, 4) != kMagic) return false;
  if (GetFixed32(bytes.data() + 24) != Crc32c(0, bytes.substr(0, 24))) return false;
  if (GetFixed32(bytes.data() + 4) != kJournalVersion) return false;
  header->epoch = GetFixed64(bytes.data() + 8);
  header->first_sequence = GetFixed64(bytes.data() + 16);
  return true;
}

void EncodeRecord(uint64_t epoch, uint64_t sequence, std::string_view payload, std::string* out) {
  out->clear();
  out->reserve(kRecordHeaderSize + payload.size());
  PutFixed32(out, static_cast<uint32_t>(payload.size()));
  PutFixed32(out, 0);
  PutFixed64(out, sequence);
  out->append(payload);
  const uint32_t sum = LittleEndian(RecordSum(epoch, std::string_view(*out).substr(8)));
  std::memcpy(out->data() + 4, &sum, sizeof(sum));
}

std::string EncodeRecord(uint64_t epoch, uint64_t sequence, std::string_view payload) {
  std::string out;
  EncodeRecord(epoch, sequence, payload, &out);
  return out;
}

RecordState DecodeRecord(uint64_t epoch, std::string_view bytes, uint64_t* sequence,
                         std::string_view* payload) {
  if (bytes.size() < kRecordHeaderSize) return RecordState::kEnd;
  const uint64_t length = GetFixed32(bytes.data());
  *sequence = GetFixed64(bytes.data() + 8);
  if (length == 0 && GetFixed32(bytes.data() + 4) == 0 && *sequence == 0) return RecordState::kEnd;
  if (length > bytes.size() - kRecordHeaderSize) return RecordState::kBad;
  if (GetFixed32(bytes.data() + 4) != RecordSum(epoch, bytes.substr(8, 8 + length))) return RecordState::kBad;
  *payload = bytes.substr(kRecordHeaderSize, length);
  return RecordState::kOk;
}

}  // namespace narthex::tsdb
