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
  bool member_end = false;  // the last byte so far ended a gzip member
};

Gunzip::Gunzip() : stream_(std::make_unique<Stream>()) { inflateInit2(&stream_->z, 15 + 16); }
Gunzip::~Gunzip() { inflateEnd(&stream_->z); }

absl::Status Gunzip::Add(std::string_view piece, int64_t limit, std::string* out) {
  z_stream& z = stream_->z;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  z.avail_in = static_cast<uInt>(piece.size());
  while (z.avail_in > 0) {
    stream_->any = true;
    // A file may consist of several members, one after the other.
    if (stream_->member_end) inflateReset(&z);
    stream_->member_end = false;
    int result = Z_OK;
    do {
      const size_t size = out->size();
      size_t room = std::max(kPiece, out->capacity() - size);
      if (limit > 0) room = std::min(room, static_cast<size_t>(limit) - size);
      out->resize(size + room);
      z.next_out = reinterpret_cast<Bytef*>(out->data() + size);
      z.avail_out = static_cast<uInt>(room);
      result = inflate(&z, Z_NO_FLUSH);
      out->resize(size + room - z.avail_out);
      if (limit > 0 && static_cast<int64_t>(out->size()) >= limit) {
        return absl::ResourceExhaustedError("body size limit exceeded");
      }
    } while (result == Z_OK && z.avail_out == 0);
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
