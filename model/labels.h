// Labels: the sorted, immutable identity of a series.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace narthex {

inline constexpr std::string_view kMetricName = "__name__";
inline constexpr std::string_view kTypeLabel = "__type__", kUnitLabel = "__unit__";

struct LabelView {
  std::string_view name;
  std::string_view value;
  bool operator==(const LabelView&) const = default;
};

// One string, pairs sorted by name: varint length, name, varint length, value, and so on. Copying copies one
// string; comparing for equality is one memcmp. Values are never empty (an empty value means "not there").
class Labels {
 public:
  class Iterator {
   public:
    using value_type = LabelView;
    LabelView operator*() const { return current_; }
    const LabelView* operator->() const { return &current_; }
    Iterator& operator++() {
      Advance();
      return *this;
    }
    bool operator==(const Iterator& o) const { return pos_ == o.pos_; }
    // The pair as it stands in the encoded form.
    std::string_view encoded() const { return {pos_, static_cast<size_t>(next_ - pos_)}; }

   private:
    friend class Labels;
    Iterator(const char* pos, const char* end) : pos_(pos), next_(pos), end_(end) { Load(); }
    void Advance() {
      pos_ = next_;
      Load();
    }
    void Load();
    const char* pos_;
    const char* next_;
    const char* end_;
    LabelView current_;
  };

  Labels() = default;
  // Any order; empty values are dropped; of equal names the last wins.
  Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs);
  static Labels FromPairs(std::vector<std::pair<std::string, std::string>> pairs);
  // The encoded form described above; the caller guarantees that it is sorted. Used by storage.
  static Labels FromEncoded(std::string encoded);
  // Appends a pair to the encoded form. The value must not be empty.
  static void AppendEncoded(std::string_view name, std::string_view value, std::string* encoded);
  // Checks framing and order of outside bytes; false if malformed.
  static bool IsWellFormed(std::string_view encoded);
  const std::string& encoded() const { return data_; }
  // Drops so many bytes in front of the encoded form: whole pairs.
  void RemoveFront(size_t bytes) { data_.erase(0, bytes); }

  Iterator begin() const { return Iterator(data_.data(), data_.data() + data_.size()); }
  Iterator end() const {
    const char* e = data_.data() + data_.size();
    return Iterator(e, e);
  }
  bool empty() const { return data_.empty(); }
  size_t size() const;
  std::string_view Get(std::string_view name) const;  // "" if absent
  bool Has(std::string_view name) const { return !Get(name).empty(); }
  std::string_view MetricName() const { return Get(kMetricName); }
  uint64_t Hash() const;

  // `{a="1", b="2"}`, with the metric name before the brace: `up{job="x"}`. Values are Go-quoted; names that
  // are not legacy identifiers are quoted too.
  std::string ToString() const;

  bool operator==(const Labels& o) const { return data_ == o.data_; }
  // By name, then value, pair by pair; the shorter first (Prometheus's labels.Compare).
  std::strong_ordering operator<=>(const Labels& o) const;

  template <typename H>
  friend H AbslHashValue(H h, const Labels& l) {
    return H::combine(std::move(h), l.data_);
  }

 private:
  std::string data_;
};

// Edits on top of a base; Build() makes the new Labels. Not thread-safe.
class LabelsBuilder {
 public:
  LabelsBuilder() = default;
  explicit LabelsBuilder(const Labels& base);
  LabelsBuilder& Set(std::string_view name, std::string_view value);  // an empty value deletes
  LabelsBuilder& Del(std::string_view name);
  std::string_view Get(std::string_view name) const;
  // Current pairs, sorted by name.
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }
  Labels Build() const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;  // sorted by name, no empty values
};

// Without what describes the metric rather than the series: __name__, __type__ and __unit__.
Labels WithoutMetadata(const Labels& labels);

bool IsLegacyMetricName(std::string_view name);  // [a-zA-Z_:][a-zA-Z0-9_:]*
bool IsLegacyLabelName(std::string_view name);   // [a-zA-Z_][a-zA-Z0-9_]*

}  // namespace narthex
