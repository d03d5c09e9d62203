// Queries, samples, text and links.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/go_format.h"
#include "base/http_client.h"
#include "base/regex.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "template/functions.h"
#include "template/unicode.h"

namespace narthex::tmpl {
namespace {

constexpr int kMaxValueDepth = 100;
constexpr size_t kMaxReplacement = 64 << 20;  // bytes that a replacement could grow to

using Args = std::span<const Value>;
using Answer = absl::StatusOr<Value>;

absl::Status Error(std::string text) { return absl::InvalidArgumentError(text); }

Value SampleValue(const QuerySample& sample) {
  Map labels;
  for (const auto& [name, value] : sample.labels) labels[name] = Value::String(value);
  Map fields;
  fields["Labels"] = Value::OfMap(Value::kLabels, std::move(labels));
  fields["Value"] = Value::Float(sample.value);
  return Value::OfMap(Value::kSample, std::move(fields));
}

std::string LabelOf(const Value& sample, const std::string& name) {
  if (sample.kind != Value::kSample) return "";
  const Map& labels = *sample.map->at("Labels").map;
  auto it = labels.find(name);
  return it == labels.end() ? "" : it->second.text;
}

Value QueryResult(List samples) {
  Value out = Value::OfList(std::move(samples));
  out.query_result = true;
  return out;
}

absl::Status NilSample() { return Error("runtime error: invalid memory address or nil pointer dereference"); }

Answer Query(Args args, const FunctionContext& context) {
  const std::string& expr = args[0].text;
  if (!context.options->query) return Error("queries are not available here");
  ASSIGN_OR_RETURN(std::vector<QuerySample> samples, context.options->query(expr, context.options->now_ms));
  List out;
  for (const QuerySample& sample : samples) out.push_back(SampleValue(sample));
  return QueryResult(std::move(out));
}

Answer First(Args args, const FunctionContext&) {
  if (!args[0].list || args[0].list->empty()) return Error("first() called on vector with no elements");
  return args[0].list->front();
}
Answer Label(Args args, const FunctionContext&) {
  const std::string& name = args[0].text;
  if (args[1].kind == Value::kNil) return NilSample();
  return Value::String(LabelOf(args[1], name));
}
Answer ValueOf(Args args, const FunctionContext&) {
  if (args[0].kind == Value::kNil) return NilSample();
  return args[0].map->at("Value");
}
Answer StrValue(Args args, const FunctionContext&) {
  if (args[0].kind == Value::kNil) return NilSample();
  return Value::String(LabelOf(args[0], "__value__"));
}

Answer SortByLabel(Args args, const FunctionContext&) {
  const std::string& name = args[0].text;
  List sorted = args[1].list ? *args[1].list : List();
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&name](const Value& a, const Value& b) { return LabelOf(a, name) < LabelOf(b, name); });
  return QueryResult(std::move(sorted));
}

Answer ArgsMap(Args args, const FunctionContext&) {
  Map out;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].depth >= kMaxValueDepth) return Error("arguments nested too deeply");
    out[StrCat("arg", i)] = args[i];
  }
  return Value::OfMap(Value::kMap, std::move(out));
}

Answer ReReplaceAll(Args args, const FunctionContext&) {
  const std::string& pattern = args[0].text;
  const std::string& replacement = args[1].text;
  const std::string& text = args[2].text;
  absl::StatusOr<Regex> regex = Regex::CompileUnanchored(pattern);
  if (!regex.ok()) {
    const std::string quoted =
        pattern.find('`') == pattern.npos ? StrCat("`", pattern, "`") : GoQuote(pattern);
    return Error(StrCat("regexp: Compile(", quoted, "): ", std::string(regex.status().message())));
  }
  if (replacement.size() * (text.size() + 1) > kMaxReplacement)
    return Error("the replacement would be too long");
  return Value::String(regex->ReplaceAll(text, replacement));
}
Answer Match(Args args, const FunctionContext&) {
  const std::string& pattern = args[0].text;
  const std::string& text = args[1].text;
  ASSIGN_OR_RETURN(Regex regex, Regex::CompileUnanchored(pattern));
  return Value::Bool(regex.Matches(text));
}

