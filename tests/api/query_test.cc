#include <cmath>
#include <limits>

#include "api/matrix_answer.h"
#include "tests/api/fixture.h"

namespace narthex::api {
namespace {

class QueryTest : public ApiTest {
 protected:
  QueryTest() {
    Append({{"__name__", "up"}, {"job", "a"}}, 990'000, 1);
    Append({{"__name__", "up"}, {"job", "b"}}, 990'000, 0.5);
  }
};

TEST_F(QueryTest, InstantVectorIsAtTheAskedTime) {
  EXPECT_EQ(Get("/api/v1/query?query=up&time=1000.5"),
            Success(R"({"resultType":"vector","result":[)"
                    R"({"metric":{"__name__":"up","job":"a"},"value":[1000.500,"1"]},)"
                    R"({"metric":{"__name__":"up","job":"b"},"value":[1000.500,"0.5"]}]})"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
}

TEST_F(QueryTest, TimeDefaultsToNowAndMayBeRfc3339) {
  EXPECT_EQ(Get("/api/v1/query?query=time()"), Success(R"({"resultType":"scalar","result":[1000,"1000"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=time()&time=1970-01-01T00:00:07.25Z"),
            Success(R"({"resultType":"scalar","result":[7.250,"7.25"]})"));
}

TEST_F(QueryTest, StringScalarAndSpecialValues) {
  EXPECT_EQ(Get("/api/v1/query?query=%22a%3Cb%22"),
            Success(R"({"resultType":"string","result":[1000,"a\u003cb"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=1/0"), Success(R"({"resultType":"scalar","result":[1000,"+Inf"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=0/0"), Success(R"({"resultType":"scalar","result":[1000,"NaN"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=1e21"),
            Success(R"({"resultType":"scalar","result":[1000,"1000000000000000000000"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=1e20"),
            Success(R"({"resultType":"scalar","result":[1000,"100000000000000000000"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=0.0000005"),
            Success(R"({"resultType":"scalar","result":[1000,"0.0000005"]})"));
  EXPECT_EQ(Get("/api/v1/query?query=vector(1e21)"),
            Success(R"({"resultType":"vector","result":[{"metric":{},"value":[1000,"1e+21"]}]})"));
}

TEST_F(QueryTest, PostFormIsReadLikeTheUrl) {
  Do("POST", "/api/v1/query", "query=up%7Bjob%3D%22b%22%7D&time=1000");
  EXPECT_EQ(answer.body, Success(R"({"resultType":"vector","result":[)"
                                 R"({"metric":{"__name__":"up","job":"b"},"value":[1000,"0.5"]}]})"));
}

TEST_F(QueryTest, EmptyResultIsAnEmptyArray) {
  EXPECT_EQ(Get("/api/v1/query?query=nothing"), Success(R"({"resultType":"vector","result":[]})"));
}

TEST_F(QueryTest, RangeHasOnePointAStep) {
  EXPECT_EQ(Get("/api/v1/query_range?query=up%7Bjob%3D%22a%22%7D&start=990&end=1010&step=10"),
            Success(R"({"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},)"
                    R"("values":[[990,"1"],[1000,"1"],[1010,"1"]]}]})"));
}

TEST_F(QueryTest, LimitCutsAndWarns) {
  EXPECT_EQ(Get("/api/v1/query?query=up&limit=1"),
            R"({"status":"success","data":{"resultType":"vector","result":[)"
            R"({"metric":{"__name__":"up","job":"a"},"value":[1000,"1"]}]},)"
            R"("warnings":["results truncated due to limit"]})");
  EXPECT_EQ(Get("/api/v1/query?query=up&limit=2").find("warnings"), std::string::npos);
  EXPECT_EQ(Get("/api/v1/query?query=up&limit=x"),
            Error("bad_data", R"(invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax)"));
  EXPECT_EQ(Get("/api/v1/query?query=up&limit=-1"),
            Error("bad_data", R"(invalid parameter \"limit\": limit must be non-negative)"));
}

TEST_F(QueryTest, StatsAreShownWhenAskedFor) {
  EXPECT_EQ(Get("/api/v1/query?query=1").find("stats"), std::string::npos);
  Get("/api/v1/query?query=1&stats=all");
  EXPECT_NE(answer.body.find(R"("stats":{"timings":{"evalTotalTime":)"), std::string::npos);
  EXPECT_NE(answer.body.find(R"("samples":{"totalQueryableSamples":)"), std::string::npos);
}

TEST_F(QueryTest, LookbackDeltaNarrowsTheSearch) {
  EXPECT_EQ(Get("/api/v1/query?query=up&lookback_delta=5s"),
            Success(R"({"resultType":"vector","result":[]})"));
  EXPECT_EQ(
      Get("/api/v1/query?query=up&lookback_delta=x"),
      Error("bad_data", R"(error parsing lookback delta duration: cannot parse \"x\" to a valid duration)"));
}

TEST_F(QueryTest, WrongParametersAreNamed) {
  EXPECT_EQ(Get("/api/v1/query?query=up&time=x"),
            Error("bad_data", R"(invalid parameter \"time\": invalid time value for 'time': )"
                              R"(cannot parse \"x\" to a valid timestamp)"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(Get("/api/v1/query?query=up&timeout=x"),
            Error("bad_data", R"(invalid parameter \"timeout\": cannot parse \"x\" to a valid duration)"));
  EXPECT_EQ(Get("/api/v1/query_range?query=up&end=2&step=1"),
            Error("bad_data", R"(invalid parameter \"start\": cannot parse \"\" to a valid timestamp)"));
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=1&end=x&step=1"),
            Error("bad_data", R"(invalid parameter \"end\": cannot parse \"x\" to a valid timestamp)"));
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=2&end=1&step=1"),
            Error("bad_data", R"(invalid parameter \"end\": end timestamp must not be before start time)"));
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=1&end=2&step=x"),
            Error("bad_data", R"(invalid parameter \"step\": cannot parse \"x\" to a valid duration)"));
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=1&end=2&step=0"),
            Error("bad_data", R"(invalid parameter \"step\": zero or negative query resolution step widths )"
                              R"(are not accepted. Try a positive integer)"));
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=0&end=11001&step=1"),
            Error("bad_data",
                  "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing "
                  "the query resolution (?step=XX)"));
  EXPECT_EQ(Get("/api/v1/query_range?query=up&start=1&end=2&step=1e30"),
            Error("bad_data", R"(invalid parameter \"step\": cannot parse \"1e30\" to a valid duration. )"
                              R"(It overflows int64)"));
  Get("/api/v1/query_range?query=up&start=0&end=11000&step=1");
  EXPECT_EQ(answer.status, 200);
}

TEST_F(QueryTest, ParseErrorsAreBadData) {
  std::string body = Get("/api/v1/query?query=up%7B");
  EXPECT_TRUE(body.starts_with(R"({"status":"error","errorType":"bad_data","error":"invalid parameter )"
                               R"(\"query\": 1:4: parse error: )"))
      << body;
  EXPECT_EQ(answer.status, 400);
}

