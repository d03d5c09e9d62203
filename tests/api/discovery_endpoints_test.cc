// Relabel steps, scrape pool configuration, search, own metrics, notifications, OpenAPI, query log.
#include <fstream>
#include <sstream>

#include "api/search_score.h"
#include "tests/api/fixture.h"

namespace narthex::api {
namespace {

class PoolTest : public ApiTest {
 protected:
  PoolTest() {
    YamlNode rules = *YamlNode::Parse(
        "- {source_labels: [__address__], regex: '(.*):.*', target_label: host}\n"
        "- {source_labels: [host], regex: 'gone', action: drop}\n"
        "- {regex: __meta.*, action: labeldrop}\n");
    auto config = std::make_shared<scraper::ScrapeConfig>();
    config->job_name = "node";
    config->yaml = "job_name: node\n";
    config->relabel_configs = *ParseRelabelConfigs(rules, NameValidation::kUtf8);
    options.scrape_config = [config](const std::string& job) -> std::shared_ptr<const scraper::ScrapeConfig> {
      return job == "node" ? config : nullptr;
    };
  }
};

TEST_F(PoolTest, RelabelStepsShowLabelsAfterEachRule) {
  EXPECT_EQ(
      Get("/api/v1/targets/relabel_steps?scrapePool=node&labels=%7B%22__address__%22:%22a:1%22,"
          "%22__meta_x%22:%22y%22%7D"),
      Success(R"({"steps":[{"rule":{"sourceLabels":["__address__"],"separator":";","regex":"(.*):.*",)"
              R"("targetLabel":"host","replacement":"$1","action":"replace"},)"
              R"("output":{"__address__":"a:1","__meta_x":"y","host":"a"},"keep":true},)"
              R"({"rule":{"sourceLabels":["host"],"separator":";","regex":"gone","replacement":"$1",)"
              R"("action":"drop"},"output":{"__address__":"a:1","__meta_x":"y","host":"a"},"keep":true},)"
              R"({"rule":{"separator":";","regex":"__meta.*","replacement":"$1","action":"labeldrop"},)"
              R"("output":{"__address__":"a:1","host":"a"},"keep":true}]})"));
}

TEST_F(PoolTest, RelabelStepsGoOnAfterADropWithoutLabels) {
  std::string body =
      Get("/api/v1/targets/relabel_steps?scrapePool=node&labels=%7B%22__address__%22:%22gone:1%22%7D");
  EXPECT_NE(body.find(R"("action":"drop"},"output":{},"keep":false})"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("action":"labeldrop"},"output":{},"keep":false})"), std::string::npos) << body;
}

TEST_F(PoolTest, RelabelStepsNeedAPoolAndLabels) {
  const std::string path = "/api/v1/targets/relabel_steps";
  EXPECT_EQ(Get(path), Error("bad_data", "no scrapePool parameter provided"));
  EXPECT_EQ(Get(path + "?scrapePool=node"), Error("bad_data", "no labels parameter provided"));
  EXPECT_EQ(Get(path + "?scrapePool=x&labels=%7B%7D"),
            Error("bad_data", R"(error retrieving scrape config: scrape pool \"x\" not found)"));
  for (const char* labels : {"%5B%5D", "x", "%7B", "%7B%22a%22:1%7D", "%7B%22a%22:%7B%7D%7D"}) {
    Get(path + "?scrapePool=node&labels=" + labels);
    EXPECT_EQ(answer.status, 400) << labels;
  }
}

TEST_F(PoolTest, ScrapePoolConfigIsTheJobsYaml) {
  EXPECT_EQ(Get("/api/v1/scrape_pools/config?scrapePool=node"), Success(R"({"yaml":"job_name: node\n"})"));
  EXPECT_EQ(Get("/api/v1/scrape_pools/config?scrapePool=x"),
            Error("not_found", R"(scrape pool \"x\" not found)"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(Get("/api/v1/scrape_pools/config"), Error("bad_data", "no scrapePool parameter provided"));
}

class SearchTest : public ApiTest {
 protected:
  SearchTest() {
    options.enable_search = true;
    for (const char* name : {"http_requests_total", "http_errors_total", "node_load1"}) {
      Append(Labels::FromPairs({{"__name__", name}, {"job", "a"}}), kNow - 1000, 1);
    }
    scraper.metadata.push_back({Labels(), {"node_load1", "gauge", "Load.", ""}});
  }
};

TEST_F(SearchTest, IsOffByDefault) {
  options.enable_search = false;
  EXPECT_EQ(Get("/api/v1/search/metric_names"), Error("unavailable", "search API disabled"));
}

TEST_F(SearchTest, AnswersInLinesWithATrailer) {
  EXPECT_EQ(Get("/api/v1/search/metric_names?batch_size=2"),
            "{\"results\":[{\"name\":\"http_errors_total\"},{\"name\":\"http_requests_total\"}]}\n"
            "{\"results\":[{\"name\":\"node_load1\"}]}\n"
            "{\"status\":\"success\",\"has_more\":false}\n");
  EXPECT_EQ(answer.content_type, "application/x-ndjson; charset=utf-8");
  EXPECT_EQ(Get("/api/v1/search/metric_names?limit=1&sort_by=alpha&sort_dir=dsc&include_metadata=true"),
            "{\"results\":[{\"name\":\"node_load1\",\"type\":\"gauge\",\"help\":\"Load.\"}]}\n"
            "{\"status\":\"success\",\"has_more\":true}\n");
  EXPECT_EQ(Get("/api/v1/search/label_values?label=nothing"),
            "{\"results\":[]}\n{\"status\":\"success\",\"has_more\":false}\n");
  EXPECT_EQ(Get("/api/v1/search/label_names?match[]=node_load1"),
            "{\"results\":[{\"name\":\"__name__\"},{\"name\":\"job\"}]}\n"
            "{\"status\":\"success\",\"has_more\":false}\n");
}

TEST_F(SearchTest, RanksByScore) {
  EXPECT_EQ(Get("/api/v1/search/metric_names?search[]=http_r&sort_by=score&include_score=true"),
            "{\"results\":[{\"name\":\"http_requests_total\",\"score\":1},"
            "{\"name\":\"http_errors_total\",\"score\":0.7124183006535948}]}\n"
            "{\"status\":\"success\",\"has_more\":false}\n");
  EXPECT_EQ(Get("/api/v1/search/metric_names?search[]=LOAD&case_sensitive=false"),
            "{\"results\":[{\"name\":\"node_load1\"}]}\n{\"status\":\"success\",\"has_more\":false}\n");
}

TEST_F(SearchTest, WrongParametersAreNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {"limit=x", R"(invalid limit \"x\": must be non-negative integer)"},
      {"limit=10001", "limit 10001 exceeds the maximum of 10000"},
      {"fuzz_threshold=101", R"(invalid fuzz_threshold \"101\": must be 0-100)"},
      {"fuzz_alg=x", R"(unsupported fuzz_alg \"x\": must be one of [subsequence jarowinkler])"},
      {"case_sensitive=x", R"(invalid case_sensitive \"x\": must be boolean)"},
      {"sort_dir=asc", "sort_dir is only valid when sort_by is set"},
      {"sort_by=score", "sort_by=score requires search[] to be set"},
      {"sort_by=x", R"(invalid sort_by \"x\" for metric_names: must be \"alpha\" or \"score\")"},
      {"sort_by=alpha&sort_dir=x", R"(invalid sort_dir \"x\": must be \"asc\" or \"dsc\")"}};
  for (const auto& [parameters, error] : kCases) {
    EXPECT_EQ(Get(StrCat("/api/v1/search/metric_names?", parameters)), Error("bad_data", error));
  }
  EXPECT_EQ(Get("/api/v1/search/label_values"), Error("bad_data", R"(missing required parameter \"label\")"));
}

TEST(SearchScoreTest, Subsequences) {
  EXPECT_EQ(SubsequenceScore("abc", "abc"), 1);
  EXPECT_EQ(SubsequenceScore("abc", "acb"), 0);
  EXPECT_EQ(SubsequenceScore("abc", "ab"), 0);
  // Two runs of one, a gap of one character of three: (1 + 1 - 1/3) / 4.
  EXPECT_DOUBLE_EQ(SubsequenceScore("ac", "abc"), (2 - 1.0 / 3) / 4);
  // The later start is the better one.
  EXPECT_DOUBLE_EQ(SubsequenceScore("ab", "axab"), (4 - 2.0 / 4) / 4);
  EXPECT_DOUBLE_EQ(SubsequenceScore("\xc3\xa4", "x\xc3\xa4"), 1 - 1.0 / 2);
}

TEST(SearchScoreTest, JaroWinkler) {
  EXPECT_NEAR(JaroWinklerScore("MARTHA", "MARHTA"), 0.9611, 1e-4);
  EXPECT_NEAR(JaroWinklerScore("DIXON", "DICKSONX"), 0.8133, 1e-4);
  EXPECT_EQ(JaroWinklerScore("abc", "xyz"), 0);
}

TEST_F(ApiTest, SelfMetricsAreJson) {
  metrics.GetGauge("one", "Help <1>.", {{"a", "x\"y"}})->Set(2.5);
  metrics.GetHistogram("hist", "H.", {1, 2})->Observe(1.5);
  EXPECT_EQ(Get("/api/v1/status/self_metrics?metric_name_pattern=one"),
            Success(R"([{"name":"one","help":"Help \u003c1\u003e.","type":"gauge",)"
                    R"("metrics":[{"labels":{"a":"x\"y"},"value":"2.5"}]}])"));
  EXPECT_EQ(
      Get("/api/v1/status/self_metrics?metric_name_pattern=hist"),
      Success(
          R"([{"name":"hist","help":"H.","type":"histogram","metrics":[{"count":"1","sum":"1.5",)"
          R"("buckets":[{"upperBound":"1","cumulativeCount":"0"},)"
          R"({"upperBound":"2","cumulativeCount":"1"},{"upperBound":"+Inf","cumulativeCount":"1"}]}]}])"));
  Get("/api/v1/status/self_metrics?metric_name_pattern=(");
  EXPECT_EQ(answer.status, 400);
}

