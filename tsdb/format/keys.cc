#include "tsdb/format/keys.h"

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {
namespace {
// The flipped sign bit makes negative times sort first.
uint64_t FlipSign(int64_t t) { return static_cast<uint64_t>(t) ^ (uint64_t{1} << 63); }
std::string Numbered(char letter, uint32_t a) {
  std::string key(1, letter);
  PutBig32(&key, a);
  return key;
}
}  // namespace

std::string StripeWindowPrefix(int64_t window) {
  std::string key;
  PutBig64(&key, FlipSign(window));
  return key;
}

int64_t ParseTimeKey(std::string_view bytes) {
  return static_cast<int64_t>(FlipSign(static_cast<int64_t>(GetBig64(bytes.data()))));
}

std::string StripeGroupPrefix(int64_t window, uint32_t group) {
  std::string key = StripeWindowPrefix(window);
  PutBig32(&key, group);
  return key;
}

std::string EncodeStripeKey(const StripeKey& k) {
  std::string key = StripeGroupPrefix(k.window, k.group);
  PutBig64(&key, k.generation);
  PutBig32(&key, k.stripe);
  return key;
}

bool DecodeStripeKey(std::string_view bytes, StripeKey* key) {
  if (bytes.size() != 24) return false;
  key->window = static_cast<int64_t>(FlipSign(static_cast<int64_t>(GetBig64(bytes.data()))));
  key->group = GetBig32(bytes.data() + 8);
  key->generation = GetBig64(bytes.data() + 12);
  key->stripe = GetBig32(bytes.data() + 20);
  return true;
}

std::string DayPrefix(int64_t day) { return StripeWindowPrefix(day); }

std::string DayGenerationPrefix(int64_t day, uint32_t generation) {
  std::string key = DayPrefix(day);
  PutBig32(&key, generation);
  return key;
}

std::string EncodeDayKey(const DayKey& k) {
  std::string key = DayGenerationPrefix(k.day, k.generation);
  PutBig32(&key, k.group);
  PutBig32(&key, k.stripe);
  PutBig64(&key, FlipSign(k.window));
  return key;
}

bool DecodeDayKey(std::string_view bytes, DayKey* key) {
  if (bytes.size() != 28) return false;
  key->day = static_cast<int64_t>(FlipSign(static_cast<int64_t>(GetBig64(bytes.data()))));
  key->generation = GetBig32(bytes.data() + 8);
  key->group = GetBig32(bytes.data() + 12);
  key->stripe = GetBig32(bytes.data() + 16);
  key->window = static_cast<int64_t>(FlipSign(static_cast<int64_t>(GetBig64(bytes.data() + 20))));
  return true;
}

std::string SeriesKey(uint32_t id) { return Numbered('S', id); }
std::string GroupKey(uint32_t group) { return Numbered('G', group); }
std::string ManifestKey(uint32_t group) { return Numbered('M', group); }
std::string TombstoneKey(uint32_t id) { return Numbered('T', id); }

std::string SeriesRowKey(uint64_t number) {
  std::string key(1, 'I');
  PutBig64(&key, number);
  return key;
}

std::string SlotRowPrefix(uint32_t group) { return Numbered('K', group); }

std::string SlotRowKey(uint32_t group, uint32_t number) {
  std::string key = SlotRowPrefix(group);
  PutBig32(&key, number);
  return key;
}

std::string SlotKeyPrefix(uint32_t group) { return Numbered('L', group); }

std::string SlotKey(uint32_t group, uint32_t slot) {
  std::string key = Numbered('L', group);
  PutBig32(&key, slot);
  return key;
}

std::string MemberKey(uint32_t id, uint32_t group) {
  std::string key = Numbered('B', id);
  PutBig32(&key, group);
  return key;
}

std::string ExemplarKey(uint64_t sequence) {
  std::string key(1, 'X');
  PutBig64(&key, sequence);
  return key;
}

std::string DayRowKey(int64_t day) { return "E" + DayPrefix(day); }
std::string WindowKey(int64_t window) { return "W" + StripeWindowPrefix(window); }
std::string StateKey(std::string_view name) { return "P" + std::string(name); }
std::string MetadataKey(std::string_view metric) { return "D" + std::string(metric); }

}  // namespace narthex::tsdb
