// Routing, CORS, lifecycle, status, admin, remote write.
#include <thread>

#include "tests/api/fixture.h"

namespace narthex::api {
namespace {

TEST_F(ApiTest, UnknownPathsAndMethods) {
  EXPECT_EQ(Get("/api/v1/nothing"), "404 page not found\n");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(Do("DELETE", "/api/v1/query").body, "Method Not Allowed\n");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers["Allow"], "GET, OPTIONS, POST");
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
}

TEST_F(ApiTest, UncleanPathsAreRedirected) {
  const std::pair<const char*, const char*> kPaths[] = {{"/api/v1/label//values", "/api/v1/label/values"},
                                                        {"/api/v1/query/?query=1", "/api/v1/query?query=1"},
                                                        {"/api/v1/../v1/./query", "/api/v1/query"},
                                                        {"/api/v1", "/api/v1/"}};
  for (const auto& [from, to] : kPaths) {
    Get(from);
    EXPECT_EQ(answer.status, 301) << from;
    EXPECT_EQ(answer.headers["Location"], to);
  }
  EXPECT_EQ(answer.body, "<a href=\"/api/v1/\">Moved Permanently</a>.\n\n");
}

TEST_F(ApiTest, OptionsOutsideTheApiNamesTheMethods) {
  EXPECT_EQ(Do("OPTIONS", "/-/ready").status, 200);
  EXPECT_EQ(answer.headers["Allow"], "GET, HEAD, OPTIONS");
}

TEST_F(ApiTest, CorsAllowsEverybodyByDefault) {
  Do("GET", "/api/v1/labels", "", {{"origin", "http://a.example"}});
  EXPECT_EQ(answer.headers["Access-Control-Allow-Origin"], "http://a.example");
  EXPECT_EQ(answer.headers["Access-Control-Allow-Headers"], "Accept, Authorization, Content-Type, Origin");
  EXPECT_EQ(answer.headers["Access-Control-Allow-Methods"], "GET, POST, OPTIONS");
  EXPECT_EQ(answer.headers["Access-Control-Expose-Headers"], "Date");
  EXPECT_EQ(answer.headers["Vary"], "Origin");
  Do("GET", "/api/v1/labels");
  EXPECT_FALSE(answer.headers.contains("Access-Control-Allow-Origin"));
}

TEST_F(ApiTest, CorsOriginIsAnAnchoredPattern) {
  options.cors_origin = "https?://(a|b)\\.example";
  Do("GET", "/api/v1/labels", "", {{"origin", "http://b.example"}});
  EXPECT_EQ(answer.headers["Access-Control-Allow-Origin"], "http://b.example");
  Do("GET", "/api/v1/labels", "", {{"origin", "http://b.example.evil"}});
  EXPECT_FALSE(answer.headers.contains("Access-Control-Allow-Origin"));
}

TEST_F(ApiTest, PreflightIsEmpty) {
  Do("OPTIONS", "/api/v1/query", "", {{"origin", "http://a.example"}});
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.headers["Access-Control-Allow-Origin"], "http://a.example");
}

TEST_F(ApiTest, RoutePrefixIsInFrontOfEverything) {
  options.route_prefix = "/prom";
  options.external_url = "http://x.example/outside/prom/";
  EXPECT_EQ(Get("/prom/-/healthy"), "Prometheus Server is Healthy.\n");
  EXPECT_EQ(Get("/prom/api/v1/labels"), Success("[]"));
  Get("/-/healthy");
  EXPECT_EQ(answer.status, 404);
  Get("/prometheus/-/healthy");
  EXPECT_EQ(answer.status, 404);
  Get("/");
  EXPECT_EQ(answer.status, 302);
  EXPECT_EQ(answer.headers["Location"], "/prom");
  for (const char* root : {"/prom", "/prom/"}) {
    Get(root);
    EXPECT_EQ(answer.status, 302);
    EXPECT_EQ(answer.headers["Location"], "/outside/prom/query");
  }
}

TEST_F(ApiTest, PagesAndRedirects) {
  Get("/");
  EXPECT_EQ(answer.status, 302);
  EXPECT_EQ(answer.headers["Location"], "/query");
  Get("/graph?g0.expr=up");
  EXPECT_EQ(answer.headers["Location"], "/query?g0.expr=up");
  options.page_title = "a<b";
  handler = nullptr;
  EXPECT_NE(Get("/query").find("<title>a&lt;b</title>"), std::string::npos);
  EXPECT_EQ(answer.content_type, "text/html; charset=utf-8");
}

TEST_F(ApiTest, NothingButHealthIsServedBeforeReady) {
  ready = false;
  for (const char* path : {"/-/ready", "/api/v1/query?query=1", "/federate"}) {
    EXPECT_EQ(Get(path), "Service Unavailable") << path;
    EXPECT_EQ(answer.status, 503);
  }
  EXPECT_EQ(Get("/-/healthy"), "Prometheus Server is Healthy.\n");
  Get("/metrics");
  EXPECT_EQ(answer.status, 200);
  ready = true;
  EXPECT_EQ(Get("/-/ready"), "Prometheus Server is Ready.\n");
}

