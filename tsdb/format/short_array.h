// An array that is on the stack if it is short.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

namespace narthex::tsdb {

// n elements, zeros at first; kFew of them take no memory. (Not Abseil's: bench/gpu.sh builds the chunk
// format where there is nothing but a compiler.)
template <typename T, size_t kFew>
class ShortArray {
 public:
  explicit ShortArray(size_t n) : size_(n), many_(n <= kFew ? nullptr : new T[n]) {
    data_ = many_ == nullptr ? few_ : many_.get();
    std::fill_n(data_, n, T());
  }
  ShortArray(const ShortArray&) = delete;
  size_t size() const { return size_; }
  T* data() { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }

 private:
  const size_t size_;
  const std::unique_ptr<T[]> many_;
  T* data_;
  T few_[kFew];
};

}  // namespace narthex::tsdb
