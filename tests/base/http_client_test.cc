#include "base/http_client.h"

#include <zlib.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/gunzip.h"
#include "base/http_proxy.h"
#include "base/http_url.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_server.h"

namespace narthex {
namespace {

using testing::Certificate;
using ::testing::HasSubstr;
using testing::MakeCertificate;
using testing::RawServer;
using ::testing::StartsWith;

class HttpClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "narthex_http_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    std::error_code error;
    std::filesystem::remove_all(dir_, error);
  }
  std::string Write(const std::string& name, std::string_view text) {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << text;
    return dir_ + "/" + name;
  }

  // The client section that `yaml` says.
  static std::shared_ptr<HttpClientConfig> Config(std::string_view yaml) {
    auto config = std::make_shared<HttpClientConfig>();
    auto node = YamlNode::Parse(yaml);
    YamlMap map(*node, "test");
    absl::Status status = ReadHttpClientConfig(&map, "", config.get());
    EXPECT_TRUE(status.ok() && map.Finish().ok()) << status;
    return config;
  }
  static absl::Status ConfigError(std::string_view yaml) {
    HttpClientConfig config;
    auto node = YamlNode::Parse(yaml);
    YamlMap map(*node, "test");
    return ReadHttpClientConfig(&map, "", &config);
  }

  // The body of the answer, or the error.
  std::string Get(const std::string& url, std::shared_ptr<HttpClientConfig> config = nullptr) {
    HttpClientRequest request;
    request.url = url;
    request.config = std::move(config);
    auto response = client_.Fetch(std::move(request));
    return response.ok() ? StrCat(response->status, " ", response->body)
                         : std::string(response.status().message());
  }

  HttpClient client_;
  std::string dir_;
};

// Answers with the request's head.
void Echo(RawServer::Connection& c) { c.Answer(200, "text/plain", c.head()); }

TEST_F(HttpClientTest, SendsConfiguredHeadersFromValuesSecretsAndFiles) {
  RawServer server(Echo);
  auto config =
      Config(StrCat("http_headers: {x-one: {values: [a, b]}, X-Two: {secrets: [s]}, X-Three: {files: [",
                    Write("h", "from file\n"), "]}}"));
  std::string head = Get(StrCat("http://", server.address()), config);
  EXPECT_THAT(head, HasSubstr("X-One: a\r\nX-One: b\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Two: s\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Three: from file\r\n"));
  std::string dump = DumpHttpClientConfig(*config, 0);
  EXPECT_THAT(dump, HasSubstr("X-Two:\n    secrets:\n    - <secret>\n"));
  EXPECT_EQ(ConfigError("http_headers: {authorization: {values: [x]}}").message(),
            "setting header \"Authorization\" is not allowed");
}

TEST_F(HttpClientTest, ASecretFileIsReadAgainWhenItChanges) {
  RawServer server(Echo);
  auto config = Config(StrCat("authorization: {type: Token, credentials_file: ", Write("t", "one"), "}"));
  EXPECT_THAT(Get(StrCat("http://", server.address()), config), HasSubstr("Authorization: Token one\r\n"));
  Write("t", "second");
  EXPECT_THAT(Get(StrCat("http://", server.address()), config), HasSubstr("Authorization: Token second\r\n"));
  std::filesystem::remove(dir_ + "/t");
  const std::string url = StrCat("http://", server.address());
  EXPECT_EQ(Get(url, config),
            StrCat("Get \"", url, "\": unable to read authorization credentials: unable to read file ", dir_,
                   "/t: open ", dir_, "/t: no such file or directory"));
}

