// Keys of the store: big-endian, so that byte order is the order of scans.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace narthex::tsdb {

inline constexpr uint32_t kLooseGroup = 0;              // samples that belong to no round
inline constexpr uint32_t kExemplarGroup = UINT32_MAX;  // in the manifest only

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
int64_t ParseTimeKey(std::string_view eight_bytes);  // a window or day as keys have it
// The stripe number under which a directory lies: it says which series the stripes before it hold.
inline constexpr uint32_t kDirectoryStripe = UINT32_MAX;

// Keys of merged days: all windows of one stripe follow each other.
struct DayKey {
  int64_t day = 0;          // start, milliseconds
  uint32_t generation = 0;  // of the merge; the index says which one counts
  uint32_t group = 0;
  uint32_t stripe = 0;
  int64_t window = 0;
  auto operator<=>(const DayKey&) const = default;
};
std::string EncodeDayKey(const DayKey& key);
bool DecodeDayKey(std::string_view bytes, DayKey* key);
std::string DayPrefix(int64_t day);
std::string DayGenerationPrefix(int64_t day, uint32_t generation);

// Index keys: one letter, then the parts.
std::string SeriesRowKey(uint64_t number);                // 'I' -> series
std::string SlotRowKey(uint32_t group, uint32_t number);  // 'K' -> slots of a group
std::string SlotRowPrefix(uint32_t group);
std::string SeriesKey(uint32_t id);                  // 'S' -> encoded labels; before format 4
std::string GroupKey(uint32_t group);                // 'G' -> encoded key labels
std::string SlotKey(uint32_t group, uint32_t slot);  // 'L' -> series id; before format 4
std::string SlotKeyPrefix(uint32_t group);
std::string ManifestKey(uint32_t group);             // 'M' -> what the seals have covered
std::string WindowKey(int64_t window);               // 'W' -> series that have samples in the window
std::string DayRowKey(int64_t day);                  // 'E' -> generation of its merge
std::string MemberKey(uint32_t id, uint32_t group);  // 'B' -> nothing: the group has stripes of the series
std::string ExemplarKey(uint64_t sequence);          // 'X' -> exemplars
std::string TombstoneKey(uint32_t id);               // 'T' -> deleted ranges
std::string StateKey(std::string_view name);         // 'P' -> value
std::string MetadataKey(std::string_view metric);    // 'D' -> type, help, unit

}  // namespace narthex::tsdb
