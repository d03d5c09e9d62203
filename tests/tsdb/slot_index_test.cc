// Slots of series: in the order of their ids and in any other, against a plain map.
#include "tsdb/slot_index.h"

#include <map>
#include <random>

#include "gtest/gtest.h"

namespace narthex::tsdb {
namespace {

TEST(SlotIndex, FindsSlotsOfSeriesThatComeAndGo) {
  std::mt19937 random(3);
  for (int run = 0; run < 20; ++run) {
    std::vector<SeriesId> slots;
    SlotIndex index(&slots);
    std::map<SeriesId, Slot> model;
    std::vector<Slot> free;
    SeriesId next = 1 + random() % 1000;
    for (int step = 0; step < 2000; ++step) {
      if (!model.empty() && random() % 3 == 0) {
        const auto gone = std::next(model.begin(), random() % model.size());
        index.Erase(gone->second);
        slots[gone->second] = 0;
        free.push_back(gone->second);
        model.erase(gone);
      } else {
        next += run % 4 == 0 || random() % 8 != 0 ? 1 : 1 + random() % 5;
        Slot slot = static_cast<Slot>(slots.size());
        if (!free.empty() && run % 2 == 0) {
          slot = free.back();
          free.pop_back();
        } else {
          slots.push_back(0);
        }
        slots[slot] = next;
        index.Insert(slot);
        model[next] = slot;
      }
      ASSERT_EQ(index.size(), model.size());
      const SeriesId asked = 1 + random() % (next + 10);
      ASSERT_EQ(index.Find(asked), model.contains(asked) ? model[asked] : SlotIndex::kNone);
    }
    for (const auto& [series, slot] : model) ASSERT_EQ(index.Find(series), slot);
  }
}

TEST(SlotIndex, SeriesOneBehindTheOtherTakeNoMemory) {
  std::vector<SeriesId> slots;
  SlotIndex index(&slots);
  for (Slot slot = 0; slot < 1000; ++slot) {
    slots.push_back(5000 + slot);
    index.Insert(slot);
  }
  EXPECT_EQ(index.MemoryBytes(), 0u);
  EXPECT_EQ(index.Find(5999), 999u);
  EXPECT_EQ(index.Find(4999), SlotIndex::kNone);
  EXPECT_EQ(index.Find(6000), SlotIndex::kNone);
}

}  // namespace
}  // namespace narthex::tsdb