TEST_F(HttpClientTest, Oauth2TokenIsFetchedOnceAndSent) {
  std::string token_request;
  RawServer tokens([&](RawServer::Connection& c) {
    token_request = c.head() + c.body();
    c.Answer(200, "application/json", R"({"access_token":"abc","token_type":"bearer","expires_in":3600})");
  });
  RawServer server(Echo);
  auto config =
      Config(StrCat("oauth2: {client_id: me, client_secret: s3, scopes: [a, b], token_url: 'http://",
                    tokens.address(), "/token', endpoint_params: {audience: x}}"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Get(StrCat("http://", server.address()), config), HasSubstr("Authorization: Bearer abc\r\n"));
  }
  EXPECT_EQ(tokens.requests(), 1);
  EXPECT_THAT(token_request, HasSubstr("Authorization: Basic bWU6czM="));
  EXPECT_THAT(token_request, HasSubstr("grant_type=client_credentials&scope=a+b&audience=x"));
}

TEST_F(HttpClientTest, Oauth2SecretGoesIntoTheBodyForServersThatRefuseTheHeader) {
  RawServer tokens([&](RawServer::Connection& c) {
    if (c.body().find("client_secret=s3") == std::string::npos) return c.Answer(401, "", "no");
    c.Answer(200, "application/json", R"({"access_token":"abc"})");
  });
  RawServer server(Echo);
  auto config = Config(
      StrCat("oauth2: {client_id: me, client_secret: s3, token_url: 'http://", tokens.address(), "'}"));
  EXPECT_THAT(Get(StrCat("http://", server.address()), config), HasSubstr("Authorization: Bearer abc\r\n"));
}

TEST_F(HttpClientTest, Oauth2RefusalAndExpiry) {
  int refuse = 2;  // header and body each once
  RawServer tokens([&](RawServer::Connection& c) {
    if (refuse > 0) {
      --refuse;
      return c.Answer(403, "text/plain", "who are you");
    }
    c.Answer(200, "application/json", R"({"access_token":"t"})");
  });
  int status = 401;
  RawServer server([&](RawServer::Connection& c) { c.Answer(status, "text/plain", ""); });
  auto config = Config(
      StrCat("oauth2: {client_id: me, client_secret: s3, token_url: 'http://", tokens.address(), "'}"));
  const std::string url = StrCat("http://", server.address());
  EXPECT_EQ(Get(url, config),
            StrCat("Get \"", url, "\": oauth2: cannot fetch token: 403 Forbidden\nResponse: who are you"));
  EXPECT_EQ(Get(url, config), "401 ");
  status = 200;
  EXPECT_EQ(Get(url, config), "200 ");
  EXPECT_EQ(tokens.requests(), 4) << "a refused token is fetched again";
}

TEST_F(HttpClientTest, ProxiesGetTheWholeUrlUnlessTheHostIsExcepted) {
  RawServer proxy(
      [](RawServer::Connection& c) { c.Answer(200, "text/plain", StrCat("proxied ", c.path())); });
  RawServer server(Echo);
  const std::string section = StrCat("proxy_url: 'http://", proxy.address(), "'\n");
  EXPECT_EQ(Get("http://example.invalid/x", Config(section)), "200 proxied http://example.invalid/x");
  EXPECT_THAT(Get(StrCat("http://", server.address()), Config(StrCat(section, "no_proxy: 127.0.0.1\n"))),
              StartsWith("200 GET / "));
}

TEST_F(HttpClientTest, ProxyFromTheEnvironment) {
  setenv("http_proxy", "http://p:1", 1);
  setenv("NO_PROXY", "a,b", 1);
  ProxyChoice choice = ProxyFromEnvironment("http://example.com/x");
  EXPECT_EQ(choice.url, "http://p:1");
  EXPECT_EQ(choice.no_proxy, "a,b");
  EXPECT_EQ(ProxyFromEnvironment("https://example.com/x").url, "");
  EXPECT_EQ(ProxyFromEnvironment("http://localhost:1/x").url, "");
  RawServer proxy([](RawServer::Connection& c) { c.Answer(200, "text/plain", "proxied"); });
  setenv("http_proxy", StrCat("http://", proxy.address()).c_str(), 1);
  EXPECT_EQ(Get("http://example.invalid/", Config("proxy_from_environment: true")), "200 proxied");
  unsetenv("http_proxy");
  unsetenv("NO_PROXY");
}

