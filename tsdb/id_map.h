// A small number for each of many series ids: pages, for the ids in use lie together.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "tsdb/memory.h"

namespace narthex::tsdb {

// 0 where nothing was put. Not thread-safe.
class IdMap {
 public:
  uint32_t Get(uint32_t id) const {
    const size_t page = id / kPage;
    return page < pages_.size() && pages_[page] != nullptr ? (*pages_[page])[id % kPage] : 0;
  }
  uint32_t& operator[](uint32_t id) {
    const size_t page = id / kPage;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (pages_[page] == nullptr) {
      pages_[page] = std::make_unique<Page>();
      ++used_;
    }
    return (*pages_[page])[id % kPage];
  }
  size_t MemoryBytes() const { return VectorBytes(pages_) + used_ * HeapBytes(sizeof(Page)); }

 private:
  static constexpr uint32_t kPage = 256;
  using Page = std::array<uint32_t, kPage>;
  std::vector<std::unique_ptr<Page>> pages_;
  size_t used_ = 0;
};

// Not thread-safe.
class IdSet {
 public:
  bool Has(uint32_t id) const { return (words_.Get(id / 32) >> (id % 32) & 1) != 0; }
  // False: it was in already.
  bool Insert(uint32_t id) {
    uint32_t& word = words_[id / 32];
    const uint32_t bit = uint32_t{1} << (id % 32);
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }
  void Clear() { words_ = IdMap(); }

 private:
  IdMap words_;
};

}  // namespace narthex::tsdb
