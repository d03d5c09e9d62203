// The built-in page: what is served under which name, and the plan that its Explain view shows.
#include "api/page.h"

#include <filesystem>
#include <fstream>

#include "api/page_files.h"
#include "tests/api/fixture.h"

namespace narthex::api {
namespace {

// The first asset that index.html names with this ending, e.g. "assets/index-1a2b3c4d.js".
std::string AssetIn(const std::string& html, std::string_view ending) {
  size_t end = html.find(StrCat(ending, "\""));
  size_t begin = html.rfind("assets/", end);
  return end == html.npos ? "" : html.substr(begin, end + ending.size() - begin);
}

TEST_F(ApiTest, EveryPathOfThePageIsTheSameHtml) {
  std::string html = Get("/query");
  EXPECT_TRUE(html.starts_with("<!doctype html>")) << html.substr(0, 40);
  EXPECT_EQ(answer.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(answer.headers["Cache-Control"], "no-cache");
  EXPECT_EQ(answer.headers["X-Content-Type-Options"], "nosniff");
  std::string policy = answer.headers["Content-Security-Policy"];
  EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';")) << policy;
  EXPECT_EQ(policy.find("unsafe"), policy.npos);
  for (const char* path : {"/alerts", "/rules", "/targets", "/service-discovery", "/status", "/tsdb-status",
                           "/config", "/flags", "/alertmanager-discovery"}) {
    EXPECT_EQ(Get(path), html) << path;
  }
}

TEST_F(ApiTest, ThePageNamesItsFilesRelativeToItself) {
  std::string html = Get("/query");
  EXPECT_EQ(html.find("src=\"/"), html.npos);
  EXPECT_EQ(html.find("href=\"/"), html.npos);
  EXPECT_EQ(html.find("http"), html.npos) << "nothing comes from elsewhere";
}

TEST_F(ApiTest, HashedFilesAreKeptForever) {
  std::string name = AssetIn(Get("/query"), ".js");
  ASSERT_NE(name, "");
  std::string plain = Get("/" + name);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(answer.headers["Cache-Control"], "public, max-age=31536000, immutable");
  EXPECT_FALSE(answer.headers.contains("Content-Encoding"));
  std::string packed = Do("GET", "/" + name, "", {{"accept-encoding", "deflate, gzip"}}).body;
  EXPECT_EQ(answer.headers["Content-Encoding"], "gzip");
  EXPECT_TRUE(packed.starts_with("\x1f\x8b"));
  EXPECT_LT(packed.size(), plain.size() / 2);
  Get("/" + AssetIn(Get("/query"), ".css"));
  EXPECT_EQ(answer.content_type, "text/css; charset=utf-8");
}

TEST_F(ApiTest, WhatABrowserHasIsNotSentAgain) {
  for (const std::string& path :
       {std::string("/query"), "/" + AssetIn(Get("/query"), ".js"), std::string("/favicon.svg")}) {
    Get(path);
    std::string etag = answer.headers["ETag"];
    ASSERT_GT(etag.size(), 10u) << path;
    EXPECT_EQ(Do("GET", path, "", {{"if-none-match", etag}}).body, "") << path;
    EXPECT_EQ(answer.status, 304);
    Do("GET", path, "", {{"if-none-match", "\"other\""}});
    EXPECT_EQ(answer.status, 200);
  }
}

TEST_F(ApiTest, TheTitleIsEscapedAndChangesTheTag) {
  Get("/query");
  std::string before = answer.headers["ETag"];
  options.page_title = "Hall <1> & 2";
  handler = nullptr;
  EXPECT_NE(Get("/query").find("<title>Hall &lt;1&gt; &amp; 2</title>"), std::string::npos);
  EXPECT_NE(answer.headers["ETag"], before);
  options.page_title = "Prometheus Time Series Collection and Processing Server";
  handler = nullptr;
  EXPECT_NE(Get("/query").find("<title>Narthex</title>"), std::string::npos) << "the flag's default";
}

TEST_F(ApiTest, NamesThatAreNotInTheTableAreNotFound) {
  for (const char* path :
       {"/assets/", "/assets/none.js", "/assets/..%2f..%2fetc%2fpasswd", "/assets/..%2findex.html",
        "/assets/%2e%2e", "/assets", "/index.html", "/assets/a/b", "/assets/%00"}) {
    Get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body, "404 page not found\n") << path;
  }
  // Dots are taken out of a path before anything is looked up.
  Get("/assets/../index.html");
  EXPECT_EQ(answer.status, 301);
  EXPECT_EQ(answer.headers["Location"], "/index.html");
}

TEST_F(ApiTest, ThePageHasAFileForEachName) {
  size_t packed = 0;
  for (const PageFile& file : PageFiles()) {
    EXPECT_NE(file.content_type, "") << file.name;
    packed += file.gzip.size();
  }
  EXPECT_LE(packed, 400'000u);
}

TEST_F(ApiTest, ThePageWorksBelowAPrefix) {
  options.route_prefix = "/prom";
  EXPECT_TRUE(Get("/prom/query").starts_with("<!doctype html>"));
  Get("/prom/" + AssetIn(Get("/prom/query"), ".js"));
  EXPECT_EQ(answer.status, 200);
  Get("/query");
  EXPECT_EQ(answer.status, 404);
}

TEST_F(ApiTest, UserAssetsAreFilesOfTheirFolderOnly) {
  namespace fs = std::filesystem;
  fs::path root = fs::path(::testing::TempDir()) / "narthex_user_assets";
  fs::remove_all(root);
  fs::create_directories(root / "own/sub");
  std::ofstream(root / "secret.txt") << "outside";
  std::ofstream(root / "own/sub/a b.html") << "<p>hi</p>";
  std::ofstream(root / "own/big.bin") << std::string(200'000, 'x');
  Get("/user/sub/a%20b.html");
  EXPECT_EQ(answer.status, 404) << "there is no folder yet";
  options.user_assets = (root / "own").string();
  handler = nullptr;
  EXPECT_EQ(Get("/user/sub/a%20b.html"), "<p>hi</p>");
  EXPECT_EQ(answer.content_type, "text/html; charset=utf-8");
  Do("GET", "/user/sub/a%20b.html", "", {{"if-modified-since", answer.headers["Last-Modified"]}});
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(Get("/user/big.bin").size(), 200'000u);
  for (const char* path : {"/user/nothing", "/user/sub", "/user/sub/", "/user/%2e%2e/secret.txt",
                           "/user/..%2fsecret.txt", "/user/sub/..%2f..%2fsecret.txt", "/user/a%00b"}) {
    Get(path);
    EXPECT_EQ(answer.status, 404) << path;
  }
  Get("/user/../secret.txt");
  EXPECT_EQ(answer.status, 301);
  fs::remove_all(root);
}

TEST_F(ApiTest, QueryPlanShowsOperators) {
  Append({{"__name__", "m"}, {"a", "1"}}, kNow, 5);
  std::string plan = Get("/api/v1/query_plan?query=sum(m)");
  EXPECT_NE(plan.find("Aggregate sum\\n"), plan.npos) << plan;
  EXPECT_EQ(plan.find("samples="), plan.npos) << plan;
  plan = Get("/api/v1/query_plan?query=sum(m)&analyze=true&start=1000&end=1060&step=30");
  EXPECT_NE(plan.find("Aggregate sum  [series=1 samples=3 "), plan.npos) << plan;
}

TEST_F(ApiTest, QueryPlanRefusesWhatQueriesRefuse) {
  EXPECT_NE(Get("/api/v1/query_plan?query=sum(").find("parse error"), std::string::npos);
  EXPECT_EQ(answer.status, 400);
  for (const char* rest : {"&step=0", "&step=1&start=0&end=20000", "&step=x", "&start=2&end=1",
                           "&analyze=perhaps", "&end=never"}) {
    Get(StrCat("/api/v1/query_plan?query=m", rest));
    EXPECT_EQ(answer.status, 400) << rest;
  }
}

}  // namespace
}  // namespace narthex::api