TEST_F(HttpClientTest, FollowsTenRequestsAndNoRedirectIfToldSo) {
  RawServer server([](RawServer::Connection& c) {
    const int n = std::stoi(c.path().substr(1));
    if (n == 0) return c.Answer(200, "text/plain", "end");
    c.Answer(302, "", "", StrCat("Location: /", n - 1, "\r\n"));
  });
  const std::string base = StrCat("http://", server.address(), "/");
  EXPECT_EQ(Get(base + "9"), "200 end");
  EXPECT_EQ(Get(base + "10"), "Get \"/0\": stopped after 10 redirects");
  EXPECT_EQ(Get(base + "1", Config("follow_redirects: false")), "302 ");
}

TEST_F(HttpClientTest, TlsFilesAreVerifiedAndReadAgainWhenTheyChange) {
  const Certificate own = MakeCertificate("IP:127.0.0.1"), other = MakeCertificate("IP:127.0.0.1");
  RawServer server(Echo, &own);
  const std::string url = StrCat("https://", server.address(), "/");
  const std::string unknown = StrCat(
      "Get \"", url, "\": tls: failed to verify certificate: x509: certificate signed by unknown authority");
  EXPECT_EQ(Get(url), unknown);
  auto config = Config(StrCat("tls_config: {ca_file: ", Write("ca", other.cert), "}"));
  EXPECT_EQ(Get(url, config), unknown);
  Write("ca", own.cert + "\n");
  EXPECT_THAT(Get(url, config), StartsWith("200 "));
  EXPECT_THAT(Get(url, config), StartsWith("200 "));
  EXPECT_EQ(server.requests(), 2);
  Write("ca", other.cert);
  EXPECT_EQ(Get(url, config), unknown) << "the old connection must not be used on";
  EXPECT_THAT(Get(url, Config("tls_config: {insecure_skip_verify: true}")), StartsWith("200 "));
}

TEST_F(HttpClientTest, TlsNamesAndDates) {
  const Certificate named = MakeCertificate("DNS:real.example"), old = MakeCertificate("IP:127.0.0.1", -1);
  RawServer server(Echo, &named), expired(Echo, &old);
  const std::string url = StrCat("https://", server.address(), "/");
  const std::string ca = Write("ca", named.cert);
  EXPECT_EQ(Get(url, Config(StrCat("tls_config: {ca_file: ", ca, "}"))),
            StrCat("Get \"", url,
                   "\": tls: failed to verify certificate: x509: cannot validate certificate for "
                   "127.0.0.1 because it doesn't contain any IP SANs"));
  std::string head = Get(url, Config(StrCat("tls_config: {ca_file: ", ca, ", server_name: real.example}")));
  EXPECT_THAT(head, StartsWith("200 "));
  EXPECT_THAT(head, HasSubstr(StrCat("Host: ", server.address())));
  EXPECT_THAT(Get(StrCat("https://", expired.address(), "/"),
                  Config(StrCat("tls_config: {ca_file: ", Write("old", old.cert), "}"))),
              HasSubstr("x509: certificate has expired or is not yet valid"));
}

TEST_F(HttpClientTest, HttpAnswerToATlsClient) {
  RawServer server([](RawServer::Connection& c) {});
  RawServer plain([](RawServer::Connection& c) { c.Answer(200, "", ""); });
  EXPECT_EQ(ConfigError("tls_config: {cert_file: a}").message(),
            "exactly one of key or key_file must be configured when a client certificate is configured");
  const std::string url = StrCat("https://", plain.address(), "/");
  EXPECT_THAT(Get(url, Config("tls_config: {cert_file: /nonexistent/c, key_file: /nonexistent/k}")),
              HasSubstr("unable to read specified client cert (/nonexistent/c): open /nonexistent/c: no such "
                        "file or directory"));
}

