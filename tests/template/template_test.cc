#include "template/template.h"

#include <gtest/gtest.h>

#include <limits>

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

TEST(AlertTemplate, ComparesNanAsGoDoes) {
  ExpandOptions options = Options();
  options.value = std::numeric_limits<double>::quiet_NaN();
  auto expand = [&](std::string_view text) { return *ExpandAlertText(text, options); };
  EXPECT_EQ(expand("{{ lt $value 1.0 }} {{ le $value 1.0 }} {{ gt $value 1.0 }} {{ ge $value 1.0 }}"),
            "false false true true");
  EXPECT_EQ(expand("{{ eq $value $value }} {{ ne $value $value }}"), "false true");
}

TEST(AlertTemplate, ChangesTheCaseOfAllLetters) {
  EXPECT_EQ(Expand("{{ toUpper \"straße älter ж\" }} {{ toLower \"ÄÉЖ X\" }}"), "STRAßE ÄLTER Ж äéж x");
  EXPECT_EQ(Expand("{{ title \"élan it's x_y a-b 1st\" }}"), "Élan It's X_y A-B 1St");
}

TEST(AlertTemplate, PrintsWithAllVerbs) {
  EXPECT_EQ(Expand(R"({{ printf "%c %U %#U %q %O %#b" 228 228 228 65 8 5 }})"),
            "ä U+00E4 U+00E4 'ä' 'A' 0o10 0b101");
  EXPECT_EQ(Expand(R"({{ printf "%x|% x|%#x|%X" "hi" "hi" "hi" "hi" }})"), "6869|68 69|0x6869|6869");
  EXPECT_EQ(Expand(R"({{ printf "[%5s] [%-5s] [%.2s]" "äö" "äö" "äöü" }})"), "[   äö] [äö   ] [äö]");
  EXPECT_EQ(Expand(R"({{ printf "%x %+d % d %08.3f %e %G" 1.5 5 5 3.14159 12345.678 1e21 }})"),
            "0x1.8p+00 +5  5 0003.142 1.234568e+04 1E+21");
  EXPECT_EQ(Expand(R"({{ printf "%b %b %+b %b %b|%30b" 1.0 -0.5 3.25 0.0 1e300 1.5 }})"),
            "4503599627370496p-52 -4503599627370496p-53 +7318349394477056p-51 0p-1074 6724873095247260p+944|"
            "          6755399441055744p-52");
  EXPECT_EQ(Expand(R"({{ printf "%#v %T %t %v%%" "a" 1.0 true 3 }})"), "\"a\" float64 true 3%");
  EXPECT_EQ(Expand(R"({{ printf "%d %z" "a" 1 }})"), "%!d(string=a) %!z(int=1)");
  EXPECT_EQ(Expand(R"({{ printf "%d" }} {{ printf "x" 1 }})"), "%!d(MISSING) x%!(EXTRA int=1)");
}

TEST(AlertTemplate, EscapesForPagesScriptsAndUrls) {
  EXPECT_EQ(Expand(R"({{ html "<a href='x'>&\"" }})"), "&lt;a href=&#39;x&#39;&gt;&amp;&#34;");
  EXPECT_EQ(Expand(R"({{ js "it's <b> ä\n" }})"), R"(it\'s \u003Cb\u003E ä\u000A)");
  EXPECT_EQ(Expand(R"({{ urlquery "a b&c=ä" }})"), "a+b%26c%3D%C3%A4");
}

TEST(AlertTemplate, HasNoTmplOutsidePagesAndNothingToCall) {
  EXPECT_NE(Expand("{{ define \"a\" }}x{{ end }}{{ tmpl \"a\" . }}").find("function \"tmpl\" not defined"),
            std::string::npos);
  EXPECT_NE(Expand("{{ call $value }}").find("error calling call: non-function"), std::string::npos);
}

TEST(AlertTemplate, EndsWhenItsTimeIsOver) {
  ExpandOptions options = Options();
  int looks = 0;
  options.expired = [&looks] { return ++looks > 3; };
  absl::Status status = ExpandAlertText("{{ range 100000 }}{{ end }}", options).status();
  EXPECT_NE(status.message().find("it takes too long"), std::string::npos) << status;
}

}  // namespace
}  // namespace narthex::tmpl