TEST_F(QueryTest, ExecutionErrorsAre422) {
  Get("/api/v1/query?query=up%20*%20on()%20up");
  EXPECT_EQ(answer.status, 422);
  EXPECT_TRUE(answer.body.starts_with(R"({"status":"error","errorType":"execution","error":")"))
      << answer.body;
}

TEST_F(QueryTest, TimeoutAndCancelHaveTheirOwnCodes) {
  EXPECT_EQ(Get("/api/v1/query?query=up&timeout=0"),
            Error("timeout", "query timed out in expression evaluation"));
  EXPECT_EQ(answer.status, 503);
  *cancelled = true;
  Get("/api/v1/query?query=up");
  EXPECT_EQ(answer.status, 499);
  EXPECT_TRUE(
      answer.body.starts_with(R"({"status":"error","errorType":"canceled","error":"query was canceled)"))
      << answer.body;
}

TEST_F(QueryTest, WarningsAndInfosFollowTheData) {
  std::string body = Get("/api/v1/query?query=quantile(2,up)");
  EXPECT_NE(body.find(R"(]},"warnings":["PromQL warning: quantile value should be between 0 and 1)"),
            std::string::npos)
      << body;
  Append({{"__name__", "up"}, {"job", "a"}}, 995'000, 2);
  body = Get("/api/v1/query?query=rate(up%5B5m%5D)");
  EXPECT_NE(body.find(R"("infos":["PromQL info: metric might not be a counter)"), std::string::npos) << body;
}

TEST_F(QueryTest, NativeHistogramsListTheirFilledBuckets) {
  auto h = std::make_shared<FloatHistogram>();
  h->count = 6;
  h->sum = 12.5;
  h->zero_threshold = 0.001;
  h->zero_count = 1;
  h->positive_spans = {{0, 3}};
  h->positive_buckets = {2, 0, 3};
  tsdb::Sample sample;
  sample.t = 995'000;
  sample.h = h;
  AppendSample({{"__name__", "h"}}, sample);
  const std::string histogram =
      R"({"count":"6","sum":"12.5","buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","2"],[0,"2","4","3"]]})";
  EXPECT_EQ(
      Get("/api/v1/query?query=h"),
      Success(StrCat(R"({"resultType":"vector","result":[{"metric":{"__name__":"h"},"histogram":[1000,)",
                     histogram, "]}]}")));
  EXPECT_EQ(
      Get("/api/v1/query_range?query=h&start=1000&end=1000&step=1"),
      Success(StrCat(R"({"resultType":"matrix","result":[{"metric":{"__name__":"h"},"histograms":[[1000,)",
                     histogram, "]]}]}")));
}

class BigQueryTest : public QueryTest {
 protected:
  // About 2.4 MB of JSON, in three blocks of series.
  BigQueryTest() {
    for (int i = 0; i < 140; ++i) {
      Append({{"__name__", "many"}, {"i", std::to_string(1000 + i)}}, 900'000, 1);
    }
  }
  static constexpr const char* kAll = "/api/v1/query_range?query=many&start=900&end=1000&step=0.1";
};

TEST_F(BigQueryTest, IsStreamed) {
  std::string body = Get(kAll);
  EXPECT_EQ(answer.status, 200);
  EXPECT_GT(answer.pieces, 5);
  EXPECT_LT(answer.largest_piece, MatrixAnswer::kHeldBytes + (4 << 10));
  EXPECT_TRUE(body.starts_with(R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":)"));
  EXPECT_TRUE(body.ends_with(R"([1000,"1"]]}]}})"));
  EXPECT_FALSE(answer.broken_off);
}

TEST_F(BigQueryTest, StopsWhenTheClientIsGone) {
  client_gone = true;
  Get(kAll);
  EXPECT_EQ(answer.pieces, 1);
}

TEST_F(BigQueryTest, IsBrokenOffWhenItFailsAfterTheFirstPiece) {
  writing = [this] { *cancelled = true; };
  Get(kAll);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.broken_off);
  EXPECT_FALSE(answer.body.ends_with("}}"));
}

TEST_F(BigQueryTest, FailsCleanlyBefore) {
  Get("/api/v1/query_range?query=many%20%2Bon()%20many&start=900&end=1000&step=0.1");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.pieces, 0);
  EXPECT_FALSE(answer.broken_off);
}

TEST_F(BigQueryTest, IsCutAtItsLimitWithAWarning) {
  std::string body = Get(std::string(kAll) + "&limit=1");
  EXPECT_TRUE(body.ends_with(R"([1000,"1"]]}]},"warnings":["results truncated due to limit"]})"))
      << body.size();
}

TEST_F(QueryTest, FormatAndParse) {
  EXPECT_EQ(Get("/api/v1/format_query?query=sum(up)by(job)%3E1"), Success(R"("sum by (job) (up) \u003e 1")"));
  EXPECT_TRUE(Get("/api/v1/parse_query?query=up").starts_with(R"({"status":"success","data":{)"));
  EXPECT_NE(answer.body.find(R"("type":"vectorSelector")"), std::string::npos);
  EXPECT_TRUE(
      Get("/api/v1/format_query?query=%7B")
          .starts_with(R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": )"))
      << answer.body;
}

TEST_F(QueryTest, ExemplarsOfTheSelectorsOfAQuery) {
  std::unique_ptr<tsdb::Appender> appender = db->NewAppender();
  tsdb::SeriesRef ref = 0;
  tsdb::Sample sample;
  sample.t = 990'000;
  ASSERT_TRUE(appender->Append(&ref, {{"__name__", "c"}}, sample).ok());
  appender->AddExemplar(ref, {{{"trace_id", "x"}}, 6, 990'123, true});
  ASSERT_TRUE(appender->Commit().ok());
  EXPECT_EQ(Get("/api/v1/query_exemplars?query=rate(c%5B5m%5D)&start=900&end=1000"),
            Success(R"([{"seriesLabels":{"__name__":"c"},"exemplars":[)"
                    R"({"labels":{"trace_id":"x"},"value":"6","timestamp":990.123}]}])"));
  EXPECT_EQ(Get("/api/v1/query_exemplars?query=c&start=991&end=1000"), Success("[]"));
  EXPECT_EQ(Get("/api/v1/query_exemplars?query=c&start=2&end=1"),
            Error("bad_data", "end timestamp must not be before start timestamp"));
}

}  // namespace
}  // namespace narthex::api
