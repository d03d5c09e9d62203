// Keys of the store: big-endian, so that byte order is the order of scans.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace narthex::tsdb {

inline constexpr uint32_t kLooseGroup = 0;  // samples that belong to no round

// Stripe keys sort by window first: old windows are a prefix that retention drops whole.
struct StripeKey {
  int64_t window = 0;  // start, milliseconds
  uint32_t group = 0;
  uint64_t generation = 0;  // journal sequence of the seal's first record: a repeated seal meets its own keys
  uint32_t stripe = 0;
  auto operator<=>(const StripeKey&) const = default;
};
std::string EncodeStripeKey(const StripeKey& key);
bool DecodeStripeKey(std::string_view bytes, StripeKey* key);
std::string StripeWindowPrefix(int64_t window);
std::string StripeGroupPrefix(int64_t window, uint32_t group);

// Index keys: one letter, then the parts.
std::string SeriesKey(uint32_t id);                  // 'S' -> encoded labels
std::string GroupKey(uint32_t group);                // 'G' -> encoded key labels
std::string SlotKey(uint32_t group, uint32_t slot);  // 'L' -> series id
std::string ManifestKey(uint32_t group);             // 'M' -> what the seals have covered
std::string WindowKey(int64_t window);               // 'W' -> series that have samples in the window
std::string LeadersPrefix(int64_t window);           // 'B' and the window
std::string LeadersKey(const StripeKey& first);      // ... group, generation -> first series of each stripe
bool DecodeLeadersKey(std::string_view bytes, StripeKey* first);
std::string TombstoneKey(uint32_t id);             // 'T' -> deleted ranges
std::string StateKey(std::string_view name);       // 'P' -> value
std::string MetadataKey(std::string_view metric);  // 'D' -> type, help, unit

}  // namespace narthex::tsdb
