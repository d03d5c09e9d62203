#include <algorithm>
#include <utility>

#include "promql/functions/call.h"

namespace narthex::promql {

void Annotations::Add(std::string text, PositionRange pos) {
  const bool known = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.pos.start == pos.start && entry.text == text;
  });
  if (!known) entries_.push_back({std::move(text), pos});
}

}  // namespace narthex::promql
