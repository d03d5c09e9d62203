// Many byte strings that only grow, in small blocks of one pool: none is ever moved, and all go at once.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/memory.h"

namespace narthex::tsdb {

// Strings that grow in turn lie beside each other. Not thread-safe.
class ByteBlocks {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  // A place in a string.
  struct Position {
    uint32_t block = kNone;
    uint8_t offset = 0;
  };

  // *end: where the string ends; kNone: it has no block yet. Returns where the bytes begin.
  Position Append(std::string_view bytes, Position* end) {
    if (end->block == kNone || end->offset == kPayload) AddBlock(end);
    const Position begin = *end;
    while (!bytes.empty()) {
      if (end->offset == kPayload) AddBlock(end);
      const size_t n = std::min<size_t>(bytes.size(), kPayload - end->offset);
      std::memcpy(At(end->block).bytes + end->offset, bytes.data(), n);
      end->offset = static_cast<uint8_t>(end->offset + n);
      bytes.remove_prefix(n);
    }
    return begin;
  }
  // What stands between two places of a string.
  void Read(Position from, Position end, std::string* out) const {
    out->clear();
    if (from.block == kNone) return;
    for (; from.block != end.block; from = {At(from.block).next, 0})
      out->append(At(from.block).bytes + from.offset, kPayload - from.offset);
    out->append(At(end.block).bytes + from.offset, end.offset - from.offset);
  }
  size_t MemoryBytes() const {
    return slabs_.size() * HeapBytes(sizeof(Block) * kSlab) + VectorBytes(slabs_);
  }

 private:
  static constexpr uint32_t kPayload = 60, kSlab = 1024;
  struct Block {
    char bytes[kPayload];
    uint32_t next;
  };
  Block& At(uint32_t i) { return slabs_[i / kSlab][i % kSlab]; }
  const Block& At(uint32_t i) const { return slabs_[i / kSlab][i % kSlab]; }
  void AddBlock(Position* end) {
    if (size_ % kSlab == 0) slabs_.emplace_back(new Block[kSlab]);
    if (end->block != kNone) At(end->block).next = size_;
    *end = {size_++, 0};
  }

  std::vector<std::unique_ptr<Block[]>> slabs_;
  uint32_t size_ = 0;
};

}  // namespace narthex::tsdb