TEST(GunzipTest, AddsUpMembersAndNoticesWhatIsMissing) {
  // Two members, "a\n" and "b\n", made with gzip -n.
  const std::string a("\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\xe4\x02\0\x07\xa1\xea\xdd\x02\0\0\0", 22);
  auto add = [](Gunzip* gunzip, std::string_view input, int64_t limit, std::string* out) {
    return std::string(gunzip->Add(&input, limit, 0, out).message());
  };
  std::string out;
  Gunzip gunzip;
  EXPECT_EQ(add(&gunzip, a, 0, &out), "");
  EXPECT_EQ(add(&gunzip, a.substr(0, 5), 0, &out), "");
  EXPECT_EQ(gunzip.Finish().message(), "unexpected EOF");
  EXPECT_EQ(add(&gunzip, a.substr(5), 0, &out), "");
  EXPECT_TRUE(gunzip.Finish().ok());
  EXPECT_EQ(out, "a\na\n");
  Gunzip no, bad, empty, limited;
  EXPECT_EQ(add(&no, "no gzip at all", 0, &out), "gzip: invalid header");
  std::string broken = a;
  broken[15] ^= 1;
  EXPECT_EQ(add(&bad, broken, 0, &out), "gzip: invalid checksum");
  EXPECT_EQ(empty.Finish().message(), "EOF");
  out.clear();
  EXPECT_EQ(add(&limited, a, 2, &out), "body size limit exceeded");
}

// 10 MB of zeros and then a few bytes, as gzip.
std::string Bomb() {
  std::string text(10'000'000, '0');
  text += "end";
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(text.data());
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

// Long bodies come in pieces, compressed or not, and the next one only after the last was dealt with.
TEST_F(HttpClientTest, PiecesOfLongBodies) {
  for (bool gzip : {false, true}) {
    const std::string body = gzip ? Bomb() : std::string(10'000'000, '0') + "end";
    RawServer server([&](RawServer::Connection& c) {
      c.Answer(200, "text/x", body, gzip ? "Content-Encoding: gzip\r\n" : "");
    });
    std::atomic<int> pieces = 0, out = 0;
    size_t largest = 0, total = 0;
    std::vector<std::thread> workers;
    HttpClientRequest request;
    request.url = StrCat("http://", server.address());
    request.piece_bytes = 1 << 20;
    request.on_piece = [&](HttpClientResponse piece, std::function<void()> resume) {
      EXPECT_EQ(out++, 0) << "one piece at a time";
      EXPECT_EQ(piece.status, 200);
      EXPECT_EQ(piece.content_type, "text/x");
      largest = std::max(largest, piece.body.size());
      total += piece.body.size();
      ++pieces;
      workers.emplace_back([&out, resume] {
        --out;
        resume();
      });
    };
    auto answer = client_.Fetch(request);
    for (std::thread& worker : workers) worker.join();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(answer->body.ends_with("end"));
    EXPECT_EQ(total + answer->body.size(), 10'000'003u);
    EXPECT_GE(pieces, 9);
    EXPECT_LE(largest, (1u << 20) + (128u << 10));
  }
}

TEST_F(HttpClientTest, TheLimitCountsAllPieces) {
  const std::string body(3 << 20, 'x');
  RawServer server([&](RawServer::Connection& c) { c.Answer(200, "", body); });
  HttpClientRequest request;
  request.url = StrCat("http://", server.address());
  request.piece_bytes = 1 << 20;
  request.max_body_bytes = 2 << 20;
  request.on_piece = [](HttpClientResponse, std::function<void()> resume) { resume(); };
  EXPECT_EQ(client_.Fetch(request).status().message(), "body size limit exceeded");
}

TEST(UrlPartsTest, Splits) {
  UrlParts parts = SplitUrl("https://u:p@[::1]:8443/a?b=c");
  EXPECT_EQ(parts.scheme, "https");
  EXPECT_EQ(parts.host, "::1");
  EXPECT_EQ(parts.port, "8443");
  EXPECT_EQ(parts.host_port, "[::1]:8443");
  EXPECT_EQ(parts.path_and_query, "/a?b=c");
  EXPECT_EQ(SplitUrl("http://h").port, "");
}

}  // namespace
}  // namespace narthex
