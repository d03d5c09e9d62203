#include "cuda/stripe_cache.h"

#include <cstring>
#include <random>
#include <string>

#include "cuda/host_backend.h"
#include "gtest/gtest.h"

namespace narthex::cuda {
namespace {

class StripeCacheTest : public ::testing::Test {
 protected:
  promql::DeviceStripe Stripe(uint64_t key, uint64_t size, int64_t max_ms = 0) {
    promql::DeviceStripe s;
    s.key[0] = key;
    s.key[1] = 1;
    s.size = size;
    s.max_ms = max_ms;
    return s;
  }
  // Takes, fills where it must, and lets go; whether it was there.
  bool Use(StripeCache* cache, const promql::DeviceStripe& stripe) {
    const StripeCache::Place place = cache->Take(stripe);
    if (place.found == StripeCache::Found::kNoPlace) return false;
    const std::string bytes(stripe.size, static_cast<char>(stripe.key[0]));
    if (place.found == StripeCache::Found::kThere) {
      EXPECT_EQ(std::memcmp(place.at, bytes.data(), bytes.size()), 0);
      cache->Unpin(place.entry);
      return true;
    }
    std::memcpy(place.at, bytes.data(), bytes.size());
    cache->Publish(place.entry);
    return false;
  }
  static promql::DeviceUse UseOf(const StripeCache& cache) {
    promql::DeviceUse use;
    cache.AddTo(&use);
    return use;
  }

  HostFaults faults_;
  std::unique_ptr<Backend> backend_ = NewHostBackend(&faults_);
};

TEST_F(StripeCacheTest, KeepsWhatFits) {
  StripeCache cache(backend_.get(), 1 << 20, 0);
  for (uint64_t k = 1; k <= 10; ++k) EXPECT_FALSE(Use(&cache, Stripe(k, 5000)));
  for (uint64_t k = 1; k <= 10; ++k) EXPECT_TRUE(Use(&cache, Stripe(k, 5000)));
  EXPECT_EQ(UseOf(cache).hits, 10u);
  EXPECT_EQ(UseOf(cache).misses, 10u);
  EXPECT_EQ(UseOf(cache).cache_bytes, 50'000u);
}

TEST_F(StripeCacheTest, EvictsWhatWasUsedOnceBeforeWhatIsUsedAgain) {
  StripeCache cache(backend_.get(), 100'000, 0);
  for (uint64_t k = 1; k <= 5; ++k) Use(&cache, Stripe(k, 10'000));
  for (uint64_t k = 1; k <= 5; ++k) Use(&cache, Stripe(k, 10'000));
  for (uint64_t k = 100; k < 104; ++k) Use(&cache, Stripe(k, 10'000));  // full
  for (uint64_t k = 200; k < 203; ++k) Use(&cache, Stripe(k, 10'000));
  for (uint64_t k = 1; k <= 5; ++k) EXPECT_TRUE(cache.Has(Stripe(k, 10'000))) << k;
  EXPECT_EQ(UseOf(cache).evictions, 3u);
}

TEST_F(StripeCacheTest, DoesNotEvictWhatIsPinned) {
  StripeCache cache(backend_.get(), 25'000, 0);
  const StripeCache::Place a = cache.Take(Stripe(1, 10'000)), b = cache.Take(Stripe(2, 10'000));
  ASSERT_EQ(a.found, StripeCache::Found::kRoom);
  ASSERT_EQ(b.found, StripeCache::Found::kRoom);
  EXPECT_EQ(cache.Take(Stripe(3, 10'000)).found, StripeCache::Found::kNoPlace);
  cache.Publish(a.entry);
  const StripeCache::Place c = cache.Take(Stripe(3, 10'000));
  EXPECT_EQ(c.found, StripeCache::Found::kRoom);
  EXPECT_FALSE(cache.Has(Stripe(1, 10'000)));
  cache.Unpin(b.entry);
  cache.Unpin(c.entry);
}

TEST_F(StripeCacheTest, ShowsNobodyAStripeThatIsNotFilled) {
  StripeCache cache(backend_.get(), 100'000, 0);
  const StripeCache::Place a = cache.Take(Stripe(1, 1000));
  EXPECT_EQ(cache.Take(Stripe(1, 1000)).found, StripeCache::Found::kNoPlace);
  cache.Unpin(a.entry);  // the copy failed
  EXPECT_EQ(UseOf(cache).cache_stripes, 0u);
  EXPECT_EQ(UseOf(cache).cache_bytes, 0u);
}

TEST_F(StripeCacheTest, ForgetsWhatIsTooOld) {
  StripeCache cache(backend_.get(), 100'000, 0);
  Use(&cache, Stripe(1, 1000, 5000));
  Use(&cache, Stripe(2, 1000, 9000));
  cache.ForgetBefore(9000);
  EXPECT_FALSE(cache.Has(Stripe(1, 1000)));
  EXPECT_TRUE(cache.Has(Stripe(2, 1000)));
}

TEST_F(StripeCacheTest, TakesNothingBelowTheReserveAndGivesBackUnderPressure) {
  faults_.memory = 300'000;
  StripeCache cache(backend_.get(), 100'000, 150'000);
  Use(&cache, Stripe(1, 10'000));
  EXPECT_TRUE(cache.Has(Stripe(1, 10'000)));
  void* const other = backend_->Allocate(100'000);  // somebody else's
  for (int i = 0; i < 16; ++i) cache.KeepReserve();
  EXPECT_FALSE(cache.Has(Stripe(1, 10'000)));
  EXPECT_GE(backend_->FreeBytes(), 150'000u);
  EXPECT_EQ(cache.Take(Stripe(1, 10'000)).found, StripeCache::Found::kNoPlace);
  backend_->Free(other);
}

TEST_F(StripeCacheTest, StaysInItsBudgetWhateverTheSizes) {
  StripeCache cache(backend_.get(), 200'000, 0);
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t key = 1 + random() % 60;
    Use(&cache, Stripe(key, 1 + key * 977 % 30'000));
    ASSERT_LE(UseOf(cache).cache_bytes, 200'000u);
  }
  EXPECT_GT(UseOf(cache).hits, 1000u);
  EXPECT_GT(UseOf(cache).evictions, 1000u);
}

}  // namespace
}  // namespace narthex::cuda