TEST_F(ApiTest, NotificationsAreListedAndStreamed) {
  NotificationCenter center(&clock, 1);
  options.notifications = &center;
  center.Set("Configuration reload has failed.", true);
  const std::string one =
      R"({"text":"Configuration reload has failed.","date":"1970-01-01T00:16:40Z","active":true})";
  EXPECT_EQ(Get("/api/v1/notifications"), Success("[" + one + "]"));
  *cancelled = true;  // the client leaves after the first message
  EXPECT_EQ(Get("/api/v1/notifications/live"), "data: " + one + "\n\n");
  EXPECT_EQ(answer.content_type, "text/event-stream");
  int id = center.Subscribe();
  EXPECT_EQ(Do("GET", "/api/v1/notifications/live").status, 204) << "one subscriber is the limit";
  std::vector<Notification> news;
  EXPECT_TRUE(center.Next(id, 0, &news));
  EXPECT_EQ(news.size(), 1u);
  center.Set("Configuration reload has failed.", false);
  EXPECT_TRUE(center.Next(id, 0, &news));
  ASSERT_EQ(news.size(), 1u);
  EXPECT_FALSE(news[0].active);
  EXPECT_EQ(Get("/api/v1/notifications"), Success("[]"));
  center.Stop();
  EXPECT_FALSE(center.Next(id, 1000, &news));
}

