#include "alerting/alert_json.h"

#include <gtest/gtest.h>

namespace narthex::alerting {
namespace {

TEST(AlertTimeTest, AlwaysHasThreeDecimals) {
  EXPECT_EQ(AlertTime(1577836800000), "2020-01-01T00:00:00.000Z");
  EXPECT_EQ(AlertTime(1577836800100), "2020-01-01T00:00:00.100Z");
  EXPECT_EQ(AlertTime(1577836800120), "2020-01-01T00:00:00.120Z");
  EXPECT_EQ(AlertTime(1577836800123), "2020-01-01T00:00:00.123Z");
  EXPECT_EQ(AlertTime(1577836800003), "2020-01-01T00:00:00.003Z");
  EXPECT_EQ(AlertTime(0), "0001-01-01T00:00:00.000Z");
}

TEST(EncodeAlertsTest, WritesThePostBodyOfPrometheus) {
  rules::Notification alert;
  alert.labels = Labels({{"alertname", "A"}, {"severity", "page"}});
  alert.annotations = Labels({{"summary", "a <b> & \"c\""}});
  alert.starts_at_ms = 1577836800000;
  alert.ends_at_ms = 1577836860500;
  alert.generator_url = "http://n/graph?g0.expr=up&g0.tab=1";
  EXPECT_EQ(EncodeAlerts(std::vector<rules::Notification>{alert}),
            R"([{"annotations":{"summary":"a \u003cb\u003e \u0026 \"c\""},)"
            R"("endsAt":"2020-01-01T00:01:00.500Z","startsAt":"2020-01-01T00:00:00.000Z",)"
            R"("generatorURL":"http://n/graph?g0.expr=up\u0026g0.tab=1",)"
            R"("labels":{"alertname":"A","severity":"page"}}])");
}

TEST(EncodeAlertsTest, LeavesOutWhatIsEmpty) {
  rules::Notification alert;
  alert.starts_at_ms = alert.ends_at_ms = 1577836800000;
  EXPECT_EQ(EncodeAlerts(std::vector<rules::Notification>{alert, alert}),
            R"([{"endsAt":"2020-01-01T00:00:00.000Z","startsAt":"2020-01-01T00:00:00.000Z","labels":{}},)"
            R"({"endsAt":"2020-01-01T00:00:00.000Z","startsAt":"2020-01-01T00:00:00.000Z","labels":{}}])");
  EXPECT_EQ(EncodeAlerts({}), "[]");
}

}  // namespace
}  // namespace narthex::alerting
