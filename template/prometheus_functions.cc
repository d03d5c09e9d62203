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

// Go's wrong-type error for a parameter that must be a string.
absl::StatusOr<std::string> Text(const Value& value) {
  if (value.kind == Value::kString) return value.text;
  return Error(StrCat("wrong type for value; expected string; got ", TypeName(value)));
}

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

Answer Query(Args args, const FunctionContext& context) {
  ASSIGN_OR_RETURN(std::string expr, Text(args[0]));
  if (!context.options->query) return Error("queries are not available here");
  ASSIGN_OR_RETURN(std::vector<QuerySample> samples, context.options->query(expr, context.options->now_ms));
  List out;
  for (const QuerySample& sample : samples) out.push_back(SampleValue(sample));
  return Value::OfList(std::move(out));
}

Answer First(Args args, const FunctionContext&) {
  if (!args[0].list)
    return Error(StrCat("wrong type for value; expected template.queryResult; got ", TypeName(args[0])));
  if (args[0].list->empty()) return Error("first() called on vector with no elements");
  return args[0].list->front();
}
Answer Label(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string name, Text(args[0]));
  return Value::String(LabelOf(args[1], name));
}
Answer ValueOf(Args args, const FunctionContext&) {
  if (args[0].kind != Value::kSample)
    return Error(StrCat("wrong type for value; expected *template.sample; got ", TypeName(args[0])));
  return args[0].map->at("Value");
}
Answer StrValue(Args args, const FunctionContext&) { return Value::String(LabelOf(args[0], "__value__")); }

Answer SortByLabel(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string name, Text(args[0]));
  if (!args[1].list)
    return Error(StrCat("wrong type for value; expected template.queryResult; got ", TypeName(args[1])));
  List sorted = *args[1].list;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&name](const Value& a, const Value& b) { return LabelOf(a, name) < LabelOf(b, name); });
  return Value::OfList(std::move(sorted));
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
  ASSIGN_OR_RETURN(std::string pattern, Text(args[0]));
  ASSIGN_OR_RETURN(std::string replacement, Text(args[1]));
  ASSIGN_OR_RETURN(std::string text, Text(args[2]));
  ASSIGN_OR_RETURN(Regex regex, Regex::CompileUnanchored(pattern));
  if (replacement.size() * (text.size() + 1) > kMaxReplacement)
    return Error("the replacement would be too long");
  return Value::String(regex.ReplaceAll(text, replacement));
}
Answer Match(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string pattern, Text(args[0]));
  ASSIGN_OR_RETURN(std::string text, Text(args[1]));
  ASSIGN_OR_RETURN(Regex regex, Regex::CompileUnanchored(pattern));
  return Value::Bool(regex.Matches(text));
}

Answer SafeHtml(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string text, Text(args[0]));
  Value out = Value::String(text);
  out.safe_html = true;
  return out;
}

Answer ToUpper(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string text, Text(args[0]));
  return Value::String(ToUpperText(text));
}
Answer ToLower(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string text, Text(args[0]));
  return Value::String(ToLowerText(text));
}
Answer Title(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string text, Text(args[0]));
  return Value::String(ToTitleText(text));
}

std::string Link(std::string_view expr, int tab) {
  return StrCat("/graph?g0.expr=", UrlEscape(expr), "&g0.tab=", tab);
}
Answer TableLink(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string expr, Text(args[0]));
  return Value::String(Link(expr, 1));
}
Answer GraphLink(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string expr, Text(args[0]));
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
  ASSIGN_OR_RETURN(std::string text, Text(args[0]));
  auto split = SplitHostPort(text);
  return Value::String(split ? split->first : text);
}

Answer StripDomain(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string text, Text(args[0]));
  auto split = SplitHostPort(text);
  std::string host = split ? split->first : text;
  if (IsIp(host)) return Value::String(text);
  host = host.substr(0, host.find('.'));
  return Value::String(split && !split->second.empty() ? StrCat(host, ":", split->second) : host);
}

Answer UrlQueryEscape(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::string text, Text(args[0]));
  return Value::String(UrlEscape(text));
}
Answer PathPrefix(Args, const FunctionContext& context) {
  return Value::String(context.options->path_prefix);
}
Answer ExternalUrl(Args, const FunctionContext& context) {
  return Value::String(context.options->external_url);
}
Answer Tmpl(Args args, const FunctionContext& context) {
  ASSIGN_OR_RETURN(std::string name, Text(args[0]));
  ASSIGN_OR_RETURN(std::string out, context.run_template(name, args[1]));
  Value value = Value::String(out);
  value.safe_html = true;
  return value;
}

constexpr auto kPrometheus = std::to_array<FunctionEntry>({
    {"args", 0, -1, ArgsMap},
    {"externalURL", 0, 0, ExternalUrl},
    {"first", 1, 1, First},
    {"graphLink", 1, 1, GraphLink},
    {"label", 2, 2, Label},
    {"match", 2, 2, Match},
    {"pathPrefix", 0, 0, PathPrefix},
    {"query", 1, 1, Query},
    {"reReplaceAll", 3, 3, ReReplaceAll},
    {"safeHtml", 1, 1, SafeHtml},
    {"sortByLabel", 2, 2, SortByLabel},
    {"stripDomain", 1, 1, StripDomain},
    {"stripPort", 1, 1, StripPort},
    {"strvalue", 1, 1, StrValue},
    {"tableLink", 1, 1, TableLink},
    {"title", 1, 1, Title},
    {"tmpl", 2, 2, Tmpl},
    {"toLower", 1, 1, ToLower},
    {"toUpper", 1, 1, ToUpper},
    {"urlQueryEscape", 1, 1, UrlQueryEscape},
    {"value", 1, 1, ValueOf},
});

}  // namespace

std::span<const FunctionEntry> PrometheusFunctions() { return kPrometheus; }

}  // namespace narthex::tmpl
