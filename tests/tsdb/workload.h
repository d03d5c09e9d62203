// A stream of writes that is the same for the same seed, and what a store must hold after each of them.
#pragma once

#include <bit>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gtest/gtest.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

// One sample in words: exact for every bit pattern.
inline std::string CellText(double v, const HistogramPtr& h, int64_t start_t) {
  const auto bits = [](double d) { return std::to_string(std::bit_cast<uint64_t>(d)); };
  std::string out = h ? "h" : bits(v);
  if (h) {
    out += std::to_string(static_cast<int>(h->hint)) + "/" + std::to_string(h->schema);
    for (double d : {h->zero_threshold, h->zero_count, h->count, h->sum}) out += "," + bits(d);
    for (const auto* spans : {&h->positive_spans, &h->negative_spans}) {
      out += ";";
      for (const HistogramSpan& s : *spans)
        out += std::to_string(s.offset) + "+" + std::to_string(s.length) + " ";
    }
    for (const auto* values : {&h->positive_buckets, &h->negative_buckets, &h->custom_values}) {
      out += ";";
      for (double d : *values) out += bits(d) + " ";
    }
  }
  return start_t == 0 ? out : out + "@" + std::to_string(start_t);
}

using Content = std::map<std::string, std::map<int64_t, std::string>>;  // labels -> time -> sample

// Everything in the store.
inline Content ReadContent(const Db& db) {
  Content out;
  auto q = db.NewQuerier(INT64_MIN / 2, INT64_MAX / 2);
  EXPECT_TRUE(q.ok());
  auto set =
      (*q)->Select({*Matcher::Create(MatchOp::kRegex, "__name__", ".+")}, INT64_MIN / 2, INT64_MAX / 2, {});
  EXPECT_TRUE(set.ok()) << set.status();
  std::vector<Row> rows;
  for (size_t first = 0; first < (*set)->size(); first += 64) {
    const size_t n = std::min<size_t>(64, (*set)->size() - first);
    EXPECT_TRUE((*set)->ReadBlock(first, n, &rows).ok());
    for (size_t i = 0; i < n; ++i) {
      std::map<int64_t, std::string> cells;
      for (size_t k = 0; k < rows[i].t.size(); ++k) {
        cells[rows[i].t[k]] =
            CellText(rows[i].v[k], nullptr, rows[i].start_t.empty() ? 0 : rows[i].start_t[k]);
      }
      for (size_t k = 0; k < rows[i].h.size(); ++k) {
        cells[rows[i].h[k].t] =
            CellText(0, rows[i].h[k].h, rows[i].h_start_t.empty() ? 0 : rows[i].h_start_t[k]);
      }
      if (!cells.empty()) out[(*set)->labels(first + i).ToString()] = std::move(cells);
    }
  }
  return out;
}

// What differs first, in words; empty if nothing.
inline std::string Difference(const Content& want, const Content& got) {
  for (const auto& [labels, cells] : want) {
    const auto it = got.find(labels);
    if (it == got.end()) return labels + " is missing (" + std::to_string(cells.size()) + " samples)";
    for (const auto& [t, cell] : cells) {
      const auto other = it->second.find(t);
      if (other == it->second.end()) return labels + " has no sample at " + std::to_string(t);
      if (other->second != cell) {
        return labels + " at " + std::to_string(t) + ": " + other->second + " instead of " + cell;
      }
    }
    for (const auto& [t, cell] : it->second)
      if (!cells.contains(t)) return labels + " has a sample at " + std::to_string(t) + " too much: " + cell;
  }
  for (const auto& [labels, cells] : got)
    if (!want.contains(labels)) return labels + " is too much";
  return "";
}

// One step: at most one commit. Steps are numbered; a step's contents depend on seed and number only.
struct Step {
  enum Kind { kRound, kLoose, kDelete, kMaintain, kForceSeal, kClean } kind = kRound;
  int64_t t = 0;
  int group = 0;
  struct Item {
    Labels labels;
    Sample sample;
  };
  std::vector<Item> items;
  std::string deleted;  // value of label i
  int64_t delete_from = 0;
};

inline double AnyValue(std::mt19937_64* random, double previous) {
  static const double kEdge[] = {0.0,
                                 -0.0,
                                 5e-324,
                                 -2.2250738585072009e-308,
                                 4294967296.0,
                                 -4294967297.0,
                                 9007199254740993.0,
                                 9223372036854775808.0,
                                 -9223372036854775808.0,
                                 1.7976931348623157e308,
                                 std::bit_cast<double>(0x7ff0000000000000),
                                 std::bit_cast<double>(0x7ff8000000000001),
                                 std::bit_cast<double>(0xfff8deadbeef0001),
                                 std::bit_cast<double>(0x7ff4000000000007),
                                 0.1};
  switch ((*random)() % 6) {
    case 0:
      return kEdge[(*random)() % std::size(kEdge)];
    case 1:
      return previous;
    case 2:
      return static_cast<double>((*random)() % 1000) / 100;
    default:
      return std::floor(std::fabs(previous) < 1e12 ? previous : 0) + static_cast<double>((*random)() % 50);
  }
}

