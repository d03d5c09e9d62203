// /federate: order, external labels, formats.
#include "tests/api/fixture.h"
#include "tests/support/proto_writer.h"

namespace narthex::api {
namespace {

TEST_F(ApiTest, FederationSortsByNameAndAddsExternalLabels) {
  options.config_yaml = [] {
    return std::string("global:\n  external_labels:\n    job: outside\n    region: \"e\\\"u\"\n");
  };
  Append({{"__name__", "z"}, {"instance", "i"}}, 990'000, 1e6);
  Append({{"__name__", "a"}, {"job", "x"}}, 980'000, 1);
  Append({{"__name__", "a"}, {"job", "x"}}, 990'000, 2.5);
  Append({{"__name__", "old"}}, 600'000, 1);
  Append({{"__name__", "gone"}}, 990'000, StaleNan());
  Append({{"__name__", "n.m"}, {"l.k", "v"}}, 990'000, 3);
  EXPECT_EQ(Get("/federate?match[]=%7B__name__%3D~%22.%2B%22%7D&match[]=a"),
            "# TYPE a untyped\n"
            "a{job=\"x\",instance=\"\",region=\"e\\\"u\"} 2.5 990000\n"
            "# TYPE n_m untyped\n"
            "n_m{l_k=\"v\",instance=\"\",job=\"outside\",region=\"e\\\"u\"} 3 990000\n"
            "# TYPE z untyped\n"
            "z{instance=\"i\",job=\"outside\",region=\"e\\\"u\"} 1e+06 990000\n");
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  Do("GET", "/federate?match[]=%7B%22n.m%22%7D", "",
     {{"accept", "text/plain;version=1.0.0;escaping=allow-utf-8"}});
  EXPECT_EQ(answer.body,
            "# TYPE \"n.m\" untyped\n"
            "{\"n.m\",\"l.k\"=\"v\",instance=\"\",job=\"outside\",region=\"e\\\"u\"} 3 990000\n");
  Get("/federate?match[]=%7B");
  EXPECT_EQ(answer.status, 400);
}

TEST_F(ApiTest, FederationSpeaksProtobufToThoseWhoPreferIt) {
  Append({{"__name__", "a.b"}, {"l.k", "v"}}, 990'000, 2.5);
  Append({{"__name__", "c"}}, 990'000, 1);
  auto histogram = std::make_shared<FloatHistogram>();
  histogram->count = 4;
  histogram->sum = 10;
  histogram->positive_spans = {{-1, 2}};
  histogram->positive_buckets = {1, 3};
  AppendSample(Labels({{"__name__", "c"}, {"x", "y"}}), {995'000, 0, histogram, 0});
  using ::narthex::testing::ProtoPair;
  using ::narthex::testing::ProtoWriter;
  auto untyped = [](const ProtoWriter& labels, double v) {
    return ProtoWriter(labels).Bytes(5, ProtoWriter().Double(1, v)).Int(6, 990'000);
  };
  ProtoWriter instance = ProtoPair("instance", "");
  std::string expected =
      ProtoWriter()
          .Bytes(1, "a_b")
          .Int(3, 3)
          .Bytes(4, untyped(ProtoWriter().Bytes(1, ProtoPair("l_k", "v")).Bytes(1, instance), 2.5))
          .Delimited();
  expected += ProtoWriter()
                  .Bytes(1, "c")
                  .Int(3, 3)
                  .Bytes(4, untyped(ProtoWriter().Bytes(1, instance), 1))
                  .Delimited();
  expected += ProtoWriter()
                  .Bytes(1, "c")
                  .Int(3, 4)
                  .Bytes(4, ProtoWriter()
                                .Bytes(1, ProtoPair("x", "y"))
                                .Bytes(1, instance)
                                .Int(6, 995'000)
                                .Bytes(7, ProtoWriter()
                                              .Double(2, 10)
                                              .Double(4, 4)
                                              .Signed(5, 0)
                                              .Double(6, 0)
                                              .Double(8, 0)
                                              .Bytes(12, ProtoWriter().Signed(1, -1).Int(2, 2))
                                              .Double(14, 1)
                                              .Double(14, 3)))
                  .Delimited();
  constexpr char kProtobuf[] =
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
  Do("GET", "/federate?match[]=%7B__name__%3D~%22.%2B%22%7D", "",
     {{"accept", StrCat("text/plain;version=0.0.4;q=0.3,", kProtobuf, ";q=0.7,*/*;q=0.1")}});
  EXPECT_EQ(answer.body, expected);
  EXPECT_EQ(answer.content_type,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; "
            "escaping=underscores");
  // Less wanted than text: text, which has no native histograms.
  Do("GET", "/federate?match[]=%7B%22c%22%7D", "", {{"accept", StrCat("text/plain,", kProtobuf, ";q=0.7")}});
  EXPECT_EQ(answer.body, "# TYPE c untyped\nc{instance=\"\"} 1 990000\n");
}

// Line by line what Prometheus 3.5.3 gives.
TEST_F(ApiTest, FederationWritesProtobufAsText) {
  Append({{"__name__", "a"}, {"q", "a\"b\\c\nd \xC3\xA9"}}, 990'000, 1.5);
  Append({{"__name__", "b.c"}}, 990'000, std::numeric_limits<double>::infinity());
  auto histogram = std::make_shared<FloatHistogram>();
  histogram->count = 4;
  histogram->sum = 10;
  histogram->positive_spans = {{-1, 2}};
  histogram->positive_buckets = {1, 3};
  AppendSample(Labels({{"__name__", "h"}}), {995'000, 0, histogram, 0});
  const std::string accept =
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=";
  const std::string target = "/federate?match[]=%7B__name__%3D~%22.%2B%22%7D";
  Do("GET", target, "", {{"accept", accept + "compact-text"}});
  EXPECT_EQ(
      answer.body,
      R"(name:"a"  type:UNTYPED  metric:{label:{name:"q"  value:"a\"b\\c\nd )"
      "\xC3\xA9"
      R"("}  label:{name:"instance"  value:""}  untyped:{value:1.5}  timestamp_ms:990000})"
      "\n"
      R"(name:"b_c"  type:UNTYPED  metric:{label:{name:"instance"  value:""}  untyped:{value:inf}  )"
      R"(timestamp_ms:990000})"
      "\n"
      R"(name:"h"  type:HISTOGRAM  metric:{label:{name:"instance"  value:""}  histogram:{)"
      R"(sample_count_float:4  sample_sum:10  schema:0  zero_threshold:0  zero_count_float:0  )"
      R"(positive_span:{offset:-1  length:2}  positive_count:1  positive_count:3}  timestamp_ms:995000})"
      "\n");
  EXPECT_EQ(
      answer.content_type,
      "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=compact-text; "
      "escaping=underscores");
  Do("GET", "/federate?match[]=%7B%22b.c%22%7D", "", {{"accept", accept + "text;escaping=allow-utf-8"}});
  EXPECT_EQ(answer.body,
            "name:  \"b.c\"\ntype:  UNTYPED\nmetric:  {\n  label:  {\n    name:  \"instance\"\n"
            "    value:  \"\"\n  }\n  untyped:  {\n    value:  inf\n  }\n  timestamp_ms:  990000\n}\n\n");
  EXPECT_EQ(answer.content_type,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text; "
            "escaping=allow-utf-8");
}

TEST_F(ApiTest, FederationEscapesNamesAsAsked) {
  Append({{"__name__", "a.b_c d"}}, 990'000, 1);
  auto names = [&](const std::string& escaping) {
    Do("GET", "/federate?match[]=%7B%22a.b_c%20d%22%7D", "", {{"accept", "text/plain;escaping=" + escaping}});
    return answer.body.substr(7, answer.body.find(" untyped") - 7);
  };
  EXPECT_EQ(names("underscores"), "a_b_c_d");
  EXPECT_EQ(names("dots"), "a_dot_b__c__d");
  EXPECT_EQ(names("values"), "U__a_2e_b__c_20_d");
  EXPECT_EQ(names("nonsense"), "a_b_c_d");
  EXPECT_EQ(names("allow-utf-8"), "\"a.b_c d\"");
}

}  // namespace
}  // namespace narthex::api
