// What Grafana's Prometheus data source asks, request by request, as its backend sends it.
#include "tests/api/fixture.h"

namespace narthex::api {
namespace {

class GrafanaTest : public ApiTest {
 protected:
  GrafanaTest() {
    for (int i = 0; i < 4; ++i) {
      Append(Labels::FromPairs({{"__name__", "up"}, {"job", "a"}}), kNow - 60'000 + i * 15'000, i);
      Append(Labels::FromPairs({{"__name__", "http.requests"}, {"http.status", "200"}}),
             kNow - 60'000 + i * 15'000, 1);
    }
  }
  static constexpr const char* kMatrix =
      R"({"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},)"
      R"("values":[[940,"0"],[955,"1"],[970,"2"],[985,"3"]]}]})";
};

TEST_F(GrafanaTest, SaveAndTestAsksForOnePlusOneIn1970) {
  EXPECT_EQ(Do("POST", "/api/v1/query", "query=1%2B1&time=4").body,
            Success(R"({"resultType":"scalar","result":[4,"2"]})"));
  EXPECT_EQ(answer.status, 200);
}

TEST_F(GrafanaTest, BuildInfoHasStringsOnlyAndNoFeatures) {
  EXPECT_EQ(Get("/api/v1/status/buildinfo"),
            Success(R"({"version":"3.14.0","revision":"abc","branch":"main","buildUser":"me",)"
                    R"("buildDate":"today","goVersion":"g++"})"));
}

TEST_F(GrafanaTest, BodyAndUrlAreMergedBodyFirst) {
  Do("POST", "/api/v1/query_range?custom=1&stats=all&query=nothing", "query=up&start=940&end=985&step=15");
  EXPECT_EQ(answer.body.find(R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":)"), 0u)
      << answer.body;
  EXPECT_NE(answer.body.find(R"("stats":{"timings":)"), std::string::npos);
  EXPECT_NE(answer.body.find(R"("totalQueryableSamples":)"), std::string::npos);
}

TEST_F(GrafanaTest, EveryQueryEndpointTakesGetAndPost) {
  const std::pair<const char*, const char*> kBoth[] = {{"query", "query=up"},
                                                       {"query_range", "query=up&start=940&end=985&step=15"},
                                                       {"query_exemplars", "query=up"},
                                                       {"series", "match[]=up"},
                                                       {"labels", "match[]=up"}};
  for (const auto& [endpoint, form] : kBoth) {
    std::string got = Get(StrCat("/api/v1/", endpoint, "?", form));
    EXPECT_EQ(answer.status, 200) << endpoint;
    EXPECT_EQ(Do("POST", StrCat("/api/v1/", endpoint), form).body, got);
  }
  for (const char* get_only : {"label/job/values", "metadata", "rules", "alerts", "status/buildinfo"}) {
    Do("POST", StrCat("/api/v1/", get_only), "limit=1");
    EXPECT_EQ(answer.status, 405) << get_only << ": Grafana falls back to GET on 405";
  }
}

TEST_F(GrafanaTest, StepsAndTimesMayHaveFractions) {
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=940.0&end=985.000&step=15&timeout=60s"),
            Success(kMatrix));
  EXPECT_EQ(
      Get("/api/v1/query_range?query=vector(1)&start=940.5&end=941&step=0.5"),
      Success(R"({"resultType":"matrix","result":[{"metric":{},"values":[[940.500,"1"],[941,"1"]]}]})"));
}

TEST_F(GrafanaTest, MoreThan11000PointsAreRefused) {
  Get("/api/v1/query_range?query=up&start=0&end=11001&step=1");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("exceeded maximum resolution of 11,000 points per timeseries"),
            std::string::npos);
}

TEST_F(GrafanaTest, EmptyIsAnEmptyListNeverNull) {
  EXPECT_EQ(Get("/api/v1/query?query=nothing"), Success(R"({"resultType":"vector","result":[]})"));
  EXPECT_EQ(Get("/api/v1/query_range?query=nothing&start=1&end=2&step=1"),
            Success(R"({"resultType":"matrix","result":[]})"));
  EXPECT_EQ(Get("/api/v1/labels?match[]=nothing"), Success("[]"));
  EXPECT_EQ(Get("/api/v1/series?match[]=nothing"), Success("[]"));
}

TEST_F(GrafanaTest, SpecialValuesAreStrings) {
  EXPECT_EQ(Get("/api/v1/query?query=vector(0/0)&time=4"),
            Success(R"({"resultType":"vector","result":[{"metric":{},"value":[4,"NaN"]}]})"));
  EXPECT_EQ(Get("/api/v1/query?query=-1/0&time=4"),
            Success(R"({"resultType":"scalar","result":[4,"-Inf"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=1/0&time=4"), Success(R"({"resultType":"scalar","result":[4,"+Inf"]})"));
}

TEST_F(GrafanaTest, ErrorsHaveTheCodesThatGrafanaReads) {
  Get("/api/v1/query?query=sum(");
  EXPECT_EQ(answer.status, 400);
  Get("/api/v1/query?query=up%20%2B%20on()%20%7B__name__=~%22up%7Chttp.requests%22%7D");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.content_type, "application/json");
  *cancelled = true;
  Get("/api/v1/query?query=up");
  EXPECT_EQ(answer.status, 499);
}