// Buckets in one or two spans. Some are many: what is stored of them is longer than a block or a page of
// anything.
inline void AnyBuckets(std::mt19937_64* random, std::vector<HistogramSpan>* spans,
                       std::vector<double>* counts) {
  const uint32_t n = 1 + static_cast<uint32_t>((*random)() % ((*random)() % 4 == 0 ? 120 : 4));
  spans->push_back({static_cast<int32_t>((*random)() % 9) - 4, n});
  if ((*random)() % 3 == 0) spans->push_back({static_cast<int32_t>(1 + (*random)() % 3), 2});
  for (const HistogramSpan& span : *spans) {
    for (uint32_t i = 0; i < span.length; ++i)
      counts->push_back(static_cast<double>((*random)() % 10) * ((*random)() % 8 == 0 ? 0.75 : 1));
  }
}

inline HistogramPtr AnyHistogram(std::mt19937_64* random) {
  auto h = std::make_shared<FloatHistogram>();
  h->sum = AnyValue(random, 7);
  if ((*random)() % 4 == 0) {
    h->schema = -53;
    const size_t bounds = 1 + (*random)() % 30;
    for (size_t i = 0; i < bounds; ++i) h->custom_values.push_back(static_cast<double>(i) / 8 - 1);
    h->positive_spans = {{0, static_cast<uint32_t>(bounds + 1)}};
    h->positive_buckets.assign(bounds + 1, 2.5);
    h->count = 2.5 * static_cast<double>(bounds + 1);
    return h;
  }
  h->schema = static_cast<int>((*random)() % 9) - 2;
  h->zero_threshold = 0.001;
  h->zero_count = static_cast<double>((*random)() % 3);
  AnyBuckets(random, &h->positive_spans, &h->positive_buckets);
  if ((*random)() % 2 == 0) AnyBuckets(random, &h->negative_spans, &h->negative_buckets);
  h->count = h->zero_count;
  for (const auto* counts : {&h->positive_buckets, &h->negative_buckets})
    for (const double count : *counts) h->count += count;
  return h;
}

class Workload {
 public:
  Workload(uint64_t seed, int64_t start_ms) : seed_(seed), start_ms_(start_ms) {}

