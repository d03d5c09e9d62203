#include "template/template.h"

#include <gtest/gtest.h>

namespace narthex::tmpl {
namespace {

ExpandOptions Options() {
  ExpandOptions options;
  options.name = "__alert_Down";
  options.labels = {{"instance", "edge.example:9100"}, {"job", "node"}};
  options.value = 0.1234567;
  options.external_labels = {{"site", "north"}};
  options.external_url = "http://prom.example:9090";
  options.now_ms = 1'435'065'584'128;
  options.query = [](const std::string& expr, int64_t) -> absl::StatusOr<std::vector<QuerySample>> {
    if (expr == "bad") return absl::InvalidArgumentError("no such thing");
    return std::vector<QuerySample>{{{{"__name__", "m"}, {"i", "b"}}, 2},
                                    {{{"__name__", "m"}, {"i", "a"}}, 1}};
  };
  return options;
}

std::string Expand(std::string_view text) {
  absl::StatusOr<std::string> out = ExpandAlertText(text, Options());
  return out.ok() ? *out : "ERROR " + std::string(out.status().message());
}

TEST(AlertTemplate, GivesLabelsValueAndExternals) {
  EXPECT_EQ(Expand("{{ $labels.instance }} of {{ .Labels.job }} at {{ $externalLabels.site }}: {{ $value }}"),
            "edge.example:9100 of node at north: 0.1234567");
  EXPECT_EQ(Expand("{{ $externalURL }}/x"), "http://prom.example:9090/x");
  EXPECT_EQ(Expand("[{{ $labels.nothing }}]"), "[]");
}

TEST(AlertTemplate, HumanizesNumbers) {
  EXPECT_EQ(Expand("{{ $value | humanizePercentage }}"), "12.35%");
  EXPECT_EQ(Expand("{{ humanize 1234567.0 }} {{ humanize1024 1048576.0 }} {{ humanizeDuration 3661 }}"),
            "1.235M 1Mi 1h 1m 1s");
  EXPECT_EQ(Expand("{{ printf \"%.2f %5d|%-5s|%q %x %v\" 3.14159 42 \"ab\" \"c\" 255 true }}"),
            "3.14    42|ab   |\"c\" ff true");
  EXPECT_EQ(Expand("{{ humanizeTimestamp 1435065584.128 }}"), "2015-06-23 13:19:44.128 +0000 UTC");
}

TEST(AlertTemplate, RunsControlStructures) {
  EXPECT_EQ(Expand("{{ if gt $value 0.5 }}high{{ else if gt $value 0.1 }}middle{{ else }}low{{ end }}"),
            "middle");
  EXPECT_EQ(Expand("{{ range $i, $s := query \"m\" | sortByLabel \"i\" }}{{ $i }}={{ $s.Labels.i }}:{{ value "
                   "$s }} {{ end }}"),
            "0=a:1 1=b:2 ");
  EXPECT_EQ(Expand("{{ range query \"m\" }}{{ if eq (label \"i\" .) \"a\" }}{{ break }}{{ end }}x{{ end }}"),
            "x");
  EXPECT_EQ(Expand("{{ with $labels.nothing }}some{{ else }}none{{ end }}"), "none");
  EXPECT_EQ(Expand("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $labels.job }}"), "<node>");
  EXPECT_EQ(Expand("a {{- /* gone */ -}} b"), "ab");
  EXPECT_EQ(Expand("{{ $x := 1 }}{{ $x = 2 }}{{ $x }}"), "2");
}

TEST(AlertTemplate, HandlesText) {
  EXPECT_EQ(Expand("{{ $labels.instance | stripPort }} {{ $labels.instance | stripDomain }}"),
            "edge.example edge:9100");
  EXPECT_EQ(Expand("{{ reReplaceAll \"(.*):.*\" \"$1\" $labels.instance | toUpper }}"), "EDGE.EXAMPLE");
  EXPECT_EQ(Expand("{{ tableLink \"up == 0\" }}"), "/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
}

TEST(AlertTemplate, SaysWhereAnErrorIs) {
  EXPECT_EQ(CheckAlertText("{{ $labels.x ", "__alert_Down").message(),
            "template: __alert_Down:1: unclosed action");
  EXPECT_EQ(CheckAlertText("{{ nonsense }}", "n").message(),
            "template: n:1: function \"nonsense\" not defined");
  EXPECT_EQ(CheckAlertText("a\n{{ $no }}", "n").message(), "template: n:2: undefined variable \"$no\"");
  EXPECT_NE(Expand("{{ query \"bad\" }}").find("error calling query: no such thing"), std::string::npos);
  EXPECT_NE(Expand("{{ .Nope }}").find("can't evaluate field Nope"), std::string::npos);
}

TEST(AlertTemplate, RefusesEndlessWork) {
  EXPECT_NE(Expand("{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}")
                .find("exceeded maximum template depth"),
            std::string::npos);
  EXPECT_NE(Expand("{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}").find("too many steps"),
            std::string::npos);
  ExpandOptions options = Options();
  EXPECT_NE(Expand("{{ $x := \"ab\" }}{{ range 40 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}")
                .find("is longer than"),
            std::string::npos);
  EXPECT_NE(Expand("{{ $x := 1 }}{{ range 2000 }}{{ $x = args $x }}{{ end }}").find("nested too deeply"),
            std::string::npos);
  EXPECT_NE(
      Expand("{{ $x := 1 }}{{ range 40 }}{{ $x = args $x $x }}{{ end }}{{ $x }}").find("output is longer"),
      std::string::npos);
  options.max_output_bytes = 10;
  EXPECT_FALSE(ExpandAlertText("{{ range 100 }}xxxxxxxx{{ end }}", options).ok());
  EXPECT_FALSE(CheckAlertText(std::string(100000, '(').insert(0, "{{"), "n").ok());
}

}  // namespace
}  // namespace narthex::tmpl