TEST_F(GrafanaTest, ExemplarProbeSendsMilliseconds) {
  EXPECT_EQ(Do("POST", "/api/v1/query_exemplars", "query=test&start=1725000000000&end=1725000001000").body,
            Success("[]"));
}

TEST_F(GrafanaTest, LabelRequestsHaveALimit) {
  EXPECT_EQ(Get("/api/v1/labels?start=900&end=1000&limit=40000"),
            Success(R"(["__name__","http.status","job"])"));
  EXPECT_EQ(Get("/api/v1/labels?limit=0"), Success(R"(["__name__","http.status","job"])"));
  std::string cut = Get("/api/v1/labels?limit=1");
  EXPECT_NE(cut.find(R"("warnings":["results truncated due to limit"])"), std::string::npos) << cut;
}

TEST_F(GrafanaTest, MetricNamesAreSearchedByRegexPerKeystroke) {
  EXPECT_EQ(Get("/api/v1/label/__name__/values?limit=1000&match[]=%7B__name__%3D~%22.*requ.*%22%7D"),
            Success(R"(["http.requests"])"));
}

TEST_F(GrafanaTest, Utf8LabelNamesComeEscapedInThePath) {
  EXPECT_EQ(Get("/api/v1/label/U__http_2e_status/values"), Success(R"(["200"])"));
  EXPECT_EQ(Get("/api/v1/series?match[]=%7B%22http.requests%22%7D"),
            Success(R"([{"__name__":"http.requests","http.status":"200"}])"));
}

TEST_F(GrafanaTest, SeriesWithoutAMetricUseAllNames) {
  Get("/api/v1/series?match[]=%7B__name__!%3D%22%22%7D&limit=40000");
  EXPECT_EQ(answer.status, 200);
}

TEST_F(GrafanaTest, MetadataListsTypesAndHelp) {
  scraper.metadata.push_back({Labels(), {"up", "gauge", "Is it up?", ""}});
  EXPECT_EQ(Get("/api/v1/metadata?limit=40000"),
            Success(R"({"up":[{"type":"gauge","unit":"","help":"Is it up?"}]})"));
}

TEST_F(GrafanaTest, RecordingRulesHaveNameQueryAndLabels) {
  rules::RuleView rule;
  rule.name = "job:up:sum";
  rule.query = "sum by (job) (up)";
  rule.labels = Labels::FromPairs({{"team", "a"}});
  rules.groups.push_back({"g", "f.yml", 15'000, 0, 0, 0, {rule}});
  std::string body = Get("/api/v1/rules");
  EXPECT_NE(body.find(R"-("name":"job:up:sum","query":"sum by (job) (up)","labels":{"team":"a"})-"),
            std::string::npos);
  EXPECT_NE(body.find(R"("type":"recording")"), std::string::npos);
}

TEST_F(GrafanaTest, AlertingUiPagesThroughGroups) {
  rules::RuleView rule;
  rule.name = "r";
  for (const char* name : {"a", "b", "c"}) rules.groups.push_back({name, "f.yml", 15'000, 0, 0, 0, {rule}});
  std::string first = Get("/api/v1/rules?group_limit=2&exclude_alerts=true");
  size_t at = first.find(R"("groupNextToken":")");
  ASSERT_NE(at, std::string::npos);
  std::string token = first.substr(at + 18, first.find('"', at + 18) - at - 18);
  std::string second = Get("/api/v1/rules?group_limit=2&group_next_token=" + token);
  EXPECT_EQ(second.find(R"({"status":"success","data":{"groups":[{"name":"c")"), 0u) << second;
  EXPECT_EQ(second.find("groupNextToken"), std::string::npos);
}

TEST_F(GrafanaTest, SearchIsUnavailableUntilSwitchedOn) {
  Get("/api/v1/search/metric_names?limit=100&search[]=u&sort_by=score&batch_size=100&include_metadata=true");
  EXPECT_NE(answer.body.find(R"("errorType":"unavailable")"), std::string::npos);
}

TEST_F(GrafanaTest, ServesUnderAnyPrefix) {
  options.route_prefix = "/a/b";
  EXPECT_EQ(Get("/a/b/api/v1/query_range?query=up&start=940&end=985&step=15"), Success(kMatrix));
}

TEST_F(GrafanaTest, ForwardedHeadersDoNoHarm) {
  Do("POST", "/api/v1/query", "query=1&time=4",
     {{"x-grafana-org-id", "1"}, {"x-dashboard-uid", "x"}, {"x-rule-uid", "y"}, {"fromalert", "true"}});
  EXPECT_EQ(answer.status, 200);
}

TEST_F(GrafanaTest, PastStepsDoNotChangeWhenAskedAgain) {
  std::string whole = Get("/api/v1/query_range?query=up&start=940&end=970&step=15");
  Append(Labels::FromPairs({{"__name__", "up"}, {"job", "a"}}), kNow, 9);
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=940&end=970&step=15"), whole);
}

TEST_F(GrafanaTest, MatrixStaysAMatrix) {
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=940&end=985&step=15"), Success(kMatrix));
}

}  // namespace
}  // namespace narthex::api
