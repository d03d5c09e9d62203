// Storage for queries whose series the test makes up: nothing is stored, and nothing but series is asked for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tsdb/tsdb.h"

namespace narthex::testing {

// Every selector gets what `make` gives. As thread-safe as `make` is.
class StubQueryable : public tsdb::Queryable {
 public:
  using MakeSet = std::function<std::unique_ptr<tsdb::SeriesSet>(const tsdb::SelectHints& hints)>;
  explicit StubQueryable(MakeSet make) : make_(std::move(make)) {}

  absl::StatusOr<std::unique_ptr<tsdb::Querier>> NewQuerier(int64_t, int64_t) const override {
    return std::make_unique<Querier>(make_);
  }

 private:
  class Querier : public tsdb::Querier {
   public:
    explicit Querier(const MakeSet& make) : make_(make) {}
    absl::StatusOr<std::unique_ptr<tsdb::SeriesSet>> Select(const Matchers&, int64_t, int64_t,
                                                            const tsdb::SelectHints& hints) override {
      return make_(hints);
    }
    absl::StatusOr<std::vector<std::string>> LabelNames(const tsdb::LabelQuery&) override {
      return NotHere();
    }
    absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view, const tsdb::LabelQuery&) override {
      return NotHere();
    }
    absl::StatusOr<std::vector<Labels>> Series(const tsdb::LabelQuery&) override { return NotHere(); }

   private:
    static absl::Status NotHere() { return absl::UnimplementedError("the stub has series only"); }
    const MakeSet& make_;
  };
  const MakeSet make_;
};

}  // namespace narthex::testing
