// TLS, users and headers in front of the server.
#include "base/web_config.h"

#include <crypt.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/http_client.h"
#include "base/strings.h"
#include "tests/support/raw_server.h"

namespace narthex {
namespace {

// A new certificate for localhost that signs itself.
void WriteCertificate(const std::string& cert_file, const std::string& key_file) {
  testing::Certificate made = testing::MakeCertificate("DNS:localhost,IP:127.0.0.1");
  std::ofstream(cert_file) << made.cert;
  std::ofstream(key_file) << made.key;
}

class WebGateTest : public ::testing::Test {
 protected:
  WebGateTest() {
    dir_ = ::testing::TempDir() + "/narthex_web_" +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(dir_);
    WriteCertificate(dir_ + "/cert.pem", dir_ + "/key.pem");
  }
  ~WebGateTest() override { std::filesystem::remove_all(dir_); }

  absl::Status Open(const std::string& yaml) {
    std::ofstream(dir_ + "/web.yml") << yaml;
    absl::StatusOr<std::unique_ptr<WebGate>> gate = WebGate::Open(dir_ + "/web.yml", &clock_, &logger_);
    if (!gate.ok()) return gate.status();
    gate_ = *std::move(gate);
    HttpServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    if (gate_->tls()) options.tls_context = [this] { return gate_->TlsContext(); };
    server_ = *HttpServer::Start(options, gate_->Guard([](const HttpRequest&, HttpResponseWriter& out) {
      out.Send(200, "text/plain", "inside");
    }));
    return absl::OkStatus();
  }
  absl::StatusOr<HttpClientResponse> Get(const HttpClientConfig& config) {
    HttpClientRequest request;
    request.url = StrCat(gate_->tls() ? "https" : "http", "://127.0.0.1:", server_->ports()[0], "/");
    request.timeout_ms = 10'000;
    request.config = std::make_shared<HttpClientConfig>(config);
    return HttpClient().Fetch(std::move(request));
  }
  HttpClientConfig Trusting() const {
    HttpClientConfig config;
    config.tls.ca_file = dir_ + "/cert.pem";
    return config;
  }

