// Narthex's own metrics and their text form (served at /metrics, always format 0.0.4 compatible).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace narthex {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void Add(double v = 1);
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void Set(double v) { value_.store(v, std::memory_order_relaxed); }
  void Add(double v);
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Classic cumulative histogram.
class HistogramMetric {
 public:
  explicit HistogramMetric(std::vector<double> bounds);
  void Observe(double v);
  void Write(std::string_view name, const MetricLabels& labels, std::string* out) const;

 private:
  mutable Mutex mutex_;
  const std::vector<double> bounds_;
  std::vector<uint64_t> counts_ ABSL_GUARDED_BY(mutex_);
  double sum_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Owns all metrics; pointers it returns live as long as it does. Thread-safe. The same (name, labels) gives
// the same object again.
class MetricsRegistry {
 public:
  Counter* GetCounter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge* GetGauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  HistogramMetric* GetHistogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                MetricLabels labels = {});
  // Values computed at exposition time. type is "gauge" or "counter".
  void AddCallback(std::string_view name, std::string_view help, std::string_view type,
                   std::function<std::vector<std::pair<MetricLabels, double>>()> callback);
  // The whole exposition, families sorted by name.
  std::string Expose() const;
  // Drops the child (a removed target pool, rule group ...).
  void Remove(std::string_view name, const MetricLabels& labels);

 private:
  struct Family;
  Family* GetFamily(std::string_view name, std::string_view help, std::string_view type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Family>, std::less<>> families_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace narthex
