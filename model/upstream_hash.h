// The hash of labels that Prometheus shows to users: which series limit_ratio() takes.
#pragma once

#include <cstdint>

#include "model/labels.h"

namespace narthex {

// As labels.Hash() of Prometheus's default build ("stringlabels"): XXH64 of all names and values in order,
// each behind its size. For what only has to tell labels apart there is Labels::Hash(), which costs less.
uint64_t UpstreamHash(const Labels& labels);

}  // namespace narthex
