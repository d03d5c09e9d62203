// OAuth 2.0 client credentials: the request for a token and its answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/http_client.h"

namespace narthex {

struct OauthToken {
  std::string value;
  int64_t expires_in_s = 0;  // 0 = not said
};

// Identifies the token: equal for configurations that may share it.
std::string OauthKey(const HttpClientConfig& config);
// The secret goes into the Authorization header, or into the body for servers that want it there.
HttpClientRequest OauthTokenRequest(const HttpClientConfig& config, const std::string& secret,
                                    bool secret_in_body);
// Errors are Go's: "oauth2: cannot fetch token: 401 Unauthorized\nResponse: ...".
absl::StatusOr<OauthToken> ParseOauthToken(const HttpClientResponse& response);

}  // namespace narthex
