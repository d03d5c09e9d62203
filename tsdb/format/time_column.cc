#include "tsdb/format/time_column.h"

#include "tsdb/format/int_blocks.h"

namespace narthex::tsdb {

constexpr size_t kMaxRows = size_t{1} << 24;

void PutTimeColumn(std::string* out, const std::vector<int64_t>& times) {
  const size_t n = times.size();
  PutVarint(out, n);
  if (n == 0) return;
  PutZigZag(out, times[0]);
  if (n == 1) return;
  int64_t delta = WrapSub(times[1], times[0]);
  PutZigZag(out, delta);
  std::vector<uint64_t> codes(n - 2);
  for (size_t i = 2; i < n; ++i) {
    const int64_t d = WrapSub(times[i], times[i - 1]);
    codes[i - 2] = ZigZag(WrapSub(d, delta));
    delta = d;
  }
  PutBlocks(out, codes.data(), codes.size());
}

bool ReadTimeColumn(ByteReader* in, std::vector<int64_t>* times) {
  times->clear();
  const size_t n = in->Count(kMaxRows);
  // A block of 32 rows takes a byte at least: refuses counts that the bytes cannot hold before allocating.
  if (!in->ok() || n / 32 > in->left() + 1) {
    in->Fail();
    return false;
  }
  if (n == 0) return true;
  times->resize(n);
  int64_t t = in->SignedVarint();
  (*times)[0] = t;
  if (n == 1) return in->ok();
  int64_t delta = in->SignedVarint();
  (*times)[1] = t = WrapAdd(t, delta);
  std::vector<uint64_t> codes(n - 2);
  if (!ReadBlocks(in, codes.data(), codes.size())) return false;
  for (size_t i = 2; i < n; ++i) {
    delta = WrapAdd(delta, UnZigZag(codes[i - 2]));
    (*times)[i] = t = WrapAdd(t, delta);
  }
  return in->ok();
}

}  // namespace narthex::tsdb
