// The remote sections as they are shown again.
#include <gtest/gtest.h>

#include "remote/remote.h"

namespace narthex::remote {
namespace {

TEST(RemoteConfigTest, RemoteWriteIsShownWithItsDefaultsAndWithoutSecrets) {
  YamlNode node = *YamlNode::Parse(
      "- {url: 'http://u:p@h/w', name: x, basic_auth: {username: a, password: b}, headers: {X-A: b}, "
      "send_exemplars: true, queue_config: {retry_on_http_429: true, sample_age_limit: 5m}}");
  auto configs = ParseRemoteWrite(node, ".");
  ASSERT_TRUE(configs.ok()) << configs.status();
  EXPECT_EQ(
      (*configs)[0].yaml,
      "url: http://u:xxxxx@h/w\n"
      "remote_timeout: 30s\n"
      "headers:\n  X-A: b\n"
      "name: x\n"
      "send_exemplars: true\n"
      "protobuf_message: prometheus.WriteRequest\n"
      "basic_auth:\n  username: a\n  password: <secret>\n"
      "follow_redirects: true\n"
      "enable_http2: false\n"
      "queue_config:\n  capacity: 10000\n  max_shards: 50\n  min_shards: 1\n  max_samples_per_send: 2000\n"
      "  batch_send_deadline: 5s\n  min_backoff: 30ms\n  max_backoff: 5s\n  retry_on_http_429: true\n"
      "  sample_age_limit: 5m\n"
      "metadata_config:\n  send: true\n  send_interval: 1m\n  max_samples_per_send: 2000\n");
}

TEST(RemoteConfigTest, RemoteReadIsShownWithItsDefaults) {
  auto configs = ParseRemoteRead(*YamlNode::Parse("- {url: 'http://h/r', required_matchers: {a: b}}"), ".");
  ASSERT_TRUE(configs.ok()) << configs.status();
  EXPECT_EQ((*configs)[0].yaml,
            "url: http://h/r\n"
            "remote_timeout: 1m\n"
            "chunked_read_limit: 50000000\n"
            "follow_redirects: true\n"
            "enable_http2: true\n"
            "required_matchers:\n  a: b\n"
            "filter_external_labels: true\n");
}

}  // namespace
}  // namespace narthex::remote
