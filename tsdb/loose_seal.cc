#include "tsdb/loose_seal.h"

#include <algorithm>

#include "tsdb/format/stripe.h"
#include "tsdb/group.h"

namespace narthex::tsdb {

void LooseSeal::Add(SeriesId id, std::span<const std::shared_ptr<const LooseStore>> stores) {
  if (stores.size() == 1 && stores[0]->ReadFloats(id, UINT32_MAX, &times_, &values_)) {
    return AddFloats(id, times_, values_);
  }
  std::vector<Sample> samples;
  for (const auto& store : stores) store->Read(id, UINT32_MAX, &samples);
  AddAny(id, std::move(samples));
}

// Nearly all series: floats in the order of time.
void LooseSeal::AddFloats(SeriesId id, std::span<const int64_t> times, std::span<const double> values) {
  while (!times.empty()) {
    const int64_t start = WindowOf(times.front(), window_ms_);
    const size_t n =
        static_cast<size_t>(std::lower_bound(times.begin(), times.end(), start + window_ms_) - times.begin());
    AddEntry(id, start, times.first(n), EncodeDense(values.first(n)));
    times = times.subspan(n);
    values = values.subspan(n);
  }
}

void LooseSeal::AddAny(SeriesId id, std::vector<Sample> samples) {
  std::stable_sort(samples.begin(), samples.end(),
                   [](const Sample& a, const Sample& b) { return a.t < b.t; });
  // (window, histogram) -> samples; the last of equal times stays.
  std::map<std::pair<int64_t, bool>, std::vector<const Sample*>> parts;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i + 1 < samples.size() && samples[i + 1].t == samples[i].t) continue;
    parts[{WindowOf(samples[i].t, window_ms_), samples[i].h != nullptr}].push_back(&samples[i]);
  }
  for (const auto& [where, list] : parts) {
    SeriesRows rows;
    std::vector<int64_t> times;
    const bool starts =
        std::any_of(list.begin(), list.end(), [](const Sample* s) { return s->start_t != 0; });
    for (const Sample* s : list) {
      times.push_back(s->t);
      if (where.second)
        rows.histograms.push_back(s->h);
      else
        rows.values.push_back(s->v);
      if (starts) rows.start_t.push_back(s->start_t);
    }
    rows.present.SetAll(times.size());
    AddEntry(id, where.first, times, EncodeEntry(rows, times.size()));
  }
}

uint32_t LooseSeal::ColumnOf(std::span<const int64_t> times, Window* window) const {
  const auto same = [&](const std::vector<int64_t>& have) {
    return std::equal(have.begin(), have.end(), times.begin(), times.end());
  };
  if (!window->columns.empty() && same(window->columns[window->last])) return window->last;
  std::vector<int64_t> column(times.begin(), times.end());
  const auto [it, fresh] =
      window->known.emplace(std::move(column), static_cast<uint32_t>(window->columns.size()));
  if (fresh) window->columns.push_back(it->first);
  return window->last = it->second;
}

void LooseSeal::AddEntry(SeriesId id, int64_t start, std::span<const int64_t> times, std::string bytes) {
  Window& window = windows_[start];
  if (!window.writer) {
    window.writer.emplace(StripeKey{start, kLooseGroup, generation_, 0}, &window.columns, stripes_);
    window.members = &(*members_)[start];
  }
  window.members->add(id);
  window.writer->Add(id, ColumnOf(times, &window), std::move(bytes));
}

}  // namespace narthex::tsdb
