#include "tsdb/format/float_runs.h"

#include <bit>

#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

// Calls put(i) at each place where a run begins, and writes the run's length.
template <typename Same, typename Put>
void PutRuns(std::string* out, size_t n, Same same, Put put) {
  for (size_t i = 0; i < n;) {
    size_t end = i + 1;
    while (end < n && same(end)) ++end;
    put(i);
    PutVarint(out, end - i);
    i = end;
  }
}

// Calls take(begin, end) for each run; it reads what stands before the length.
template <typename Begin, typename Take>
bool ReadRuns(ByteReader* in, size_t n, Begin begin, Take take) {
  for (size_t i = 0; i < n && in->ok();) {
    begin();
    const uint64_t length = in->Varint();
    if (!in->ok() || length == 0 || length > n - i) {
      in->Fail();
      return false;
    }
    take(i, i + static_cast<size_t>(length));
    i += static_cast<size_t>(length);
  }
  return in->ok();
}

}  // namespace

void PutFloatRuns(std::string* out, uint64_t base, std::span<const RunFloat> floats) {
  const size_t n = floats.size();
  PutVarint(out, base);
  PutVarint(out, n);
  int64_t next_id = 0, t = 0;
  PutRuns(
      out, n, [&](size_t i) { return floats[i].series == floats[i - 1].series + 1; },
      [&](size_t i) {
        if (i > 0) next_id = int64_t{floats[i - 1].series} + 1;
        PutZigZag(out, floats[i].series - next_id);
      });
  PutRuns(
      out, n, [&](size_t i) { return floats[i].t == floats[i - 1].t; },
      [&](size_t i) {
        PutZigZag(out, WrapSub(floats[i].t, t));
        t = floats[i].t;
      });
  PutRuns(
      out, n, [&](size_t i) { return floats[i].link == floats[i - 1].link; },
      [&](size_t i) { PutVarint(out, floats[i].link == 0 ? 0 : base - floats[i].link); });
  const size_t changed_at = out->size();
  out->append((n + 7) / 8, '\0');
  for (size_t i = 0; i < n; ++i) {
    if (!SameBits(floats[i].before, floats[i].v))
      (*out)[changed_at + i / 8] |= static_cast<char>(1 << (i % 8));
  }
}

void PutFloatRunValues(std::string* out, std::span<const RunFloat> floats) {
  for (const RunFloat& f : floats) {
    if (!SameBits(f.before, f.v)) PutValueDelta(out, f.before, f.v);
  }
}

bool ReadFloatRuns(ByteReader* in, FloatRuns* runs) {
  const uint64_t base = in->Varint();
  const size_t n = static_cast<size_t>(in->Varint());
  if (!in->ok() || n / 8 > in->left()) {
    in->Fail();
    return false;
  }
  runs->floats.assign(n, RunFloat{});
  RunFloat f;
  int64_t id = 0;
  const bool ok = ReadRuns(
                      in, n, [&] { id = WrapAdd(id, in->SignedVarint()); },
                      [&](size_t i, size_t end) {
                        const int64_t last = WrapAdd(id, static_cast<int64_t>(end - i));
                        if (id < 0 || last < id || last > int64_t{UINT32_MAX} + 1) return in->Fail();
                        for (; i < end; ++i) runs->floats[i].series = static_cast<uint32_t>(id++);
                      }) &&
                  ReadRuns(
                      in, n, [&] { f.t = WrapAdd(f.t, in->SignedVarint()); },
                      [&](size_t i, size_t end) {
                        for (; i < end; ++i) runs->floats[i].t = f.t;
                      }) &&
                  ReadRuns(
                      in, n, [&] { f.link = in->Varint(); },
                      [&](size_t i, size_t end) {
                        if (f.link >= base && f.link != 0) return in->Fail();
                        for (; i < end; ++i) runs->floats[i].link = f.link == 0 ? 0 : base - f.link;
                      });
  if (!ok) return false;
  runs->changed = Bits::Read(in, n);
  return in->ok();
}

double FloatRunReader::Next(double before) {
  return runs_.changed.Get(next_++) ? ReadValueDelta(&in_, before) : before;
}

}  // namespace narthex::tsdb
