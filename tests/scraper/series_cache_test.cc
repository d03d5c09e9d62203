#include "scraper/series_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "scraper/page_text.h"

namespace narthex::scraper {
namespace {

// Feeds pages to a cache as a scrape does, and knows what it has to say.
class Pages {
 public:
  void Scrape(const std::vector<std::string>& page, bool failed) {
    cache_.BeginRound();
    std::set<std::string> seen;
    for (const std::string& line : page) {
      const PageText text = PageText::Of(line);
      SeriesCache::Entry* entry = cache_.Predicted();
      const bool predicted = entry != nullptr && entry->text() == text;
      if (!predicted) entry = cache_.Find(text);
      ASSERT_EQ(entry != nullptr, slots_.contains(line)) << line;
      const bool first = seen.insert(line).second;
      if (entry == nullptr) {
        entry = cache_.Add(text, next_slot_);
        slots_[line] = next_slot_++;
      } else if (predicted && cache_.TouchPredicted()) {
        ++predicted_;
        ASSERT_TRUE(first);
        ASSERT_EQ(entry->slot, slots_[line]);
        continue;
      }
      ASSERT_EQ(entry->slot, slots_[line]);
      ASSERT_EQ(cache_.Touch(entry), first) << line;
    }
    std::set<tsdb::Slot> forgotten, gone;
    cache_.EndRound(failed, [&](tsdb::Slot slot) { forgotten.insert(slot); });
    if (!failed) {
      std::erase_if(slots_, [&](const auto& known) {
        if (!seen.contains(known.first)) gone.insert(known.second);
        return !seen.contains(known.first);
      });
    }
    ASSERT_EQ(forgotten, gone);
    ASSERT_EQ(cache_.size(), slots_.size());
  }
  int predicted() const { return predicted_; }
  bool indexed() const { return cache_.indexed(); }

 private:
  SeriesCache cache_;
  std::map<std::string, tsdb::Slot> slots_;
  tsdb::Slot next_slot_ = 1;
  int predicted_ = 0;
};

TEST(SeriesCache, KnowsWhatIsThereWhateverPagesDo) {
  std::mt19937_64 random(11);
  for (int run = 0; run < 100; ++run) {
    Pages pages;
    std::vector<std::string> page;
    for (int i = 0; i < 20; ++i) page.push_back("series_" + std::to_string(random() % 40));
    for (int round = 0; round < 60; ++round) {
      const uint64_t dice = random() % 8;
      if (dice == 0) page.push_back("series_" + std::to_string(random() % 40));
      if (dice == 1 && !page.empty()) page.erase(page.begin() + static_cast<long>(random() % page.size()));
      if (dice == 2 && page.size() > 1) std::swap(page[random() % page.size()], page[0]);
      std::vector<std::string> broken = page;
      const bool failed = dice == 3;
      if (failed) broken.resize(random() % (page.size() + 1));
      pages.Scrape(broken, failed);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(SeriesCache, APageThatStaysIsPredictedWhole) {
  Pages pages;
  for (int round = 0; round < 5; ++round) pages.Scrape({"a", "b", "c"}, false);
  EXPECT_EQ(pages.predicted(), 4 * 3);
  pages.Scrape({"a", "c"}, false);
  pages.Scrape({"a", "c"}, false);
  EXPECT_EQ(pages.predicted(), 4 * 3 + 1 + 2);
}

TEST(SeriesCache, OfAPageThatStaysNoTableIsKept) {
  Pages pages;
  for (int round = 0; round <= SeriesCache::kSteadyRounds; ++round) {
    EXPECT_TRUE(pages.indexed());
    pages.Scrape({"a", "b", "c"}, false);
  }
  EXPECT_FALSE(pages.indexed());
  pages.Scrape({"a", "b", "c"}, false);
  EXPECT_FALSE(pages.indexed());
  pages.Scrape({"c", "x", "a"}, false);  // all that is asked here is still known
  EXPECT_TRUE(pages.indexed());
  pages.Scrape({"b", "x", "c"}, false);
}

TEST(SeriesCache, MetadataIsPredictedWhereItStood) {
  SeriesCache cache;
  const PageText head = PageText::Of("# HELP"), line = PageText::Of("a"), other = PageText::Of("b");
  cache.BeginRound();
  cache.AddGap(head, 0, 1);
  cache.Touch(cache.Add(line, 1));
  cache.Touch(cache.Add(other, 2));
  cache.EndRound(false, [](tsdb::Slot) {});
  for (int round = 0; round < 3; ++round) {
    cache.BeginRound();
    ASSERT_NE(cache.PredictedGap(), nullptr);
    EXPECT_EQ(cache.PredictedGap()->text, head);
    cache.TakeGap();
    EXPECT_EQ(cache.PredictedGap(), nullptr);
    ASSERT_TRUE(cache.TouchPredicted());
    ASSERT_TRUE(cache.TouchPredicted());
    cache.EndRound(false, [](tsdb::Slot) {});
  }
  // The metadata is gone, and comes no more.
  cache.BeginRound();
  cache.Touch(cache.Predicted());
  EXPECT_EQ(cache.PredictedGap(), nullptr);
  cache.Touch(cache.Predicted());
  cache.EndRound(false, [](tsdb::Slot) {});
  cache.BeginRound();
  EXPECT_EQ(cache.PredictedGap(), nullptr);
  EXPECT_EQ(cache.Predicted()->text(), line);
}

TEST(PageText, DiffersWithEachByteAndSize) {
  std::string text;
  std::set<uint64_t> hashes;
  for (size_t n = 0; n < 200; ++n) {
    EXPECT_TRUE(hashes.insert(PageText::Of(text).hash).second);
    for (size_t i = 0; i < n; ++i) {
      std::string changed = text;
      changed[i] ^= 1;
      EXPECT_TRUE(hashes.insert(PageText::Of(changed).hash).second) << n << " " << i;
      EXPECT_FALSE(PageText::Of(text).Begins(changed));
    }
    EXPECT_TRUE(PageText::Of(text).Begins(text + "x"));
    text += static_cast<char>('a' + n * 7 % 26);
  }
}

}  // namespace
}  // namespace narthex::scraper
