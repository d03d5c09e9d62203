// One remote_read endpoint, asked for series.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "remote/read_query.h"
#include "remote/remote.h"

namespace narthex::remote {

// A series as it came, with columns that a tsdb::Row can point to.
struct RemoteSeries {
  Labels labels;
  std::vector<int64_t> t;
  std::vector<double> v;
  std::vector<HistogramPoint> h;
};

// Sorted by labels, without external labels if the endpoint filters them. Blocks on HTTP.
// An endpoint that is not to be asked for this selection answers with nothing.
absl::StatusOr<std::vector<RemoteSeries>> AskRemote(const RemoteReadConfig& config,
                                                    const LabelPairs& external_labels, HttpClient* http,
                                                    const Matchers& matchers, int64_t mint, int64_t maxt,
                                                    const tsdb::SelectHints& hints);

// Two sorted columns of one series as one; of equal times the first's sample stays.
void MergeSeries(const RemoteSeries& first, const RemoteSeries& second, RemoteSeries* out);

}  // namespace narthex::remote