  // Times rise by 5 s on average; with windows of a minute a day is over every few hundred steps.
  int64_t TimeOf(int number) const { return start_ms_ + number * 5'000 + static_cast<int64_t>(seed_ % 997); }

  Step At(int number) const {
    std::mt19937_64 random(seed_ * 1'000'003 + static_cast<uint64_t>(number));
    random.discard(7);
    Step s;
    s.t = TimeOf(number);
    const uint64_t kind = random() % 100;
    if (kind < 62) {
      s.kind = Step::kRound;
      s.group = static_cast<int>(random() % 3);
      const int series = 6 + s.group;
      for (int i = 0; i < series; ++i) {
        if (random() % 5 == 0) continue;
        Step::Item item;
        // Names change with time: churn.
        const int generation = i == 0 ? number / 150 : 0;
        item.labels = Labels({{"__name__", "round"},
                              {"g", std::to_string(s.group)},
                              {"gen", std::to_string(generation)},
                              {"i", std::to_string(i)}});
        item.sample.t = s.t;
        if (i == 1 && random() % 2 == 0)
          item.sample.h = AnyHistogram(&random);
        else
          item.sample.v = AnyValue(&random, number * (i + 1));
        if (i == 2 && random() % 3 == 0) item.sample.start_t = s.t - 500;
        s.items.push_back(std::move(item));
      }
    } else if (kind < 85) {
      s.kind = Step::kLoose;
      // Some are like a live sender's: many series, nearly all of them floats.
      const bool many = random() % 2 == 0;
      const uint64_t first = many ? random() % 5 : 0, count = many ? 16 + random() % 30 : 1 + random() % 4;
      const uint64_t others = many ? 40 : 4;
      for (uint64_t i = first; i < first + count; ++i) {
        Step::Item item;
        item.labels = Labels({{"__name__", "loose"}, {"i", std::to_string(i)}});
        item.sample.t = s.t - (many && random() % 4 != 0 ? 0 : static_cast<int64_t>(random() % 1000));
        if (random() % others == 0)
          item.sample.h = AnyHistogram(&random);
        else
          item.sample.v = AnyValue(&random, number);
        if (random() % others == 0) item.sample.start_t = s.t - 2000;
        s.items.push_back(std::move(item));
      }
    } else if (kind < 88) {
      s.kind = Step::kDelete;
      s.deleted = std::to_string(random() % 8);
      s.delete_from = s.t - static_cast<int64_t>(random() % 600'000);
    } else if (kind < 96) {
      s.kind = Step::kMaintain;
    } else if (kind < 98) {
      s.kind = Step::kForceSeal;
    } else {
      s.kind = Step::kClean;
    }
    return s;
  }

 private:
  const uint64_t seed_;
  const int64_t start_ms_;
};

// What the store must hold.
class Model {
 public:
  void Apply(const Step& s) {
    if (s.kind == Step::kRound) {
      std::set<std::string> seen;
      for (const Step::Item& i : s.items) {
        Put(i);
        if (!IsStale(i.sample.v)) seen.insert(i.labels.ToString());
      }
      for (const std::string& gone : live_[s.group])
        if (!seen.contains(gone)) content_[gone][s.t] = CellText(StaleNan(), nullptr, 0);
      live_[s.group] = std::move(seen);
    } else if (s.kind == Step::kLoose) {
      for (const Step::Item& i : s.items) Put(i);
    } else if (s.kind == Step::kDelete) {
      for (auto& [labels, cells] : content_) {
        if (labels.find("i=\"" + s.deleted + "\"") == std::string::npos) continue;
        cells.erase(cells.lower_bound(s.delete_from), cells.end());
      }
    }
  }
  Content content() const {
    Content out = content_;
    std::erase_if(out, [](const auto& s) { return s.second.empty(); });
    return out;
  }

 private:
  void Put(const Step::Item& i) {
    content_[i.labels.ToString()][i.sample.t] = CellText(i.sample.v, i.sample.h, i.sample.start_t);
  }
  Content content_;
  std::map<int, std::set<std::string>> live_;
};

// Does the steps to a store.
class Driver {
 public:
  Driver(Db* db, FakeClock* clock) : db_(db), clock_(clock) {}

  absl::Status Do(const Step& s) {
    if (s.t > clock_->NowMs()) clock_->AdvanceMs(s.t - clock_->NowMs());
    switch (s.kind) {
      case Step::kRound:
        return DoRound(s);
      case Step::kLoose: {
        auto app = db_->NewAppender();
        for (const Step::Item& i : s.items) {
          SeriesRef ref = 0;
          auto r = app->Append(&ref, i.labels, i.sample);
          if (!r.ok()) return r.status();
          if (*r != AppendResult::kOk) return absl::InternalError("refused " + i.labels.ToString());
        }
        return app->Commit();
      }
      case Step::kDelete:
        return db_->DeleteSeries({Matcher::Equal("i", s.deleted)}, s.delete_from, INT64_MAX);
      case Step::kMaintain:
        return db_->Maintain(false);
      case Step::kForceSeal:
        return db_->Maintain(true);
      case Step::kClean:
        return db_->CleanTombstones();
    }
    return absl::OkStatus();
  }

 private:
  struct Group {
    std::unique_ptr<GroupAppender> appender;
    std::map<std::string, Slot> slots;
  };
  absl::Status DoRound(const Step& s) {
    Group& g = groups_[s.group];
    if (g.appender == nullptr) {
      auto opened = db_->OpenGroup({{"job", "w"}, {"g", std::to_string(s.group)}});
      if (!opened.ok()) return opened.status();
      g.appender = std::move(*opened);
    }
    g.appender->Begin(s.t);
    std::set<std::string> seen;
    for (const Step::Item& i : s.items) {
      const std::string key = i.labels.ToString();
      seen.insert(key);
      auto [it, fresh] = g.slots.try_emplace(key, 0);
      if (fresh) {
        auto slot = g.appender->AddSeries(i.labels);
        if (!slot.ok()) return slot.status();
        it->second = *slot;
      }
      const AppendResult r = g.appender->SetSample(it->second, i.sample, true);
      if (r != AppendResult::kOk) return absl::InternalError("refused " + key);
    }
    // As the scraper does: what this round did not have is forgotten.
    for (auto it = g.slots.begin(); it != g.slots.end();) {
      if (seen.contains(it->first)) {
        ++it;
        continue;
      }
      g.appender->Release(it->second);
      it = g.slots.erase(it);
    }
    return g.appender->Commit().status();
  }

  Db* const db_;
  FakeClock* const clock_;
  std::map<int, Group> groups_;
};

}  // namespace narthex::tsdb
