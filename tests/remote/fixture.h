// What the tests of the folder share: the samples that a store holds, as text.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/strings.h"
#include "model/histogram.h"
#include "tsdb/tsdb.h"

namespace narthex::remote {

// "name{...} value@t value@t" a series, histograms behind the floats.
inline std::vector<std::string> StoredIn(const tsdb::Db& db) {
  auto querier = *db.NewQuerier(INT64_MIN, INT64_MAX);
  auto set = *querier->Select({}, INT64_MIN / 2, INT64_MAX / 2, {});
  std::vector<tsdb::Row> rows;
  EXPECT_TRUE(set->ReadBlock(0, set->size(), &rows).ok());
  std::vector<std::string> out;
  for (size_t i = 0; i < set->size(); ++i) {
    std::string line = set->labels(i).ToString();
    for (size_t k = 0; k < rows[i].t.size(); ++k) StrAppend(&line, " ", rows[i].v[k], "@", rows[i].t[k]);
    for (const HistogramPoint& p : rows[i].h) StrAppend(&line, " ", p.h->ToString(), "@", p.t);
    out.push_back(line);
  }
  return out;
}

}  // namespace narthex::remote
