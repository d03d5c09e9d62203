#include "base/metrics.h"

#include <algorithm>
#include <cmath>

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex {
namespace {

void AddTo(std::atomic<double>* target, double v) {
  double old = target->load(std::memory_order_relaxed);
  while (!target->compare_exchange_weak(old, old + v, std::memory_order_relaxed)) {
  }
}

void AppendEscaped(std::string_view text, bool quotes, std::string* out) {
  for (char c : text) {
    if (c == '\\') {
      *out += "\\\\";
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '"' && quotes) {
      *out += "\\\"";
    } else {
      out->push_back(c);
    }
  }
}

void AppendLabels(const MetricLabels& labels, std::string* out) {
  if (labels.empty()) return;
  out->push_back('{');
  for (size_t i = 0; i < labels.size(); ++i) {
    StrAppend(out, i > 0 ? "," : "", labels[i].first, "=\"");
    AppendEscaped(labels[i].second, true, out);
    out->push_back('"');
  }
  out->push_back('}');
}

void AppendLine(std::string_view name, const MetricLabels& labels, double value, std::string* out) {
  out->append(name);
  AppendLabels(labels, out);
  StrAppend(out, " ", FormatFloatG(value), "\n");
}

}  // namespace

struct MetricsRegistry::Family {
  std::string help, type;
  std::map<MetricLabels, std::unique_ptr<Counter>> counters;
  std::map<MetricLabels, std::unique_ptr<Gauge>> gauges;
  std::map<MetricLabels, std::unique_ptr<HistogramMetric>> histograms;
  std::vector<std::function<std::vector<std::pair<MetricLabels, double>>()>> callbacks;
};

void Counter::Add(double v) { AddTo(&value_, v); }
void Gauge::Add(double v) { AddTo(&value_, v); }

HistogramMetric::HistogramMetric(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void HistogramMetric::Observe(double v) {
  // NaN, which is below no bound, counts in +Inf only.
  auto bound = std::isnan(v) ? bounds_.end() : std::lower_bound(bounds_.begin(), bounds_.end(), v);
  size_t bucket = static_cast<size_t>(bound - bounds_.begin());
  MutexLock lock(&mutex_);
  ++counts_[bucket];
  sum_ += v;
  ++count_;
}

void HistogramMetric::Write(std::string_view name, const MetricLabels& labels, std::string* out) const {
  MutexLock lock(&mutex_);
  std::string bucket_name = StrCat(name, "_bucket");
  MetricLabels with_le = labels;
  with_le.emplace_back("le", "");
  uint64_t cumulative = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    cumulative += counts_[i];
    with_le.back().second = i < bounds_.size() ? FormatFloatG(bounds_[i]) : "+Inf";
    AppendLine(bucket_name, with_le, static_cast<double>(cumulative), out);
  }
  AppendLine(StrCat(name, "_sum"), labels, sum_, out);
  AppendLine(StrCat(name, "_count"), labels, static_cast<double>(count_), out);
}

MetricsRegistry::Family* MetricsRegistry::GetFamily(std::string_view name, std::string_view help,
                                                    std::string_view type) {
  std::shared_ptr<Family>& family = families_[std::string(name)];
  if (!family) {
    family = std::make_shared<Family>();
    family->help = std::string(help);
    family->type = std::string(type);
  }
  return family.get();
}

Counter* MetricsRegistry::GetCounter(std::string_view name, std::string_view help, MetricLabels labels) {
  MutexLock lock(&mutex_);
  std::unique_ptr<Counter>& counter = GetFamily(name, help, "counter")->counters[std::move(labels)];
  if (!counter) counter = std::make_unique<Counter>();
  return counter.get();
}

Gauge* MetricsRegistry::GetGauge(std::string_view name, std::string_view help, MetricLabels labels) {
  MutexLock lock(&mutex_);
  std::unique_ptr<Gauge>& gauge = GetFamily(name, help, "gauge")->gauges[std::move(labels)];
  if (!gauge) gauge = std::make_unique<Gauge>();
  return gauge.get();
}

HistogramMetric* MetricsRegistry::GetHistogram(std::string_view name, std::string_view help,
                                               std::vector<double> bounds, MetricLabels labels) {
  MutexLock lock(&mutex_);
  std::unique_ptr<HistogramMetric>& histogram =
      GetFamily(name, help, "histogram")->histograms[std::move(labels)];
  if (!histogram) histogram = std::make_unique<HistogramMetric>(std::move(bounds));
  return histogram.get();
}

void MetricsRegistry::AddCallback(std::string_view name, std::string_view help, std::string_view type,
                                  std::function<std::vector<std::pair<MetricLabels, double>>()> callback) {
  MutexLock lock(&mutex_);
  GetFamily(name, help, type)->callbacks.push_back(std::move(callback));
}

void MetricsRegistry::Remove(std::string_view name, const MetricLabels& labels) {
  MutexLock lock(&mutex_);
  auto it = families_.find(name);
  if (it == families_.end()) return;
  it->second->counters.erase(labels);
  it->second->gauges.erase(labels);
  it->second->histograms.erase(labels);
}

std::string MetricsRegistry::Expose() const {
  std::string out;
  std::vector<std::pair<std::string, std::shared_ptr<Family>>> families;
  {
    MutexLock lock(&mutex_);
    families.assign(families_.begin(), families_.end());
  }
  for (const auto& [name, family] : families) {
    // Callbacks may take locks of their owners: the registry's is not held while they run.
    std::vector<std::pair<MetricLabels, double>> computed;
    std::vector<std::function<std::vector<std::pair<MetricLabels, double>>()>> callbacks;
    {
      MutexLock lock(&mutex_);
      callbacks = family->callbacks;
    }
    for (const auto& callback : callbacks) {
      for (auto& row : callback()) computed.push_back(std::move(row));
    }
    MutexLock lock(&mutex_);
    size_t children = family->counters.size() + family->gauges.size() + family->histograms.size();
    if (children + computed.size() == 0) continue;  // all removed, or nothing to count yet
    StrAppend(&out, "# HELP ", name, " ");
    AppendEscaped(family->help, false, &out);
    StrAppend(&out, "\n# TYPE ", name, " ", family->type, "\n");
    for (const auto& [labels, counter] : family->counters) AppendLine(name, labels, counter->value(), &out);
    for (const auto& [labels, gauge] : family->gauges) AppendLine(name, labels, gauge->value(), &out);
    for (const auto& [labels, histogram] : family->histograms) histogram->Write(name, labels, &out);
    for (const auto& [labels, value] : computed) AppendLine(name, labels, value, &out);
  }
  return out;
}

}  // namespace narthex
