// Series and labels, targets, metadata, rules, alerts.
#include "tests/api/fixture.h"

namespace narthex::api {
namespace {

class SeriesTest : public ApiTest {
 protected:
  SeriesTest() {
    Append({{"__name__", "up"}, {"job", "a"}}, 990'000, 1);
    Append({{"__name__", "up"}, {"job", "b<c"}, {"x.y", "1"}}, 990'000, 1);
    Append({{"__name__", "down"}, {"job", "z"}}, 990'000, 1);
  }
};

TEST_F(SeriesTest, SeriesOfSelectors) {
  EXPECT_EQ(Get("/api/v1/series?match[]=up%7Bjob%3D%22a%22%7D&match[]=down"),
            Success(R"([{"__name__":"down","job":"z"},{"__name__":"up","job":"a"}])"));
  EXPECT_EQ(Do("POST", "/api/v1/series", "match%5B%5D=down").body,
            Success(R"([{"__name__":"down","job":"z"}])"));
  EXPECT_EQ(Get("/api/v1/series?match[]=up&limit=1"),
            R"({"status":"success","data":[{"__name__":"up","job":"a"}],)"
            R"("warnings":["results truncated due to limit"]})");
}

TEST_F(SeriesTest, SeriesNeedsASelectorThatSelects) {
  EXPECT_EQ(Get("/api/v1/series"), Error("bad_data", "no match[] parameter provided"));
  EXPECT_EQ(answer.status, 400);
  std::string body = Get("/api/v1/series?match[]=%7Bjob%3D%22%22%7D");
  EXPECT_TRUE(body.starts_with(
      R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": )"))
      << body;
  EXPECT_TRUE(body.ends_with(R"( must contain at least one non-empty matcher"})")) << body;
  EXPECT_EQ(Get("/api/v1/series?match[]=up&start=foo"),
            Error("bad_data", R"(invalid parameter \"start\": invalid time value for 'start': )"
                              R"(cannot parse \"foo\" to a valid timestamp)"));
}

TEST_F(SeriesTest, LabelNames) {
  EXPECT_EQ(Get("/api/v1/labels"), Success(R"(["__name__","job","x.y"])"));
  EXPECT_EQ(Get("/api/v1/labels?match[]=down"), Success(R"(["__name__","job"])"));
  EXPECT_EQ(
      Get("/api/v1/labels?limit=2"),
      R"({"status":"success","data":["__name__","job"],"warnings":["results truncated due to limit"]})");
}

TEST_F(SeriesTest, LabelValues) {
  EXPECT_EQ(Get("/api/v1/label/job/values"), Success(R"(["a","b\u003cc","z"])"));
  EXPECT_EQ(Get("/api/v1/label/job/values?match[]=up&limit=1"),
            R"({"status":"success","data":["a"],"warnings":["results truncated due to limit"]})");
  EXPECT_EQ(Get("/api/v1/label/nothing/values"), Success("[]"));
}

TEST_F(SeriesTest, LabelNamesMayBeEscaped) {
  EXPECT_EQ(Get("/api/v1/label/U__x_2e_y/values"), Success(R"(["1"])"));
  EXPECT_EQ(Get("/api/v1/label/x%2Ey/values"), Success(R"(["1"])"));
  EXPECT_EQ(Get("/api/v1/label/U___5f_name__/values"), Success(R"([])"));
  EXPECT_EQ(Get("/api/v1/label/U______name____/values"), Success(R"(["down","up"])"));
  EXPECT_EQ(Get("/api/v1/label/%ff/values"), Error("bad_data", R"(invalid label name: \"\\xff\")"));
}

TEST_F(ApiTest, TargetsInFull) {
  scraper::TargetState t;
  t.discovered_labels = {{"__address__", "localhost:9100"}};
  t.labels = {{"instance", "localhost:9100"}, {"job", "node"}};
  t.scrape_pool = "node";
  t.scrape_url = "http://localhost:9100/metrics";
  t.last_error = "";
  t.health = "up";
  t.last_scrape_ms = 990'500;
  t.last_scrape_duration_s = 0.25;
  t.interval_ms = 15'000;
  t.timeout_ms = 10'000;
  scraper.active = {t};
  scraper.dropped = {{{{"__address__", "d:1"}}, "node"}};
  const std::string active =
      R"({"discoveredLabels":{"__address__":"localhost:9100"},"labels":{"instance":"localhost:9100",)"
      R"("job":"node"},"scrapePool":"node","scrapeUrl":"http://localhost:9100/metrics",)"
      R"("globalUrl":"http://prom.example:9100/metrics","lastError":"","lastScrape":"1970-01-01T00:16:30.5Z",)"
      R"("lastScrapeDuration":0.25,"health":"up","scrapeInterval":"15s","scrapeTimeout":"10s"})";
  const std::string dropped = R"({"discoveredLabels":{"__address__":"d:1"},"scrapePool":"node"})";
  EXPECT_EQ(Get("/api/v1/targets"), Success(StrCat(R"({"activeTargets":[)", active, R"(],"droppedTargets":[)",
                                                   dropped, R"(],"droppedTargetCounts":{"node":1}})")));
  EXPECT_EQ(Get("/api/v1/targets?state=active"),
            Success(StrCat(R"({"activeTargets":[)", active,
                           R"(],"droppedTargets":[],"droppedTargetCounts":null})")));
  EXPECT_EQ(Get("/api/v1/targets?state=dropped&scrapePool=web"),
            Success(R"({"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{"node":1}})"));
}

TEST_F(ApiTest, UnsupportedDiscoveryIsAWarningOfTheTargets) {
  scraper.unsupported = {{"web", {"consul_sd_configs"}}};
  std::string body = Get("/api/v1/targets?state=active");
  EXPECT_NE(body.find(R"("warnings":["scrape pool \"web\": consul_sd_configs is not supported"])"),
            std::string::npos)
      << body;
  EXPECT_EQ(Get("/api/v1/targets?state=active&scrapePool=node").find("warnings"), std::string::npos);
}

TEST_F(ApiTest, TargetNeverScraped) {
  scraper::TargetState t;
  t.scrape_url = "http://10.0.0.1:80/metrics";
  scraper.active = {t};
  std::string body = Get("/api/v1/targets");
  EXPECT_NE(body.find(R"("lastScrape":"0001-01-01T00:00:00Z")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("globalUrl":"http://10.0.0.1:80/metrics")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("health":"unknown")"), std::string::npos) << body;
}

TEST_F(ApiTest, GlobalUrlOfThisServerIsTheExternalUrl) {
  options.external_url = "https://proxy.example/prom/";
  options.flags = {{"web.listen-address", "0.0.0.0:9091"}};
  for (const char* url : {"http://127.0.0.1:9091/prom/metrics?a=b", "http://[::1]:9200/metrics"}) {
    scraper::TargetState t;
    t.scrape_url = url;
    scraper.active.push_back(t);
  }
  std::string body = Get("/api/v1/targets?state=active");
  EXPECT_NE(body.find(R"("globalUrl":"https://proxy.example/prom/metrics?a=b")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("globalUrl":"http://proxy.example:9200/metrics")"), std::string::npos) << body;
}

TEST_F(ApiTest, ScrapePoolsAreSorted) {
  EXPECT_EQ(Get("/api/v1/scrape_pools"), Success(R"({"scrapePools":["node","web"]})"));
}

TEST_F(ApiTest, MetadataByMetricAndByTarget) {
  scraper.metadata = {{{{"job", "a"}}, {"m2", "counter", "H & M", ""}},
                      {{{"job", "a"}}, {"m1", "gauge", "one", "bytes"}},
                      {{{"job", "b"}}, {"m1", "gauge", "one", "bytes"}},
                      {{{"job", "b"}}, {"m1", "gauge", "two", "bytes"}}};
  const std::string one = R"({"type":"gauge","unit":"bytes","help":"one"})";
  const std::string two = R"({"type":"gauge","unit":"bytes","help":"two"})";
  EXPECT_EQ(Get("/api/v1/metadata"),
            Success(StrCat(R"({"m1":[)", one, ",", two,
                           R"(],"m2":[{"type":"counter","unit":"","help":"H \u0026 M"}]})")));
  EXPECT_EQ(Get("/api/v1/metadata?limit=1&limit_per_metric=1"), Success(StrCat(R"({"m1":[)", one, "]}")));
  EXPECT_EQ(Get("/api/v1/metadata?limit=x"), Error("bad_data", "limit must be a number"));
  EXPECT_EQ(Get("/api/v1/targets/metadata?match_target=%7Bjob%3D%22b%22%7D&limit=1"),
            Success(R"([{"target":{"job":"b"},"metric":"m1","type":"gauge","help":"one","unit":"bytes"}])"));
  EXPECT_EQ(Get("/api/v1/targets/metadata?metric=m2"),
            Success(R"([{"target":{"job":"a"},"type":"counter","help":"H \u0026 M","unit":""}])"));
}

class RulesTest : public ApiTest {
 protected:
  RulesTest() {
    rules::Alert alert;
    alert.labels = {{"alertname", "Down"}, {"job", "a"}};
    alert.annotations = {{"summary", "a is down"}};
    alert.state = rules::AlertState::kFiring;
    alert.value = 1;
    alert.active_at_ms = 900'000;
    rules::Alert resolved = alert;
    resolved.resolved_at_ms = 950'000;
    resolved.state = rules::AlertState::kInactive;
    rules::RuleView down;
    down.alerting = true;
    down.name = "Down";
    down.query = "up == 0";
    down.health = "ok";
    down.for_ms = 90'000;
    down.labels = {{"severity", "page"}, {"t", "{{ $labels.x }}"}};
    down.annotations = {{"summary", "{{ $labels.job }} is down"}};
    down.state = rules::AlertState::kFiring;
    down.alerts = {alert, resolved};
    down.evaluation_time_s = 0.5;
    down.last_evaluation_ms = 990'000;
    rules::RuleView recording;
    recording.name = "job:up:sum";
    recording.query = "sum by (job) (up)";
    recording.health = "err";
    recording.last_error = "boom";
    rules::GroupView first{"g1", "/etc/a.yml", 60'000, 5, 990'000, 0.25, {}};
    first.rules = {down, recording};
    rules::GroupView second{"g2", "/etc/b.yml", 1'500, 0, 0, 0, {}};
    second.rules = {recording};
    rules.groups = {first, second};
  }

  static constexpr std::string_view kAlert =
      R"({"labels":{"alertname":"Down","job":"a"},"annotations":{"summary":"a is down"},"state":"firing",)"
      R"("activeAt":"1970-01-01T00:15:00Z","value":"1e+00"})";
  static constexpr std::string_view kRecording =
      R"j({"name":"job:up:sum","query":"sum by (job) (up)","health":"err","lastError":"boom",)j"
      R"("evaluationTime":0,"lastEvaluation":"0001-01-01T00:00:00Z","type":"recording"})";
  static std::string Alerting(std::string_view alerts) {
    return StrCat(R"({"state":"firing","name":"Down","query":"up == 0","duration":90,"keepFiringFor":0,)",
                  R"("labels":{"severity":"page","t":"{{ $labels.x }}"},)",
                  R"("annotations":{"summary":"{{ $labels.job }} is down"},"alerts":)", alerts,
                  R"(,"health":"ok","evaluationTime":0.5,"lastEvaluation":"1970-01-01T00:16:30Z",)",
                  R"("type":"alerting"})");
  }
  static std::string First(std::string_view rules) {
    return StrCat(R"({"name":"g1","file":"/etc/a.yml","rules":[)", rules,
                  R"(],"interval":60,"limit":5,"evaluationTime":0.25,)",
                  R"("lastEvaluation":"1970-01-01T00:16:30Z"})");
  }
  static std::string Second() {
    return StrCat(
        R"({"name":"g2","file":"/etc/b.yml","rules":[)", kRecording,
        R"(],"interval":1.5,"limit":0,"evaluationTime":0,"lastEvaluation":"0001-01-01T00:00:00Z"})");
  }
  static std::string Groups(std::string_view groups) {
    return Success(StrCat(R"({"groups":[)", groups, "]}"));
  }
};

TEST_F(RulesTest, RulesInFull) {
  std::string both = StrCat(Alerting(StrCat("[", kAlert, "]")), ",", kRecording);
  EXPECT_EQ(Get("/api/v1/rules"), Groups(StrCat(First(both), ",", Second())));
}

TEST_F(RulesTest, Filters) {
  std::string alerting = First(Alerting("null"));
  EXPECT_EQ(Get("/api/v1/rules?type=alert&exclude_alerts=true"), Groups(alerting));
  EXPECT_EQ(Get("/api/v1/rules?rule_name[]=Down&exclude_alerts=1"), Groups(alerting));
  EXPECT_EQ(Get("/api/v1/rules?match[]=%7Bseverity%3D%22page%22%7D&exclude_alerts=1"), Groups(alerting));
  EXPECT_EQ(Get("/api/v1/rules?match[]=%7Bt%3D~%22.%2B%22%7D"), Groups(""));
  EXPECT_EQ(Get("/api/v1/rules?rule_group[]=g2"), Groups(Second()));
  EXPECT_EQ(Get("/api/v1/rules?file[]=/etc/b.yml&type=record"), Groups(Second()));
  EXPECT_EQ(Get("/api/v1/rules?file[]=/etc/none.yml"), Groups(""));
}

TEST_F(RulesTest, Pages) {
  std::string body = Get("/api/v1/rules?group_limit=1&type=record");
  const std::string mark = R"("groupNextToken":")";
  size_t at = body.find(mark);
  ASSERT_NE(at, std::string::npos) << body;
  at += mark.size();
  std::string token = body.substr(at, body.find('"', at) - at);
  EXPECT_EQ(Get("/api/v1/rules?group_limit=1&group_next_token=" + token), Groups(Second()));
  EXPECT_EQ(Get("/api/v1/rules?group_limit=1&group_next_token=x"),
            Error("bad_data", R"(invalid parameter \"group_next_token\": invalid group_next_token 'x'. )"
                              R"(were rule groups changed?)"));
  EXPECT_EQ(Get("/api/v1/rules?group_next_token=x"),
            Error("bad_data", R"(invalid parameter \"group_next_token\": group_limit needs to be present )"
                              R"(in order to paginate over the groups)"));
  EXPECT_EQ(
      Get("/api/v1/rules?group_limit=0"),
      Error("bad_data", R"(invalid parameter \"group_limit\": group_limit needs to be greater than 0)"));
}

TEST_F(RulesTest, WrongParameters) {
  EXPECT_EQ(Get("/api/v1/rules?type=x"),
            Error("bad_data", R"(invalid parameter \"type\": not supported value \"x\")"));
  EXPECT_EQ(Get("/api/v1/rules?exclude_alerts=x"),
            Error("bad_data", R"(invalid parameter \"exclude_alerts\": error converting exclude_alerts: )"
                              R"(strconv.ParseBool: parsing \"x\": invalid syntax)"));
}

TEST_F(RulesTest, AlertsThatAreActive) {
  EXPECT_EQ(Get("/api/v1/alerts"), Success(StrCat(R"({"alerts":[)", kAlert, "]}")));
  rules.groups[0].rules[0].alerts[0].keep_firing_since_ms = 960'000;
  EXPECT_NE(Get("/api/v1/alerts").find(R"("keepFiringSince":"1970-01-01T00:16:00Z","value":"1e+00")"),
            std::string::npos);
}

TEST_F(RulesTest, Alertmanagers) {
  EXPECT_EQ(Get("/api/v1/alertmanagers"),
            Success(R"({"activeAlertmanagers":[{"url":"http://am:9093/api/v2/alerts"}],)"
                    R"("droppedAlertmanagers":[]})"));
}

}  // namespace
}  // namespace narthex::api
