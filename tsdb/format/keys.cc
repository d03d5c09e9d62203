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

std::string SeriesKey(uint32_t id) { return Numbered('S', id); }
std::string GroupKey(uint32_t group) { return Numbered('G', group); }
std::string ManifestKey(uint32_t group) { return Numbered('M', group); }
std::string TombstoneKey(uint32_t id) { return Numbered('T', id); }

std::string SlotKey(uint32_t group, uint32_t slot) {
  std::string key = Numbered('L', group);
  PutBig32(&key, slot);
  return key;
}

std::string LeadersPrefix(int64_t window) { return "B" + StripeWindowPrefix(window); }
std::string LeadersKey(const StripeKey& first) {
  const std::string key = EncodeStripeKey(first);
  return "B" + key.substr(0, key.size() - 4);
}
bool DecodeLeadersKey(std::string_view bytes, StripeKey* first) {
  if (bytes.size() != 21) return false;
  std::string key(bytes.substr(1));
  PutBig32(&key, 0);
  return DecodeStripeKey(key, first);
}

std::string WindowKey(int64_t window) { return "W" + StripeWindowPrefix(window); }
std::string StateKey(std::string_view name) { return "P" + std::string(name); }
std::string MetadataKey(std::string_view metric) { return "D" + std::string(metric); }

}  // namespace narthex::tsdb
