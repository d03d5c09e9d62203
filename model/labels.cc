#include "model/labels.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "base/go_format.h"
#include "base/strings.h"

namespace narthex {
namespace {

void AppendLength(std::string* out, size_t n) {
  for (; n >= 0x80; n >>= 7) out->push_back(static_cast<char>(n | 0x80));
  out->push_back(static_cast<char>(n));
}

void AppendText(std::string* out, std::string_view text) {
  AppendLength(out, text.size());
  out->append(text);
}

// Reads one length and text; nullptr if the bytes end too soon.
const char* ReadText(const char* p, const char* end, std::string_view* text) {
  if (p == end) return nullptr;
  size_t n = static_cast<unsigned char>(*p++);
  if (n >= 0x80) [[unlikely]] {
    n &= 0x7f;
    for (int shift = 7;; shift += 7) {
      if (p == end || shift > 28) return nullptr;
      const unsigned char c = static_cast<unsigned char>(*p++);
      n |= static_cast<size_t>(c & 0x7f) << shift;
      if (c < 0x80) break;
    }
  }
  if (static_cast<size_t>(end - p) < n) return nullptr;
  *text = std::string_view(p, n);
  return p + n;
}

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameRest(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

}  // namespace

void Labels::Iterator::Load() {
  if (pos_ == end_) return;
  const char* p = ReadText(pos_, end_, &current_.name);
  if (p != nullptr) p = ReadText(p, end_, &current_.value);
  next_ = p == nullptr ? end_ : p;
}

Labels::Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
  std::vector<std::pair<std::string, std::string>> copy;
  for (const auto& [name, value] : pairs) copy.emplace_back(name, value);
  *this = FromPairs(std::move(copy));
}

Labels Labels::FromPairs(std::vector<std::pair<std::string, std::string>> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Labels out;
  for (size_t i = 0; i < pairs.size(); ++i) {
    bool overridden = i + 1 < pairs.size() && pairs[i + 1].first == pairs[i].first;
    if (overridden || pairs[i].second.empty()) continue;
    AppendText(&out.data_, pairs[i].first);
    AppendText(&out.data_, pairs[i].second);
  }
  return out;
}

Labels Labels::FromEncoded(std::string encoded) {
  Labels out;
  out.data_ = std::move(encoded);
  return out;
}

void Labels::AppendEncoded(std::string_view name, std::string_view value, std::string* encoded) {
  AppendText(encoded, name);
  AppendText(encoded, value);
}

bool Labels::IsWellFormed(std::string_view encoded) {
  const char* p = encoded.data();
  const char* end = p + encoded.size();
  std::string_view last, name, value;
  for (bool first = true; p != end; first = false, last = name) {
    p = ReadText(p, end, &name);
    if (p == nullptr || (p = ReadText(p, end, &value)) == nullptr) return false;
    if (name.empty() || value.empty() || (!first && name <= last)) return false;
  }
  return true;
}

size_t Labels::size() const {
  size_t n = 0;
  for (auto it = begin(); !(it == end()); ++it) ++n;
  return n;
}

std::string_view Labels::Get(std::string_view name) const {
  const char* p = data_.data();
  const char* const end = p + data_.size();
  LabelView label;
  while (p != end) {
    p = ReadText(p, end, &label.name);
    if (p != nullptr) p = ReadText(p, end, &label.value);
    if (p == nullptr) break;
    if (label.name == name) return label.value;
    if (label.name > name) break;
  }
  return {};
}

uint64_t Labels::Hash() const { return absl::Hash<Labels>()(*this); }

std::string Labels::ToString() const {
  std::string_view metric = MetricName();
  bool plain_name = !metric.empty() && IsLegacyMetricName(metric);
  std::string out(plain_name ? metric : std::string_view());
  std::string inner;
  if (!metric.empty() && !plain_name) inner = GoQuote(metric);
  for (LabelView label : *this) {
    if (label.name == kMetricName) continue;
    if (!inner.empty()) inner += ", ";
    StrAppend(&inner, IsLegacyLabelName(label.name) ? std::string(label.name) : GoQuote(label.name), "=",
              GoQuote(label.value));
  }
  if (inner.empty() && plain_name) return out;
  return StrCat(out, "{", inner, "}");
}

std::strong_ordering Labels::operator<=>(const Labels& o) const {
  auto a = begin(), b = o.begin();
  for (; !(a == end()) && !(b == o.end()); ++a, ++b) {
    if (auto c = a->name <=> b->name; c != 0) return c;
    if (auto c = a->value <=> b->value; c != 0) return c;
  }
  return (a == end() ? 0 : 1) <=> (b == o.end() ? 0 : 1);
}

LabelsBuilder::LabelsBuilder(const Labels& base) {
  for (LabelView label : base) pairs_.emplace_back(label.name, label.value);
}

LabelsBuilder& LabelsBuilder::Set(std::string_view name, std::string_view value) {
  if (value.empty()) return Del(name);
  auto it = std::lower_bound(pairs_.begin(), pairs_.end(), name,
                             [](const auto& p, std::string_view n) { return p.first < n; });
  if (it != pairs_.end() && it->first == name) {
    it->second = std::string(value);
  } else {
    pairs_.insert(it, {std::string(name), std::string(value)});
  }
  return *this;
}

LabelsBuilder& LabelsBuilder::Del(std::string_view name) {
  auto it = std::lower_bound(pairs_.begin(), pairs_.end(), name,
                             [](const auto& p, std::string_view n) { return p.first < n; });
  if (it != pairs_.end() && it->first == name) pairs_.erase(it);
  return *this;
}

std::string_view LabelsBuilder::Get(std::string_view name) const {
  auto it = std::lower_bound(pairs_.begin(), pairs_.end(), name,
                             [](const auto& p, std::string_view n) { return p.first < n; });
  return it != pairs_.end() && it->first == name ? std::string_view(it->second) : std::string_view();
}

Labels LabelsBuilder::Build() const { return Labels::FromPairs(pairs_); }

bool IsLegacyLabelName(std::string_view name) {
  return !name.empty() && IsNameStart(name[0]) && std::all_of(name.begin(), name.end(), IsNameRest);
}

Labels WithoutMetadata(const Labels& labels) {
  std::string kept;
  for (auto it = labels.begin(); !(it == labels.end()); ++it) {
    if (it->name != kMetricName && it->name != kTypeLabel && it->name != kUnitLabel) kept += it.encoded();
  }
  return Labels::FromEncoded(std::move(kept));
}

bool IsLegacyMetricName(std::string_view name) {
  return !name.empty() && (IsNameStart(name[0]) || name[0] == ':') &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsNameRest(c) || c == ':'; });
}

}  // namespace narthex