TEST_F(ApiTest, OpenApiNamesEveryPath) {
  std::string text = Get("/api/v1/openapi.yaml");
  EXPECT_EQ(answer.content_type, "application/yaml; charset=utf-8");
  absl::StatusOr<YamlNode> node = YamlNode::Parse(text);
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->Find("openapi")->scalar(), "3.1.0");
  const YamlNode* values = node->Find("paths")->Find("/label/{name}/values");
  ASSERT_NE(values, nullptr);
  EXPECT_EQ(values->Find("get")->Find("parameters")->items().size(), 5u);
  EXPECT_NE(node->Find("paths")->Find("/query")->Find("post"), nullptr);
  EXPECT_TRUE(Get("/api/v1/openapi.yaml?openapi_version=3.2").starts_with("openapi: 3.2.0\n"));
}

TEST_F(ApiTest, QueriesAreLoggedWithTheirOrigin) {
  std::string path = ::testing::TempDir() + "/narthex_query.log";
  std::remove(path.c_str());
  QueryLog log(&clock, &metrics);
  ASSERT_TRUE(log.Open(path).ok());
  options.query_log = &log;
  Get("/api/v1/query_range?query=up&start=1&end=2.5&step=1");
  Get("/api/v1/query?query=up(");  // did not run
  ASSERT_TRUE(log.Open("").ok());
  Get("/api/v1/query?query=up");
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(
      text.str(),
      R"({"time":"1970-01-01T00:16:40.000Z","level":"INFO","msg":"promql query logged",)"
      R"("params":{"end":"1970-01-01T00:00:02.500Z","query":"up","start":"1970-01-01T00:00:01.000Z","step":1},)"
      R"("stats":{"timings":{"evalTotalTime":0,"resultSortTime":0,"queryPreparationTime":0,"innerEvalTime":0,)"
      R"("execQueueTime":0,"execTotalTime":0},"samples":{"totalQueryableSamples":0,"peakSamples":0}},)"
      R"("spanID":"0000000000000000","httpRequest":{"clientIP":"","method":"GET",)"
      R"("path":"/api/v1/query_range"}})"
      "\n");
  EXPECT_FALSE(log.Open("/nothing/here/q.log").ok());
}

TEST_F(ApiTest, QueriesOfRulesAreLoggedWithTheirGroup) {
  std::string path = ::testing::TempDir() + "/narthex_rule_query.log";
  std::remove(path.c_str());
  QueryLog log(&clock, &metrics);
  absl::StatusOr<promql::ExprPtr> tree = promql::ParseExpr("sum( up )by(job)", {});
  ASSERT_TRUE(tree.ok());
  rules::RuleQuery query;
  query.tree = tree->get();
  query.file = "r.yml";
  query.group = "g";
  query.t_ms = 2500;
  log.WriteRule(query);  // it is off: nothing happens
  ASSERT_TRUE(log.Open(path).ok());
  query.error = "too much";
  query.stats.samples = 3;
  log.WriteRule(query);
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(),
            R"({"time":"1970-01-01T00:16:40.000Z","level":"INFO","msg":"promql query logged",)"
            R"x("params":{"end":"1970-01-01T00:00:02.500Z","query":"sum by (job) (up)",)x"
            R"("start":"1970-01-01T00:00:02.500Z","step":0},"error":"too much",)"
            R"("stats":{"timings":{"evalTotalTime":0,"resultSortTime":0,"queryPreparationTime":0,)"
            R"("innerEvalTime":0,"execQueueTime":0,"execTotalTime":0},)"
            R"("samples":{"totalQueryableSamples":3,"peakSamples":0}},)"
            R"("spanID":"0000000000000000","ruleGroup":{"file":"r.yml","name":"g"}})"
            "\n");
}

}  // namespace
}  // namespace narthex::api
