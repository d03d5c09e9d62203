// How /federate writes its samples: what the client's Accept header asks for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/http_server.h"
#include "model/histogram.h"
#include "model/labels.h"

namespace narthex::api {

struct FederatedSample {
  Labels labels;
  int64_t t = 0;
  double v = 0;
  HistogramPtr h;  // null: a float
};

enum class FederateEncoding { kText, kDelimited, kProtoText, kCompactText };  // the last three: protobuf

struct FederateFormat {
  FederateEncoding encoding = FederateEncoding::kText;
  // For names outside [a-zA-Z0-9_:]: allow-utf-8, underscores, dots or values.
  std::string escaping = "underscores";

  bool protobuf() const { return encoding != FederateEncoding::kText; }
  bool utf8() const { return escaping == "allow-utf-8"; }
  // `colon`: a colon may stay.
  std::string EscapeName(std::string_view name, bool colon) const;
  std::string ContentType() const;
};

FederateFormat NegotiateFederation(std::string_view accept);

// The number of the sample's type in MetricFamily.
int FederatedTypeOf(const FederatedSample& sample);

// Delimited messages of io.prometheus.client.MetricFamily. `samples` are sorted by metric name.
absl::Status SendFederatedProtobuf(const FederateFormat& format, const std::vector<FederatedSample>& samples,
                                   const std::map<std::string, std::string>& external,
                                   HttpResponseWriter* out);
// The same as text, on many lines or one line a family.
absl::Status SendFederatedProtoText(const FederateFormat& format, const std::vector<FederatedSample>& samples,
                                    const std::map<std::string, std::string>& external,
                                    HttpResponseWriter* out);

}  // namespace narthex::api
