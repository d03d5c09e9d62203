// Gzip of answers, at the fast level.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

namespace narthex {

inline constexpr size_t kMinGzipBytes = 1024;  // shorter answers stay as they are

// One answer's stream. Not thread-safe.
class GzipStream {
 public:
  GzipStream() { deflateInit2(&stream_, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY); }
  ~GzipStream() { deflateEnd(&stream_); }
  GzipStream(const GzipStream&) = delete;

  // What is ready of it; Z_FINISH as `flush` ends the stream.
  std::string Compress(std::string_view piece, int flush) {
    std::string out;
    char buffer[16384];
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_.avail_in = static_cast<uInt>(piece.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = sizeof buffer;
      deflate(&stream_, flush);
      out.append(buffer, sizeof buffer - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return out;
  }

 private:
  z_stream stream_{};
};

}  // namespace narthex
