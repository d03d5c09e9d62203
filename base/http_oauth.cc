#include "base/http_oauth.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "base/http_status.h"
#include "base/strings.h"

namespace narthex {
std::string OauthKey(const HttpClientConfig& config) {
  std::string key = StrCat(config.oauth2_token_url, "\xff", config.oauth2_client_id, "\xff",
                           config.oauth2_client_secret, "\xff", config.oauth2_client_secret_file);
  for (const std::string& scope : config.oauth2_scopes) StrAppend(&key, "\xff", scope);
  for (const auto& [name, value] : config.oauth2_endpoint_params) StrAppend(&key, "\xff", name, "=", value);
  return key;
}

HttpClientRequest OauthTokenRequest(const HttpClientConfig& config, const std::string& secret,
                                    bool secret_in_body) {
  HttpClientRequest request;
  request.method = "POST";
  request.url = config.oauth2_token_url;
  request.config = config.oauth2_http;
  request.max_body_bytes = 1 << 20;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = "grant_type=client_credentials";
  std::string scope;
  for (const std::string& s : config.oauth2_scopes) StrAppend(&scope, scope.empty() ? "" : " ", s);
  if (!scope.empty()) StrAppend(&request.body, "&scope=", UrlEscape(scope));
  for (const auto& [name, value] : config.oauth2_endpoint_params) {
    StrAppend(&request.body, "&", UrlEscape(name), "=", UrlEscape(value));
  }
  if (secret_in_body) {
    StrAppend(&request.body, "&client_id=", UrlEscape(config.oauth2_client_id),
              "&client_secret=", UrlEscape(secret));
  } else {
    std::string pair = StrCat(UrlEscape(config.oauth2_client_id), ":", UrlEscape(secret));
    request.headers.emplace_back("Authorization", StrCat("Basic ", absl::Base64Escape(pair)));
  }
  return request;
}

absl::StatusOr<OauthToken> ParseOauthToken(const HttpClientResponse& response) {
  if (response.status < 200 || response.status > 299) {
    return absl::UnauthenticatedError(StrCat("oauth2: cannot fetch token: ", HttpStatusLine(response.status),
                                             "\nResponse: ", response.body.substr(0, 1000)));
  }
  absl::StatusOr<YamlNode> root = YamlNode::Parse(response.body);  // YAML reads JSON too
  if (!root.ok()) return absl::UnauthenticatedError("oauth2: cannot parse json");
  auto field = [&root](std::string_view name) {
    const YamlNode* node = root->IsMapping() ? root->Find(name) : nullptr;
    return node == nullptr ? std::string() : std::string(node->scalar());
  };
  OauthToken token{field("access_token")};
  if (token.value.empty()) return absl::UnauthenticatedError("oauth2: server response missing access_token");
  if (!absl::SimpleAtoi(field("expires_in"), &token.expires_in_s)) token.expires_in_s = 0;
  return token;
}

}  // namespace narthex