Answer SafeHtml(Args args, const FunctionContext&) {
  const std::string& text = args[0].text;
  Value out = Value::String(text);
  out.safe_html = true;
  return out;
}

Answer ToUpper(Args args, const FunctionContext&) {
  const std::string& text = args[0].text;
  return Value::String(ToUpperText(text));
}
Answer ToLower(Args args, const FunctionContext&) {
  const std::string& text = args[0].text;
  return Value::String(ToLowerText(text));
}
Answer Title(Args args, const FunctionContext&) {
  const std::string& text = args[0].text;
  return Value::String(ToTitleText(text));
}

std::string Link(std::string_view expr, int tab) {
  return StrCat("/graph?g0.expr=", UrlEscape(expr), "&g0.tab=", tab);
}
Answer TableLink(Args args, const FunctionContext&) {
  const std::string& expr = args[0].text;
  return Value::String(Link(expr, 1));
}
Answer GraphLink(Args args, const FunctionContext&) {
  const std::string& expr = args[0].text;
  return Value::String(Link(expr, 0));
}

// Go's net.SplitHostPort; nullopt where it fails.
std::optional<std::pair<std::string, std::string>> SplitHostPort(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.starts_with("[")) {
    if (!host.ends_with("]")) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return std::nullopt;
  }
  if (host.find_first_of("[]") != host.npos || port.find_first_of("[]") != port.npos) return std::nullopt;
  return std::pair{std::string(host), std::string(port)};
}

bool IsIp(const std::string& host) {
  unsigned char address[16];
  return inet_pton(AF_INET, host.c_str(), address) == 1 || inet_pton(AF_INET6, host.c_str(), address) == 1;
}

Answer StripPort(Args args, const FunctionContext&) {
  const std::string& text = args[0].text;
  auto split = SplitHostPort(text);
  return Value::String(split ? split->first : text);
}

Answer StripDomain(Args args, const FunctionContext&) {
  const std::string& text = args[0].text;
  auto split = SplitHostPort(text);
  std::string host = split ? split->first : text;
  if (IsIp(host)) return Value::String(text);
  host = host.substr(0, host.find('.'));
  if (!split || split->second.empty()) return Value::String(host);
  if (host.find(':') != host.npos) host = StrCat("[", host, "]");
  return Value::String(StrCat(host, ":", split->second));
}

Answer UrlQueryEscape(Args args, const FunctionContext&) {
  const std::string& text = args[0].text;
  return Value::String(UrlEscape(text));
}
Answer PathPrefix(Args, const FunctionContext& context) {
  return Value::String(context.options->path_prefix);
}
Answer ExternalUrl(Args, const FunctionContext& context) {
  return Value::String(context.options->external_url);
}
Answer Tmpl(Args args, const FunctionContext& context) {
  const std::string& name = args[0].text;
  ASSIGN_OR_RETURN(std::string out, context.run_template(name, args[1]));
  Value value = Value::String(out);
  value.safe_html = true;
  return value;
}

constexpr auto kPrometheus = std::to_array<FunctionEntry>({
    {"args", "a*", ArgsMap},
    {"externalURL", "", ExternalUrl},
    {"first", "q", First},
    {"graphLink", "s", GraphLink},
    {"label", "sp", Label},
    {"match", "ss", Match},
    {"pathPrefix", "", PathPrefix},
    {"query", "s", Query},
    {"reReplaceAll", "sss", ReReplaceAll},
    {"safeHtml", "s", SafeHtml},
    {"sortByLabel", "sq", SortByLabel},
    {"stripDomain", "s", StripDomain},
    {"stripPort", "s", StripPort},
    {"strvalue", "p", StrValue},
    {"tableLink", "s", TableLink},
    {"title", "s", Title},
    {"tmpl", "sa", Tmpl},
    {"toLower", "s", ToLower},
    {"toUpper", "s", ToUpper},
    {"urlQueryEscape", "s", UrlQueryEscape},
    {"value", "p", ValueOf},
});

}  // namespace

std::span<const FunctionEntry> PrometheusFunctions() { return kPrometheus; }

}  // namespace narthex::tmpl
