#include "base/gunzip.h"

#include <zlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace narthex {
namespace {

constexpr size_t kPiece = 64 << 10;

}  // namespace

struct Gunzip::Stream {
  z_stream z{};
  bool any = false;         // there was input
  bool more = false;        // the last call ran out of room
  bool member_end = false;  // the last byte so far ended a gzip member
};

Gunzip::Gunzip() : stream_(std::make_unique<Stream>()) { inflateInit2(&stream_->z, 15 + 16); }
Gunzip::~Gunzip() { inflateEnd(&stream_->z); }

bool Gunzip::pending() const { return stream_->more; }

absl::Status Gunzip::Add(std::string_view* input, int64_t limit, size_t enough, std::string* out) {
  z_stream& z = stream_->z;
  while ((!input->empty() || stream_->more) && (enough == 0 || out->size() < enough)) {
    stream_->any = true;
    // A file may consist of several members, one after the other.
    if (stream_->member_end) inflateReset(&z);
    stream_->member_end = false;
    const size_t size = out->size();
    size_t room = std::max(kPiece, out->capacity() - size);
    if (enough > 0) room = std::min(room, std::max(enough - size, kPiece));
    if (limit > 0) room = std::min(room, static_cast<size_t>(limit) - size);
    out->resize(size + room);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input->data()));
    z.avail_in = static_cast<uInt>(input->size());
    z.next_out = reinterpret_cast<Bytef*>(out->data() + size);
    z.avail_out = static_cast<uInt>(room);
    const int result = inflate(&z, Z_NO_FLUSH);
    input->remove_prefix(input->size() - z.avail_in);
    out->resize(size + room - z.avail_out);
    stream_->more = z.avail_out == 0 && result == Z_OK;
    if (limit > 0 && static_cast<int64_t>(out->size()) >= limit) {
      return absl::ResourceExhaustedError("body size limit exceeded");
    }
    if (result == Z_STREAM_END) {
      stream_->member_end = true;
    } else if (result == Z_DATA_ERROR) {
      std::string_view what = z.msg == nullptr ? "" : z.msg;
      if (what == "incorrect header check") return absl::DataLossError("gzip: invalid header");
      if (what.starts_with("incorrect ")) return absl::DataLossError("gzip: invalid checksum");
      return absl::DataLossError(
          absl::StrCat("flate: corrupt input before offset ", static_cast<uint64_t>(z.total_in)));
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return absl::DataLossError("gzip: invalid header");
    }
  }
  return absl::OkStatus();
}

absl::Status Gunzip::Finish() const {
  if (stream_->member_end) return absl::OkStatus();
  return absl::DataLossError(stream_->any ? "unexpected EOF" : "EOF");
}

}  // namespace narthex