  std::string dir_;
  FakeClock clock_{1'000'000};
  std::vector<std::string> log_;
  Logger logger_{LogLevel::kInfo, LogFormat::kLogfmt, &clock_,
                 [this](std::string_view line) { log_.emplace_back(line); }};
  std::unique_ptr<WebGate> gate_;
  std::unique_ptr<HttpServer> server_;
};

constexpr char kTls[] = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n";

TEST_F(WebGateTest, ServesTlsToThoseWhoTrustTheCertificate) {
  ASSERT_TRUE(Open(kTls).ok());
  absl::StatusOr<HttpClientResponse> answer = Get(Trusting());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "inside");
  EXPECT_FALSE(Get(HttpClientConfig()).ok()) << "nobody vouches for the certificate";
}

TEST_F(WebGateTest, TakesANewCertificateWhenTheFileChanges) {
  ASSERT_TRUE(Open(kTls).ok());
  HttpClientConfig old = Trusting();
  std::filesystem::copy_file(dir_ + "/cert.pem", dir_ + "/old.pem");
  old.tls.ca_file = dir_ + "/old.pem";
  WriteCertificate(dir_ + "/cert.pem", dir_ + "/key.pem");
  clock_.AdvanceMs(2000);
  EXPECT_FALSE(Get(old).ok());
  EXPECT_TRUE(Get(Trusting()).ok());
  // A broken file leaves the good one in place.
  std::filesystem::copy_file(dir_ + "/cert.pem", dir_ + "/good.pem");
  std::ofstream(dir_ + "/key.pem") << "broken";
  clock_.AdvanceMs(2000);
  HttpClientConfig good;
  good.tls.ca_file = dir_ + "/good.pem";
  EXPECT_TRUE(Get(good).ok());
  ASSERT_FALSE(log_.empty());
  EXPECT_NE(log_.back().find("does not load"), std::string::npos) << log_.back();
}

TEST_F(WebGateTest, OldProtocolsAreRefused) {
  ASSERT_TRUE(Open("tls_server_config: {cert_file: cert.pem, key_file: key.pem, min_version: TLS13}\n").ok());
  HttpClientConfig config = Trusting();
  config.tls.max_version = "TLS12";
  EXPECT_FALSE(Get(config).ok());
  EXPECT_TRUE(Get(Trusting()).ok());
}

TEST_F(WebGateTest, ClientCertificatesAreVerified) {
  ASSERT_TRUE(Open("tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem, "
                   "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [localhost]}\n")
                  .ok());
  EXPECT_FALSE(Get(Trusting()).ok());
  HttpClientConfig config = Trusting();
  config.tls.cert_file = dir_ + "/cert.pem";
  config.tls.key_file = dir_ + "/key.pem";
  absl::StatusOr<HttpClientResponse> answer = Get(config);
  EXPECT_TRUE(answer.ok()) << answer.status();
  WriteCertificate(dir_ + "/other.pem", dir_ + "/other.key");
  config.tls.cert_file = dir_ + "/other.pem";
  config.tls.key_file = dir_ + "/other.key";
  EXPECT_FALSE(Get(config).ok());
}

TEST_F(WebGateTest, ClientsWithoutAnAllowedNameAreRefused) {
  ASSERT_TRUE(Open("tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem, "
                   "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [elsewhere]}\n")
                  .ok());
  HttpClientConfig config = Trusting();
  config.tls.cert_file = dir_ + "/cert.pem";
  config.tls.key_file = dir_ + "/key.pem";
  EXPECT_FALSE(Get(config).ok());
}

TEST_F(WebGateTest, UsersNeedTheirPassword) {
  crypt_data data{};
  std::string hash = crypt_r("test", "$2y$04$abcdefghijklmnopqrstuu", &data);
  ASSERT_TRUE(Open("basic_auth_users: {alice: '" + hash +
                   "'}\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n")
                  .ok());
  HttpClientConfig config;
  absl::StatusOr<HttpClientResponse> answer = Get(config);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(answer->body, "Unauthorized\n");
  auto header = [&](std::string_view name) {
    for (const auto& [key, value] : answer->headers) {
      if (key == name) return value;
    }
    return std::string();
  };
  EXPECT_EQ(header("www-authenticate"), "Basic");
  EXPECT_EQ(header("x-frame-options"), "deny");
  config.has_basic_auth = true;
  config.basic_user = "alice";
  for (int i = 0; i < 2; ++i) {  // the second answer comes from memory
    config.basic_password = "wrong";
    EXPECT_EQ(Get(config)->status, 401);
    config.basic_password = "test";
    EXPECT_EQ(Get(config)->status, 200);
  }
  config.basic_user = "bob";
  EXPECT_EQ(Get(config)->status, 401);
}

TEST_F(WebGateTest, ManyRequestsAreTurnedAway) {
  ASSERT_TRUE(Open("rate_limit: {interval: 1s, burst: 2}\n").ok());
  clock_.AdvanceMs(1);
  EXPECT_EQ(Get({})->status, 200);
  EXPECT_EQ(Get({})->status, 200);
  EXPECT_EQ(Get({})->status, 429);
  clock_.AdvanceMs(1000);
  EXPECT_EQ(Get({})->status, 200);
}

TEST_F(WebGateTest, WrongConfigurationsAreNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {"tls_server_config: {key_file: key.pem}", "missing one of cert or cert_file"},
      {"tls_server_config: {cert_file: cert.pem}", "missing one of key or key_file"},
      {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, min_version: TLS9}",
       "unknown TLS version: TLS9"},
      {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, cipher_suites: [X]}",
       "unknown cipher: X"},
      {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, curve_preferences: [X]}",
       "unknown curve: X"},
      {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: X}",
       "Invalid ClientAuth: X"},
      {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem}",
       "Client CA's have been configured without a Client Auth Policy"},
      {"tls_server_config: {cert_file: nothing.pem, key_file: key.pem}", "failed to read cert_file ("},
      {"tls_server_config: {cert_file: key.pem, key_file: key.pem}", "PEM inputs may have been switched"},
      {"tls_server_config: {cert_file: cert.pem, key_file: cert.pem}",
       "failed to load X509KeyPair: tls: found a certificate rather than a key in the PEM for the private "
       "key"},
      {"tls_server_config: {cert: xx, key: yy}",
       "failed to load X509KeyPair: tls: failed to find any PEM data in certificate input"},
      {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: none.pem, "
       "client_auth_type: "
       "RequireAnyClientCert}",
       "none.pem: no such file or directory"},
      {"tls_server_config: {nothing: 1}", "field nothing not found in type web.TLSConfig"},
      {"basic_auth_users: {a: short}", "crypto/bcrypt: hashedSecret too short to be a bcrypted password"},
      {"basic_auth_users: {a: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
       "crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with 'x'"},
      {"basic_auth_users: {a: $9xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
       "crypto/bcrypt: bcrypt algorithm version '9' requested is newer than current version '2'"},
      {"http_server_config: {headers: {Server: x}}", "HTTP header \"Server\" can not be configured"},
      {"http_server_config: {headers: {X-Frame-Options: x}}",
       "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"x\""},
      {"nothing: 1", "field nothing not found in type web.Config"}};
  for (const auto& [yaml, error] : kCases) {
    absl::Status status = Open(yaml);
    EXPECT_NE(std::string(status.message()).find(error), std::string::npos) << yaml << ": " << status;
  }
  EXPECT_TRUE(Open("tls_server_config: {cert_file: cert.pem, key_file: key.pem, cipher_suites: "
                   "[TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], curve_preferences: [X25519, CurveP256]}")
                  .ok());
  EXPECT_TRUE(Open("").ok());
}

}  // namespace
}  // namespace narthex