TEST_F(ApiTest, LifecycleIsOffByDefault) {
  for (const char* path : {"/-/reload", "/-/quit"}) {
    EXPECT_EQ(Do("POST", path).body, "Lifecycle API is not enabled.");
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(Get(path), "Only POST or PUT requests allowed");
    EXPECT_EQ(answer.status, 405);
  }
}

TEST_F(ApiTest, ReloadAndQuit) {
  int reloads = 0, quits = 0;
  absl::Status result;
  options.enable_lifecycle = true;
  options.reload = [&] {
    ++reloads;
    return result;
  };
  options.quit = [&] { ++quits; };
  EXPECT_EQ(Do("POST", "/-/reload").body, "");
  EXPECT_EQ(answer.status, 200);
  result = absl::InvalidArgumentError("couldn't load");
  EXPECT_EQ(Do("PUT", "/-/reload").body, "failed to reload config: couldn't load\n");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(reloads, 2);
  EXPECT_EQ(Do("POST", "/-/quit").body, "Requesting termination... Goodbye!");
  EXPECT_EQ(quits, 1);
}

TEST_F(ApiTest, StatusPages) {
  options.flags = {{"a.b", "<c>"}, {"d", "e"}};
  options.config_yaml = [] { return std::string("global:\n  scrape_interval: 15s\n"); };
  EXPECT_EQ(Get("/api/v1/status/flags"), Success(R"({"a.b":"\u003cc\u003e","d":"e"})"));
  EXPECT_EQ(Get("/api/v1/status/config"), Success(R"({"yaml":"global:\n  scrape_interval: 15s\n"})"));
  const std::string build =
      R"({"version":"3.14.0","revision":"abc","branch":"main","buildUser":"me","buildDate":"today",)"
      R"("goVersion":"g++"})";
  EXPECT_EQ(Get("/api/v1/status/buildinfo"), Success(build));
  EXPECT_EQ(Get("/version"), build + "\n");
  EXPECT_EQ(Get("/api/v1/status/walreplay"), Success(R"({"min":0,"max":0,"current":0})"));
  EXPECT_EQ(Get("/api/v1/notifications"), Success("[]"));
  EXPECT_NE(Get("/api/v1/features").find(R"("promql":{)"), std::string::npos);
}

