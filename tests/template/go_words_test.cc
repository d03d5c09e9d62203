// Templates whose result and words Prometheus 3.5.3 gave.
#include <gtest/gtest.h>

#include "template/template.h"

namespace narthex::tmpl {
namespace {

struct Case {
  const char *text, *expected;
};

ExpandOptions Options() {
  ExpandOptions options;
  options.name = "n";
  options.labels = {{"instance", "edge.example:9100"}, {"job", "node"}};
  options.value = 0.1234567;
  options.external_labels = {{"site", "north"}};
  options.external_url = "http://prom.example:9090/pre";
  options.path_prefix = "/pre";
  options.query = [](const std::string& expr, int64_t) -> absl::StatusOr<std::vector<QuerySample>> {
    if (expr == "vector(1)") return std::vector<QuerySample>{{{}, 1}};
    if (expr == "vector(1) > 2") return std::vector<QuerySample>{};
    return absl::InvalidArgumentError("no such query");
  };
  return options;
}

// Behind "template: n:".
constexpr Case kRefused[] = {
    {R"({{ define "a" }}x{{ end }}{{ define "a" }}y{{ end }}{{ template "a" }})",
     "1: template: multiple definition of template \"a\""},
    {"{{ 99999999999999999999 }}", "1: integer overflow: \"99999999999999999999\""},
    {"{{ 1e400 }}", "1: illegal number syntax: \"1e400\""},
    {"{{ .Labels.instance }", "1: unexpected \"}\" in operand"},
    {"{{ 'ab' }}", "1: malformed character constant: 'ab'"},
    {"{{ '' }}", "1: invalid syntax"},
    {"{{ /* unclosed }}", "1: unexpected \"/\" in command"},
    {"{{ /* a */ }}", "1: unexpected \"/\" in command"},
    {"{{-/* a */-}}", "1: illegal number syntax: \"-\""},
    {"{{ range $a, $b, $c := .Labels }}{{ end }}", "1: too many declarations in range"},
    {"{{ range $a, := .Labels }}{{ end }}", "1: range can only initialize variables"},
    {"{{ range 1 }}{{ break 1 }}{{ end }}", "1: unexpected \"1\" in {{break}}"},
    {"{{ define \"a\" 1 }}{{ end }}", "1: unexpected \"1\" in define clause"},
    {"{{ block \"a\" }}{{ end }}", "1: missing value for block clause"},
    {"{{ $x, $y := 1 }}", "1: too many declarations in command"},
    {"{{ & }}", "1: unexpected \"&\" in command"},
    {"{{ # }}", "1: unexpected \"#\" in command"},
    {"{{ @ }}", "1: unexpected \"@\" in command"},
    {"{{ a-b }}", "1: bad character U+002D '-'"},
    {"{{ a/b }}", "1: bad character U+002F '/'"},
    {"{{ 0x }}", "1: illegal number syntax: \"0x\""},
    {"{{ 1.2.3 }}", "1: unexpected \".3\" in operand"},
    {"{{ 1__0 }}", "1: illegal number syntax: \"1__0\""},
    {"{{ .a.b. }}", "1: unexpected <.> in operand"},
    {"{{ .. }}", "1: unexpected <.> in operand"},
    {"{{ $.. }}", "1: unexpected <.> in operand"},
    {R"({{ "a"\n }})", R"(1: unexpected "\\" in operand)"},
    {"{{ if 1 }}a{{ end if }}", "1: unexpected <if> in end"},
    {"{{ end end }}", "1: unexpected <end> in end"},
    {"{{ - 1 }}", "1: illegal number syntax: \"-\""},
    {"{{ : }}", "1: expected :="},
    {R"({{ '\"' }})", "1: invalid syntax"},
    {"{{ 08 }}", "1: integer overflow: \"08\""},
    {"{{ -9223372036854775809 }}", "1: integer overflow: \"-9223372036854775809\""},
    {"{{ range 1 }}{{ block \"q\" . }}{{ break }}{{ end }}{{ end }}", "1: {{break}} outside {{range}}"},
    {R"({{ block "w" . }}x{{ end }}{{ define "w" }}y{{ end }})",
     "1: template: multiple definition of template \"w\""},
    {"{{ range 2 }}{{ else if 1 }}{{ end }}", "1: unexpected <if> in input"},
    {"{{ if 1 }}{{ else with 1 }}{{ end }}", "1: unexpected <with> in input"},
    {"{{ with 1 }}{{ else if 1 }}{{ end }}", "1: unexpected <if> in input"},
    {"{{ humanize 1e999 }}", "1: illegal number syntax: \"1e999\""},
    {"{{ /* a\nb\nc", "1: unexpected \"/\" in command"},
    {"{{ \"a\" }}\n{{ 1 }\n", "2: unexpected \"}\" in operand"},
};

// Behind "error executing template n: template: n:"; the column counts the prelude of 114 characters.
constexpr Case kFailing[] = {
    {"{{ call $value }}", "1:115 at <call $value>: error calling call: non-function $value of type float64"},
    {"{{ call \"x\" 1 }}", R"(1:115 at <call "x" 1>: error calling call: non-function "x" of type string)"},
    {"{{ call .Labels }}",
     "1:115 at <call .Labels>: error calling call: non-function .Labels of type map[string]string"},
    {"{{ call .Value 1 2 }}",
     "1:115 at <call .Value 1 2>: error calling call: non-function .Value of type float64"},
    {"{{ $x := 1 }}{{ call $x }}", "1:128 at <call $x>: error calling call: non-function $x of type int"},
    {"{{ if call $value }}a{{ end }}",
     "1:118 at <call $value>: error calling call: non-function $value of type float64"},
    {"{{ printf \"%d\" (call $value) }}",
     "1:128 at <call $value>: error calling call: non-function $value of type float64"},
    {"{{ $labels | call }}",
     "1:125 at <call>: error calling call: non-function <map[string]string Value> of type map[string]string"},
    {"{{ first .Labels }}",
     "1:121 at <.Labels>: wrong type for value; expected template.queryResult; got map[string]string"},
    {"{{ first \"x\" }}", R"(1:121 at <"x">: can't handle "x" for arg of type template.queryResult)"},
    {"{{ first 1 }}", "1:121 at <1>: can't handle 1 for arg of type template.queryResult"},
    {"{{ value 1 }}", "1:121 at <1>: can't handle 1 for arg of type *template.sample"},
    {"{{ value \"x\" }}", R"(1:121 at <"x">: can't handle "x" for arg of type *template.sample)"},
    {"{{ label \"a\" 1 }}", "1:125 at <1>: can't handle 1 for arg of type *template.sample"},
    {R"({{ label "a" "b" }})", R"(1:125 at <"b">: can't handle "b" for arg of type *template.sample)"},
    {"{{ label 1 (query \"vector(1)\" | first) }}", "1:121 at <1>: expected string; found 1"},
    {"{{ strvalue 1 }}", "1:124 at <1>: can't handle 1 for arg of type *template.sample"},
    {"{{ sortByLabel \"a\" 1 }}", "1:131 at <1>: can't handle 1 for arg of type template.queryResult"},
    {"{{ sortByLabel 1 (query \"vector(1)\") }}", "1:127 at <1>: expected string; found 1"},
    {"{{ printf 1 }}", "1:122 at <1>: expected string; found 1"},
    {"{{ printf 1 2 }}", "1:122 at <1>: expected string; found 1"},
    {"{{ index \"abc\" 3 }}",
     "1:115 at <index \"abc\" 3>: error calling index: reflect: string index out of range"},
    {"{{ index (query \"vector(1)\") 1 }}",
     "1:115 at <index (query \"vector(1)\") 1>: error calling index: reflect: slice index out of range"},
    {"{{ index (query \"vector(1)\") nil }}",
     "1:115 at <index (query \"vector(1)\") nil>: error calling index: cannot index slice/array with nil"},
    {"{{ slice \"abcdef\" 1 2 3 }}",
     "1:115 at <slice \"abcdef\" 1 2 3>: error calling slice: cannot 3-index slice a string"},
    {"{{ slice \"abcdef\" 1 2 3 4 }}",
     "1:115 at <slice \"abcdef\" 1 2 3 4>: error calling slice: too many slice indexes: 4"},
    {"{{ slice nil 1 }}", "1:115 at <slice nil 1>: error calling slice: slice of untyped nil"},
    {"{{ len nil }}",
     "1:115 at <len nil>: error calling len: reflect: call of reflect.Value.Type on zero Value"},
    {R"({{ len "a" "b" }})", "1:115 at <len>: wrong number of args for len: want 1 got 2"},
    {"{{ eq 1 1.0 }}",
     "1:115 at <eq 1 1.0>: error calling eq: incompatible types for comparison: int and float64"},
    {"{{ eq 1 \"1\" }}",
     "1:115 at <eq 1 \"1\">: error calling eq: incompatible types for comparison: int and string"},
    {"{{ eq .Labels 1 }}",
     "1:115 at <eq .Labels 1>: error calling eq: incompatible types for comparison: map[string]string and "
     "int"},
    {"{{ eq 1 .Labels }}",
     "1:115 at <eq 1 .Labels>: error calling eq: incompatible types for comparison: int and "
     "map[string]string"},
    {"{{ ne 1 1.5 }}",
     "1:115 at <ne 1 1.5>: error calling ne: incompatible types for comparison: int and float64"},
    {"{{ ne 1 2 3 }}", "1:115 at <ne>: wrong number of args for ne: want 2 got 3"},
    {"{{ lt 1 \"a\" }}",
     "1:115 at <lt 1 \"a\">: error calling lt: incompatible types for comparison: int and string"},
    {"{{ lt 1 1.5 }}",
     "1:115 at <lt 1 1.5>: error calling lt: incompatible types for comparison: int and float64"},
    {"{{ lt $value 1 }}",
     "1:115 at <lt $value 1>: error calling lt: incompatible types for comparison: float64 and int"},
    {"{{ lt nil 1 }}", "1:115 at <lt nil 1>: error calling lt: invalid type for comparison"},
    {"{{ gt 1 }}", "1:115 at <gt>: wrong number of args for gt: want 2 got 1"},
    {"{{ gt $value 5 }}",
     "1:115 at <gt $value 5>: error calling gt: incompatible types for comparison: float64 and int"},
    {"{{ ge 1 nil }}", "1:115 at <ge 1 nil>: error calling ge: invalid type for comparison"},
    {"{{ if eq $value 1 }}a{{ end }}",
     "1:118 at <eq $value 1>: error calling eq: incompatible types for comparison: float64 and int"},
    {"{{ not 1 2 }}", "1:115 at <not>: wrong number of args for not: want 1 got 2"},
    {"{{ range $i, $v := 3 }}{{ $i }}{{ $v }}{{ end }}",
     "1:131 at <3>: can't use 3 to iterate over more than one variable"},
    {"{{ range $i, $c := \"aé\" }}{{ $i }}={{ $c }},{{ end }}",
     "1:131 at <\"aé\">: range can't iterate over aé"},
    {"{{ range .Labels.instance }}x{{ end }}",
     "1:128 at <.Labels.instance>: range can't iterate over edge.example:9100"},
    {"{{ template \"nope\" }}", R"(1:124 at <{{template "nope"}}>: template "nope" not defined)"},
    {"{{ template \"nope\" . }}", R"(1:124 at <{{template "nope" .}}>: template "nope" not defined)"},
    {"{{ 9223372036854775808 }}", "1:115 at <9223372036854775808>: 9223372036854775808 overflows int"},
    {"{{ 18446744073709551615 }}", "1:115 at <18446744073709551615>: 18446744073709551615 overflows int"},
    {"{{ .Value.Foo }}", "1:121 at <.Value.Foo>: can't evaluate field Foo in type interface {}"},
    {"{{ .Labels.instance.foo }}",
     "1:122 at <.Labels.instance.foo>: can't evaluate field foo in type string"},
    {"{{ .Labels.missing.foo }}", "1:122 at <.Labels.missing.foo>: can't evaluate field foo in type string"},
    {"{{ $labels.missing.foo }}", "1:122 at <$labels.missing.foo>: can't evaluate field foo in type string"},
    {"{{ $value.Foo }}", "1:121 at <$value.Foo>: can't evaluate field Foo in type float64"},
    {"{{ .Labels \"x\" }}", "1:115 at <.Labels>: Labels has arguments but cannot be invoked as function"},
    {"{{ .Labels.instance \"x\" }}",
     "1:122 at <.Labels.instance>: instance is not a method but has arguments"},
    {"{{ $labels.instance 1 }}", "1:122 at <$labels.instance>: instance is not a method but has arguments"},
    {"{{ .Value | .Labels }}", "1:124 at <.Labels>: Labels has arguments but cannot be invoked as function"},
    {"{{ (\"a\").b }}", "1:116 at <\"a\">: can't evaluate field b in type string"},
    {"{{ (1).b }}", "1:116 at <1>: can't evaluate field b in type int"},
    {"{{ template \"a\" 1 2 }}", R"(1:124 at <{{template "a" 1 2}}>: template "a" not defined)"},
    {"{{ $x = 1 }}", "1:120 at <1>: undefined variable: $x"},
    {"{{ humanize \"1e999\" }}",
     R"(1:115 at <humanize "1e999">: error calling humanize: strconv.ParseFloat: parsing "1e999": value out of range)"},
    {"{{ humanize (query \"vector(1)\") }}",
     "1:115 at <humanize (query \"vector(1)\")>: error calling humanize: can't convert template.queryResult "
     "to float"},
    {"{{ humanize 1 2 }}", "1:115 at <humanize>: wrong number of args for humanize: want 1 got 2"},
    {"{{ (toTime 1).Nope }}", "1:123 at <1>: can't evaluate field Nope in type *time.Time"},
    {"{{ (toTime 1).Format }}", "1:123 at <1>: wrong number of args for Format: want 1 got 0"},
    {"{{ (toTime 1).Format 1 }}", "1:133 at <1>: expected string; found 1"},
    {R"({{ (toTime 1).Format "a" "b" }})", "1:123 at <1>: wrong number of args for Format: want 1 got 2"},
    {"{{ toTime \"NaN\" }}", "1:115 at <toTime \"NaN\">: error calling toTime: value is NaN or Inf"},
    {"{{ toTime \"Inf\" }}", "1:115 at <toTime \"Inf\">: error calling toTime: value is NaN or Inf"},
    {"{{ parseDuration 5 }}", "1:129 at <5>: expected string; found 5"},
    {"{{ title 1 }}", "1:121 at <1>: expected string; found 1"},
    {"{{ toUpper nil }}", "1:123 at <nil>: cannot assign nil to string"},
    {R"({{ reReplaceAll "(" "x" "y" }})",
     R"(1:115 at <reReplaceAll "(" "x" "y">: error calling reReplaceAll: regexp: Compile(`(`): error parsing regexp: missing closing ): `(`)"},
    {R"({{ reReplaceAll "a" "b" }})",
     "1:115 at <reReplaceAll>: wrong number of args for reReplaceAll: want 3 got 2"},
    {R"({{ reReplaceAll 1 "b" "c" }})", "1:128 at <1>: expected string; found 1"},
    {"{{ match 1 \"x\" }}", "1:121 at <1>: expected string; found 1"},
    {"{{ graphLink 1 }}", "1:125 at <1>: expected string; found 1"},
    {"{{ safeHtml 1 }}", "1:124 at <1>: expected string; found 1"},
    {"{{ externalURL 1 }}", "1:115 at <externalURL>: wrong number of args for externalURL: want 0 got 1"},
    {"{{ strvalue \"a\" }}", R"(1:124 at <"a">: can't handle "a" for arg of type *template.sample)"},
    {"{{ if gt $value 0 }}in{{ end }}",
     "1:118 at <gt $value 0>: error calling gt: incompatible types for comparison: float64 and int"},
    {R"x({{ (query "vector(1)" | first).Labels }} {{ (query "vector(1)" | first).Nope }})x",
     "1:177 at <first>: can't evaluate field Nope in type *template.sample"},
    {"{{ query 1 }}", "1:121 at <1>: expected string; found 1"},
    {R"x({{ query "vector(1)" "x" }})x", "1:115 at <query>: wrong number of args for query: want 1 got 2"},
    {"{{ \"%d\" | printf 5 }}", "1:129 at <5>: expected string; found 5"},
    {"{{ $x = 1 }}", "1:120 at <1>: undefined variable: $x"},
    {"{{ $x := $x }}", "1:121 at <$x>: undefined variable: $x"},
    {"{{ humanize \"-1e999\" }}",
     R"(1:115 at <humanize "-1e999">: error calling humanize: strconv.ParseFloat: parsing "-1e999": value out of range)"},
    {"{{ ((toTime 1435065584).Format \"2006\").b }}",
     "1:143 at <\"2006\">: can't evaluate field b in type string"},
    {"{{ (1 | printf \"%d\").x }}", "1:127 at <\"%d\">: can't evaluate field x in type string"},
    {"{{ (toTime 1).Unix 5 }}", "1:123 at <1>: wrong number of args for Unix: want 0 got 1"},
    {"{{ (.Labels).instance.x }}", "1:116 at <.Labels>: can't evaluate field x in type string"},
    {"{{ (args 1 \"b\").arg0.foo }}", "1:123 at <\"b\">: can't evaluate field foo in type interface {}"},
    {"{{ (args 1 \"b\").arg9.foo }}", "1:123 at <\"b\">: nil pointer evaluating interface {}.foo"},
    {"{{ with args 1 }}{{ .arg0 }}{{ .arg0.x }}{{ end }}",
     "1:148 at <.arg0.x>: can't evaluate field x in type interface {}"},
    {"{{ .Value.Foo.Bar }}", "1:121 at <.Value.Foo.Bar>: can't evaluate field Foo in type interface {}"},
    {"{{ .Nope.Bar 1 }}",
     "1:120 at <.Nope.Bar>: can't evaluate field Nope in type struct { Labels map[string]string; "
     "ExternalLabels map[string]string; ExternalURL string; Value interface {} }"},
    {"{{ .Labels.a.b.c }}", "1:122 at <.Labels.a.b.c>: can't evaluate field b in type string"},
    {"{{ $labels.instance.x.y }}", "1:122 at <$labels.instance.x.y>: can't evaluate field x in type string"},
    {"{{ index .Labels nil }}",
     "1:115 at <index .Labels nil>: error calling index: value is nil; should be of type string"},
    {R"({{ index (args (args 1)) "arg0" "arg0" }} {{ index (args 1) "x" "y" }})",
     R"(1:157 at <index (args 1) "x" "y">: error calling index: index of nil pointer)"},
    {"{{ index \"abc\" 1 2 }}",
     "1:115 at <index \"abc\" 1 2>: error calling index: can't index item of type uint8"},
    {"{{ first nil }}",
     "1:115 at <first nil>: error calling first: first() called on vector with no elements"},
    {"{{ value nil }}",
     "1:115 at <value nil>: error calling value: runtime error: invalid memory address or nil pointer "
     "dereference"},
    {"{{ label \"a\" nil }}",
     "1:115 at <label \"a\" nil>: error calling label: runtime error: invalid memory address or nil pointer "
     "dereference"},
    {"{{ strvalue nil }}",
     "1:115 at <strvalue nil>: error calling strvalue: runtime error: invalid memory address or nil pointer "
     "dereference"},
    {"{{ toUpper .Value }}", "1:123 at <.Value>: wrong type for value; expected string; got float64"},
    {"{{ toUpper (index (args 1) \"zz\") }}", "1:139 at <\"zz\">: invalid value; expected string"},
    {"{{ safeHtml \"x\" | toUpper }}",
     "1:130 at <toUpper>: wrong type for value; expected string; got template.HTML"},
    {"{{ query (safeHtml \"vector(1)\") }}",
     "1:131 at <\"vector(1)\">: wrong type for value; expected string; got template.HTML"},
    {"{{ query .Value }}", "1:121 at <.Value>: wrong type for value; expected string; got float64"},
    {"{{ eq (query \"vector(1)\") 1 }}",
     "1:115 at <eq (query \"vector(1)\") 1>: error calling eq: incompatible types for comparison: "
     "template.queryResult and int"},
    {"{{ eq .Labels $externalLabels }}",
     "1:115 at <eq .Labels $externalLabels>: error calling eq: non-comparable type map[site:north]: "
     "map[string]string"},
    {"{{ lt .Labels 1 }}", "1:115 at <lt .Labels 1>: error calling lt: invalid type for comparison"},
    {"{{ eq 1 2 \"a\" }}",
     "1:115 at <eq 1 2 \"a\">: error calling eq: incompatible types for comparison: int and string"},
    {R"({{ template "x" index "a" 9 }})",
     R"(1:124 at <{{template "x" index "a" 9}}>: template "x" not defined)"},
    {"{{ (.) 1 }}", "1:115 at <(.) 1>: can't give argument to non-function ."},
    {"{{ (1) 2 }}", "1:115 at <(1) 2>: can't give argument to non-function 1"},
    {"{{ (print 1) 2 }}", "1:115 at <(print 1) 2>: can't give argument to non-function print 1"},
    {"{{ 1 | (print 1) }}", "1:115 at <1>: can't give argument to non-function print 1"},
    {"{{ $labels | .Value }}", "1:125 at <.Value>: Value has arguments but cannot be invoked as function"},
    {"{{ nil 1 }}", "1:115 at <nil>: can't give argument to non-function nil"},
    {R"({{ reReplaceAll "(`" "b" "c" }})",
     R"(1:115 at <reReplaceAll "(`" "b" "c">: error calling reReplaceAll: regexp: Compile("(`"): error parsing regexp: missing closing ): `(``)"},
    {R"({{ match "a" "b" "c" }})", "1:115 at <match>: wrong number of args for match: want 2 got 3"},
};

constexpr Case kWorking[] = {
    {"{{ printf \"%d\" .Labels }}",
     "map[%!d(string=instance):%!d(string=edge.example:9100) %!d(string=job):%!d(string=node)]"},
    {"{{ printf \"%q\" .Labels }}", R"(map["instance":"edge.example:9100" "job":"node"])"},
    {"{{ printf \"%.3s\" $value }}", "%!s(float64=0.123)"},
    {"{{ printf \"%[2]d %[1]d\" 1 2 }}", "2 1"},
    {"{{ printf \"%[3]d\" 1 2 }}", "%!d(BADINDEX)"},
    {"{{ printf \"%[x]d\" 1 2 }}", "%!d(BADINDEX)"},
    {"{{ printf \"%[1]d %d\" 1 2 }}", "1 2"},
    {R"x({{ printf "%T" (query "vector(1)") }})x", "template.queryResult"},
    {R"({{ printf "%T" ("x" | safeHtml) }})", "template.HTML"},
    {R"({{ printf "%.3d" 7 }} {{ printf "%.0d" 0 }}| {{ printf "%8.3d" 7 }} {{ printf "%+.3d" 7 }})",
     "007 |      007 +007"},
    {R"({{ printf "%#q" "a`b" }} {{ printf "%#q" "ab" }} {{ printf "%+q" "é" }} {{ printf "%q" "é\x00" }})",
     R"("a`b" `ab` "\u00e9" "é\x00")"},
    {R"({{ printf "%6.2s|" "héllo" }} {{ printf "%-6s|" "hé" }} {{ printf "%06s" "ab" }})",
     "    hé| hé    | 0000ab"},
    {R"({{ printf "%c%c" 65 0x1F600 }} {{ printf "%q" 65 }} {{ printf "%U" 0x1F600 }} {{ printf "%#U" 0x1F600 }} {{ printf "%c" -1 }})",
     "A😀 'A' U+1F600 U+1F600 '😀' �"},
    {R"({{ printf "%s %v" (args 1 "a") (args 1.5) }})", "map[arg0:%!s(int=1) arg1:a] map[arg0:1.5]"},
    {R"({{ "a\tb\"c" }} {{ `raw\n` }} {{ 'a' }} {{ '\n' }} {{ 'é' }})", "a\tb\"c raw\\n 97 10 233"},
    {"{{ 1 }} {{ -1 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1_000 }} {{ 1e3 }} {{ 1.5e3 }} {{ 0x1p4 }} {{ +5 "
     "}} {{ .5 }} {{ 017 }}",
     "1 -1 31 3 15 1000 1000 1500 16 5 0.5 15"},
    {"{{ . }}",
     "{map[instance:edge.example:9100 job:node] map[site:north] http://prom.example:9090/pre 0.1234567}"},
    {"{{ $ }}",
     "{map[instance:edge.example:9100 job:node] map[site:north] http://prom.example:9090/pre 0.1234567}"},
    {"{{ humanizeTimestamp 9223372036.854775 }}", "2262-04-11 23:47:16.854 +0000 UTC"},
    {"{{ (toTime 1435065584).Format \"2006-01-02T15:04:05Z07:00\" }} {{ (toTime 1435065584.128).Unix }} {{ "
     "(toTime 1).Year }} {{ (toTime 1).Weekday }} {{ (toTime 1).Hour }} {{ (toTime 1).Month }} {{ (toTime "
     "1).YearDay }}",
     "2015-06-23T13:19:44Z 1435065584 1970 Thursday 0 January 1"},
    {R"({{ (toTime 1435065584.128).Format "Mon Jan _2 15:04:05.000 MST 2006" }} {{ (toTime 0).Format "3:04PM Monday January 02 06 .999 -0700" }})",
     "Tue Jun 23 13:19:44.128 UTC 2015 12:00AM Thursday January 01 70  +0000"},
    {"{{ (toTime 1).UnixMilli }} {{ (toTime 1).UnixNano }} {{ (toTime 1).IsZero }} {{ (toTime 1).Day }} {{ "
     "(toTime 1).Minute }} {{ (toTime 1).Second }} {{ (toTime 1).UTC }} {{ (toTime 1).Nanosecond }}",
     "1000 1000000000 false 1 0 1 1970-01-01 00:00:01 +0000 UTC 0"},
    {R"({{ title "hello wörld ÉTÉ" }} {{ title "o'neil x-y a_b" }} {{ title "" }} {{ toUpper "straße ÿ" }} {{ toLower "ÀÉÎ İ" }} {{ title "ǆ" }})",
     "Hello Wörld ÉTÉ O'neil X-Y A_b  STRAßE Ÿ àéî i ǅ"},
    {R"({{ stripDomain "a.b.c" }} {{ stripDomain "a.b.c:1" }} {{ stripDomain "1.2.3.4:5" }} {{ stripDomain "1.2.3.4" }} {{ stripDomain "[::1]:9" }} {{ stripDomain "::1" }} {{ stripDomain "" }}| {{ stripDomain ".a" }}| {{ stripDomain "a.:1" }} {{ stripDomain "a.b:" }} {{ stripDomain "[2001:db8::1]" }} {{ stripDomain "[fe80::1%eth0]:80" }} {{ stripDomain "01.2.3.4" }} {{ stripDomain "1.2.3" }} {{ stripDomain "::ffff:1.2.3.4" }} {{ stripDomain "fe80::1%eth0.x" }})",
     "a a:1 1.2.3.4:5 1.2.3.4 [::1]:9 ::1 | | a:1 a [2001:db8::1] [fe80::1%eth0]:80 01 1 ::ffff:1.2.3.4 "
     "fe80::1%eth0"},
    {"{{ html 1 nil .Labels }} {{ js 1.5 }} {{ urlquery nil }}",
     "1&lt;no value&gt;map[instance:edge.example:9100 job:node] 1.5 %3Cno+value%3E"},
    {R"({{ '\'' }} {{ '\\' }} {{ '"' }} {{ '\x41' }} {{ '\u00e9' }} {{ '\377' }} {{ '`' }})",
     "39 92 34 65 233 255 96"},
    {"{{ 'é' | printf \"%c\" }}", "é"},
    {"{{ 1_0.5 }}", "10.5"},
    {"{{ 0x_1F }} {{ 0_7 }} {{ 08.5 }}", "31 7 8.5"},
    {"{{ range $x := query \"vector(1) > 2\" }}{{ else }}{{ $x }}{{ end }}", "[]"},
    {R"({{ printf "%v|%+v|%#v|%T" (args 1 "b" nil) (args 1) (args 1 "x" 2.5 true nil) (args) }})",
     R"(map[arg0:1 arg1:b arg2:<nil>]|map[arg0:1]|map[string]interface {}{"arg0":1, "arg1":"x", "arg2":2.5, "arg3":true, "arg4":interface {}(nil)}|map[string]interface {})"},
    {"{{ printf \"%#v\" .Labels }}", R"(map[string]string{"instance":"edge.example:9100", "job":"node"})"},
    {R"({{ printf "%s" .Value }} {{ printf "%q" (args "a") }} {{ printf "%x" (args "a" 255) }})",
     R"(%!s(float64=0.1234567) map["arg0":"a"] map[61726730:61 61726731:ff])"},
    {R"({{ printf "%é" 1 }} {{ printf "é%dé" 1 }})", "%!é(int=1) é1é"},
    {"{{ printf \"%[1]*d|%[2]*[1]d|%[5]d|%[\" 5 3 }}", "    3|  5|%!d(BADINDEX)|%!(NOVERB)"},
    {R"({{ printf "%*d" "x" 5 }} {{ printf "%.*f" -1 2.5 }} {{ printf "%*d|" -5 42 }})",
     "%!(BADWIDTH)5 %!(BADPREC)2.500000 42   |"},
    {R"({{ printf "%[2]d" 1 2 }} {{ printf "%[1]2d" 5 }} {{ printf "%[1].2f" 5.0 }} {{ printf "%.[1]f" 5.0 }} {{ printf "%.[2]*[1]f" 5.0 3 }})",
     "2 %!d(BADINDEX) %!f(BADINDEX) 5 5.000"},
    {R"({{ printf "%+q %#q %x %X % x" "é☺" "a" "é" "é" "abc" }})",
     R"("\u00e9\u263a" `a` c3a9 C3A9 61 62 63)"},
    {R"({{ printf "%6d|%-6d|%06d" -42 -42 -42 }} {{ printf "%U %#U" 233 233 }} {{ printf "%q" 233 }} {{ printf "%+q" 233 }})",
     R"(   -42|-42   |-00042 U+00E9 U+00E9 'é' 'é' '\u00e9')"},
    {R"x({{ println "a" nil (query "vector(1)" | first) }})x", "a <nil> &{map[] 1}\n"},
    {R"x({{ print (args 1 "a") }} {{ print (query "vector(1)" | first) }})x",
     "map[arg0:1 arg1:a] &{map[] 1}"},
    {"{{ title \"o'neil mc'donald a.b c:d 1st x1y élan ÉCOLE don't-stop hello_world ça va\" }}",
     "O'neil Mc'donald A.b C:d 1St X1y Élan ÉCOLE Don't-Stop Hello_world Ça Va"},
    {"{{ title \"ǆ ǉ ﬁn ß ŉ i̇ 'quoted' (paren) a/b a,b\" }}", "ǅ ǈ Fin Ss ʼN İ 'Quoted' (Paren) A/B A,B"},
    {"{{ title \"it’s a·b a‿b foo123bar 3com\" }}", "It’s A·b A‿b Foo123bar 3Com"},
    {R"({{ humanize "0x1p4" }} {{ humanize "1_000" }} {{ humanize "infinity" }} {{ humanize "nan" }})",
     "16 1k +Inf NaN"},
    {"{{ humanizeTimestamp 1.0005 }} {{ humanizeTimestamp -1.0005 }} {{ humanizeTimestamp 1435065584.9999 }} "
     "{{ humanizeTimestamp 0.0019 }} {{ humanizeTimestamp -0.0001 }}",
     "1970-01-01 00:00:01 +0000 UTC 1969-12-31 23:59:59 +0000 UTC 2015-06-23 13:19:44.999 +0000 UTC "
     "1970-01-01 00:00:00.001 +0000 UTC 1970-01-01 00:00:00 +0000 UTC"},
    {"{{ (toTime -1.5).Format \"2006-01-02 15:04:05.000\" }} {{ (toTime 0.9996).Unix }} {{ (toTime "
     "-0.5).Unix }} {{ (toTime 1.5).UnixMicro }} {{ (toTime 1.5).Nanosecond }}",
     "1969-12-31 23:59:58.500 0 -1 1500000 500000000"},
    {"{{ sortByLabel \"a\" nil }}", "[]"},
};

TEST(GoWordsTest, WhatIsRefusedWhenItIsRead) {
  for (const Case& c : kRefused)
    EXPECT_EQ(CheckAlertText(c.text, "n").message(), std::string("template: n:") + c.expected) << c.text;
}

TEST(GoWordsTest, WhatFailsWhenItRuns) {
  for (const Case& c : kFailing) {
    EXPECT_TRUE(CheckAlertText(c.text, "n").ok()) << c.text;
    std::string message(ExpandAlertText(c.text, Options()).status().message());
    const std::string executing = ": executing \"n\"";
    if (size_t at = message.find(executing); at != message.npos) message.erase(at, executing.size());
    EXPECT_EQ(message, std::string("error executing template n: template: n:") + c.expected) << c.text;
  }
}

TEST(GoWordsTest, WhatComesOut) {
  for (const Case& c : kWorking) {
    absl::StatusOr<std::string> out = ExpandAlertText(c.text, Options());
    ASSERT_TRUE(out.ok()) << c.text << ": " << out.status();
    EXPECT_EQ(*out, c.expected) << c.text;
  }
}

}  // namespace
}  // namespace narthex::tmpl
