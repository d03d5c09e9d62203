// Random queries on two devices, whose answers must have the same bits. Used by the device test and by
// bench/gpu_check.cc, which knows no test framework.
#pragma once

#include <string>
#include <thread>

#include "cuda/group_kernel.h"
#include "tests/cuda/rows.h"

namespace narthex::cuda {

// One random query: a plan, and series cut into batches. Stripes have keys, so that a device may keep them.
struct RandomQuery {
  promql::DevicePlan plan;
  std::vector<TestBatch> batches;
};

inline RandomQuery MakeQuery(uint64_t seed) {
  std::mt19937_64 random(seed);
  RandomQuery out;
  promql::DevicePlan& plan = out.plan;
  plan.function = static_cast<int32_t>(random() % (promql::kDeviceStdvar + 1));
  plan.aggregation = static_cast<int32_t>(random() % (promql::kDeviceGroupBottom + 1));
  plan.k = IsRanking(plan.aggregation) ? 1 + random() % 8 : 0;
  plan.groups = 1 + random() % 20;
  plan.steps = 1 + random() % 300;
  plan.first_end_ms = 1'700'000'000'000 + static_cast<int64_t>(random() % 1'000'000) - 300'000;
  plan.step_ms = plan.steps == 1 ? 0 : 1 + static_cast<int64_t>(random() % 100'000);
  plan.range_ms = random() % 8 == 0 ? 20'000'000 : 1 + static_cast<int64_t>(random() % 900'000);
  const size_t series = 1 + random() % 400, at_once = 1 + random() % series;
  const size_t longest = random() % 4 == 0 ? 3000 : 400;
  for (size_t i = 0; i < series; ++i) {
    if (i % at_once == 0) out.batches.emplace_back();
    const RowKind kind = kRowKinds[random() % std::size(kRowKinds)];
    out.batches.back().Add(
        MakeRow(kind, random() % longest, random() % 3 == 0, static_cast<uint32_t>(seed * 977 + i)),
        static_cast<uint32_t>(random() % plan.groups));
  }
  return out;
}

// Tasks on three threads, the last ones first.
inline promql::DeviceHelpers SomeThreads() {
  promql::DeviceHelpers out;
  out.run = [](void*, uint32_t tasks, void (*task)(void*, uint32_t), void* argument) {
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < 3; ++t) {
      threads.emplace_back([=] {
        for (uint32_t i = tasks; i-- > 0;) {
          if (i % 3 == t) task(argument, i);
        }
      });
    }
    for (std::thread& t : threads) t.join();
  };
  return out;
}

struct QueryAnswer {
  int32_t status = 0;
  std::vector<double> values;
  std::vector<uint8_t> present;
  std::vector<uint32_t> best;
  int missing = 0;  // batches that had to be added again with their bytes
};

// `bytes`: whether stripes come with their bytes even if the device has them.
inline QueryAnswer Answer(const promql::DeviceApi& api, void* device, RandomQuery* q, uint64_t seed,
                          bool bytes = true) {
  QueryAnswer out;
  const size_t cells = size_t{q->plan.groups} * q->plan.steps;
  void* query = nullptr;
  const promql::DeviceHelpers helpers = SomeThreads();
  out.status = api.begin(device, &q->plan, seed % 2 == 0 ? &helpers : nullptr, &query);
  for (TestBatch& b : q->batches) {
    promql::DeviceBatch view = b.View();
    for (size_t i = 0; i < b.stripes.size(); ++i) {
      b.stripes[i].key[0] =
          seed % 64 == 0 ? 0 : (seed << 20) + static_cast<uint64_t>(&b - q->batches.data()) * 4096 + i;
      b.stripes[i].key[1] = seed % 64 == 0 ? 0 : 1;
    }
    if (out.status != promql::kDeviceOk) break;
    const std::vector<promql::DeviceStripe> all = b.stripes;
    for (promql::DeviceStripe& s : b.stripes) {
      if (!bytes && api.resident(device, &s, 1) == 1) s.bytes = nullptr;
    }
    out.status = api.add(query, &view);
    b.stripes = all;
    if (out.status != promql::kDeviceMissing) continue;
    ++out.missing;
    view = b.View();
    out.status = api.add(query, &view);
  }
  if (out.status == promql::kDeviceOk && q->plan.k > 0) {
    out.best.resize(cells * q->plan.k);
    out.values.resize(cells * q->plan.k);
    out.status = api.best(query, out.best.data(), out.values.data());
    for (uint32_t s : out.best) out.present.push_back(s != promql::kNoSeries);
  } else if (out.status == promql::kDeviceOk) {
    out.values.resize(cells);
    out.present.resize(cells);
    out.status = api.finish(query, out.values.data(), out.present.data());
  }
  api.end(query);
  return out;
}

// "" or what differs. Runs the query three times on the device: with bytes, from its cache, and without
// bytes.
inline std::string Compare(const promql::DeviceApi& api, void* device, const promql::DeviceApi& host_api,
                           void* host_device, uint64_t seed) {
  RandomQuery query = MakeQuery(seed);
  const QueryAnswer want = Answer(host_api, host_device, &query, seed);
  for (int run = 0; run < 3; ++run) {
    const QueryAnswer got = Answer(api, device, &query, seed, /*bytes=*/run < 2);
    const std::string at = "seed " + std::to_string(seed) + ", run " + std::to_string(run) + ", function " +
                           std::to_string(query.plan.function) + ", aggregation " +
                           std::to_string(query.plan.aggregation) + ": ";
    if (got.status != want.status) return at + "status " + std::to_string(got.status);
    if (got.present != want.present || got.best != want.best) return at + "other cells are filled";
    for (size_t i = 0; i < want.values.size(); ++i) {
      if (want.present[i] != 0 && Bits(got.values[i]) != Bits(want.values[i])) {
        return at + "cell " + std::to_string(i) + " is " + std::to_string(got.values[i]) + ", wanted " +
               std::to_string(want.values[i]);
      }
    }
  }
  return "";
}

}  // namespace narthex::cuda