TEST_F(ApiTest, RuntimeInfo) {
  options.start_time_ms = 500'000;
  options.cwd = "/work";
  options.hostname = "edge";
  options.storage_retention = "15d";
  options.disk_life = [] { return std::nullopt; };
  options.reload_status = [] { return std::pair(false, int64_t{600'000}); };
  std::string body = Get("/api/v1/status/runtimeinfo");
  EXPECT_TRUE(body.starts_with(
      R"({"status":"success","data":{"startTime":"1970-01-01T00:08:20Z","CWD":"/work","hostname":"edge",)"
      R"("serverTime":"1970-01-01T00:16:40Z","reloadConfigSuccess":false,)"
      R"("lastConfigTime":"1970-01-01T00:10:00Z","corruptionCount":0,"goroutineCount":)"))
      << body;
  EXPECT_TRUE(body.ends_with(R"("GOMEMLIMIT":9223372036854775807,"GOGC":"","GODEBUG":"",)"
                             R"("storageRetention":"15d","narthex":{}}})"))
      << body;
  options.disk_life = [] { return DiskLife{"mmcblk0", "eMMC", 20, "normal", 0, 2920}; };
  handler = nullptr;
  body = Get("/api/v1/status/runtimeinfo");
  EXPECT_TRUE(body.ends_with(R"("narthex":{"disk":{"device":"mmcblk0",)"
                             R"("kind":"eMMC","usedPercent":20,"reserve":"normal","daysLeft":2920}}}})"))
      << body;
}

TEST_F(ApiTest, RuntimeInfoSaysWhatQueriesComputeWith) {
  options.kernels = [] {
    return std::vector<std::pair<std::string, std::string>>{{"kernels", "auto"}, {"backend", "cpu"}};
  };
  options.disk_life = [] { return std::nullopt; };
  const std::string body = Get("/api/v1/status/runtimeinfo");
  EXPECT_TRUE(body.ends_with(R"(,"narthex":{"kernels":{"kernels":"auto","backend":"cpu"}}}})")) << body;
}

TEST_F(ApiTest, TsdbStatus) {
  Append({{"__name__", "up"}}, 990'000, 1);
  EXPECT_EQ(
      Get("/api/v1/status/tsdb"),
      Success(R"({"headStats":{"numSeries":1,"numLabelPairs":0,"chunkCount":0,"minTime":0,"maxTime":0},)"
              R"("seriesCountByMetricName":[],"labelValueCountByLabelName":[],)"
              R"("memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]})"));
  EXPECT_EQ(Get("/api/v1/status/tsdb?limit=0"), Error("bad_data", "limit must be a positive number"));
}

TEST_F(ApiTest, TsdbStatusNamesTheTargetsWhoseSeriesFoundNoPlace) {
  scraper.active.resize(3);
  for (size_t i = 0; i < 3; ++i) {
    scraper.active[i].scrape_pool = "node";
    scraper.active[i].scrape_url = StrCat("http://h", i);
    scraper.active[i].refused_series = static_cast<int64_t>(i) * 7;
  }
  EXPECT_NE(Get("/api/v1/status/tsdb?limit=1")
                .find(R"("refusedSeriesByTarget":[{"name":"node http://h2","value":14}]})"),
            std::string::npos);
}

TEST_F(ApiTest, AdminIsOffByDefault) {
  for (const char* path : {"delete_series", "clean_tombstones", "snapshot"}) {
    EXPECT_EQ(Do("POST", StrCat("/api/v1/admin/tsdb/", path)).body,
              Error("unavailable", "admin APIs disabled"));
    EXPECT_EQ(answer.status, 500);  // as Prometheus
  }
}

TEST_F(ApiTest, AdminDeletesSeries) {
  options.enable_admin_api = true;
  Append({{"__name__", "up"}, {"job", "a"}}, 990'000, 1);
  Append({{"__name__", "up"}, {"job", "b"}}, 990'000, 1);
  EXPECT_EQ(Do("PUT", "/api/v1/admin/tsdb/delete_series").body,
            Error("bad_data", "no match[] parameter provided"));
  Do("POST", "/api/v1/admin/tsdb/delete_series?match[]=up%7Bjob%3D%22a%22%7D");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(Get("/api/v1/query?query=up"),
            Success(R"({"resultType":"vector","result":[)"
                    R"({"metric":{"__name__":"up","job":"b"},"value":[1000,"1"]}]})"));
  EXPECT_EQ(Do("POST", "/api/v1/admin/tsdb/clean_tombstones").status, 204);
  EXPECT_EQ(Do("POST", "/api/v1/admin/tsdb/snapshot?skip_head=x").body,
            Error("bad_data", R"(invalid parameter \"skip_head\": unable to parse boolean: )"
                              R"(strconv.ParseBool: parsing \"x\": invalid syntax)"));
  EXPECT_EQ(Do("POST", "/api/v1/admin/tsdb/snapshot").body, Success(R"({"name":"/data/snapshots"})"));
}

TEST_F(ApiTest, RemoteReadsWaitForAPlace) {
  remote::ReadGate gate(1, &metrics);
  options.read_gate = &gate;
  std::atomic<bool> cancelled{false};
  ASSERT_TRUE(gate.Enter(&cancelled));
  std::atomic<bool> gone{true};
  EXPECT_FALSE(gate.Enter(&gone)) << "the client left while it waited";
  EXPECT_NE(Get("/metrics").find("prometheus_remote_read_handler_queries 1\n"), std::string::npos);
  std::thread second([&] {
    ASSERT_TRUE(gate.Enter(&cancelled));
    gate.Leave();
  });
  gate.Leave();
  second.join();
  Do("POST", "/api/v1/read", "nonsense");
  EXPECT_EQ(answer.status, 400) << "the place is free again";
  EXPECT_NE(Get("/metrics").find("prometheus_remote_read_handler_queries 0\n"), std::string::npos);
}

TEST_F(ApiTest, MetricsCountRequests) {
  Get("/api/v1/label/a/values");
  Get("/api/v1/label/b/values");
  Get("/api/v1/query?query=%7B");
  std::string text = Get("/metrics");
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  for (const char* line :
       {"prometheus_http_requests_total{code=\"200\",handler=\"/api/v1/label/:name/values\"} 2\n",
        "prometheus_http_requests_total{code=\"400\",handler=\"/api/v1/query\"} 1\n",
        "prometheus_http_requests_total{code=\"200\",handler=\"/federate\"} 0\n",
        "prometheus_http_request_duration_seconds_count{handler=\"/api/v1/query\"} 1\n",
        "prometheus_http_response_size_bytes_count{handler=\"/api/v1/query\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

TEST_F(ApiTest, RemoteWriteNeedsItsFlag) {
  EXPECT_EQ(Do("POST", "/api/v1/write").body,
            "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(Do("POST", "/api/v1/otlp/v1/metrics").body,
            "otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(Do("POST", "/api/v1/read").body, "snappy: corrupt input\n");
}

TEST_F(ApiTest, RemoteWriteRefusesGarbage) {
  options.enable_remote_write = true;
  Do("POST", "/api/v1/write", "",
     {{"content-type", "application/x-protobuf"}, {"content-encoding", "snappy"}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body, "");
}

}  // namespace
}  // namespace narthex::api
