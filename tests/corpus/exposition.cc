// exposition/: what targets expose, entry by entry, and which format a header means.
#include "base/go_format.h"
#include "base/strings.h"
#include "scraper/parser.h"
#include "tests/corpus/corpus.h"

namespace narthex::corpus {
namespace {

using scraper::EntryKind;
using scraper::ExpositionParser;

// Owns the body that the parser's views point into.
struct Exposition {
  Exposition(std::string text, std::string_view format, scraper::ParserOptions options)
      : body(std::move(text)) {
    parser = format == "openmetrics" ? scraper::NewOpenMetricsParser(body, options)
                                     : scraper::NewTextParser(&body, options);
  }
  std::string body;
  std::unique_ptr<ExpositionParser> parser;
};

std::string_view KindName(EntryKind kind) {
  switch (kind) {
    case EntryKind::kHelp:
      return "help";
    case EntryKind::kType:
      return "type";
    case EntryKind::kUnit:
      return "unit";
    case EntryKind::kComment:
      return "comment";
    case EntryKind::kSeries:
      return "series";
    case EntryKind::kHistogram:
      return "histogram";
    case EntryKind::kEnd:
      break;
  }
  return "end";
}

int64_t Milliseconds(const YamlNode& node, std::string_view name) {
  const YamlNode* field = node.Find(name);
  return field == nullptr ? 0 : static_cast<int64_t>(Number(*field));
}

std::string CompareExemplars(const YamlNode* want, const ExpositionParser& parser) {
  if (want == nullptr || want->items().empty()) return parser.has_exemplar() ? "unexpected exemplar" : "";
  if (!parser.has_exemplar()) return "no exemplar";
  const YamlNode& expected = want->items()[0];
  scraper::ParsedExemplar got = parser.Exemplars().at(0);
  if (!SameNumber(got.value, Number(*expected.Find("value")))) return StrCat("exemplar value ", got.value);
  if (got.t != Milliseconds(expected, "ts_ms")) return StrCat("exemplar time ", got.t);
  return Different("exemplar labels", Labels::FromPairs(got.labels).ToString(),
                   Labels::FromPairs(Pairs(expected.Find("labels"))).ToString());
}

std::string CompareSeries(const YamlNode& want, ExpositionParser* parser) {
  std::string error = Different("series", parser->series(), Text(want, "series"));
  if (!error.empty()) return error;
  scraper::LabelPairs pairs;
  parser->BuildLabels(&pairs);
  const YamlNode* labels = want.Find("labels");
  if (labels != nullptr) {
    error =
        Different("labels", Labels::FromPairs(pairs).ToString(), Labels::FromPairs(Pairs(labels)).ToString());
    if (!error.empty()) return error;
    if (!SameNumber(parser->value(), Number(*want.Find("value"))))
      return StrCat("value ", FormatFloatG(parser->value()));
    int64_t time = parser->has_timestamp() ? parser->timestamp() : 0;
    if (time != Milliseconds(want, "ts_ms")) return StrCat("time ", time);
    error = CompareExemplars(want.Find("exemplars"), *parser);
    if (!error.empty()) return error;
  }
  int64_t start = parser->StartTimestamp();
  return start == Milliseconds(want, "st_ms") ? "" : StrCat("start timestamp ", start);
}

std::string CompareEntry(const YamlNode& want, EntryKind kind, ExpositionParser* parser) {
  std::string error = Different("kind", KindName(kind), Text(want, "kind"));
  if (!error.empty()) return error;
  if (kind == EntryKind::kSeries) return CompareSeries(want, parser);
  if (kind == EntryKind::kComment) return Different("comment", parser->text(), Text(want, "text"));
  error = Different("name", parser->metric(), Text(want, "name"));
  if (!error.empty()) return error;
  if (kind == EntryKind::kHelp) return Different("help", parser->help(), Text(want, "text"));
  if (kind == EntryKind::kType) return Different("type", parser->type(), Text(want, "type"));
  return Different("unit", parser->text(), Text(want, "unit"));
}

std::string CheckParse(const YamlNode& node) {
  scraper::ParserOptions options;
  options.type_and_unit_labels = Flag(node, "type_and_unit_labels");
  options.skip_created = true;  // the corpus has start timestamps instead of _created series
  Exposition exposition(Text(node, "input"), Text(node, "format"), options);
  const YamlNode* entries = node.Find("entries");
  for (size_t i = 0;; ++i) {
    absl::StatusOr<EntryKind> kind = exposition.parser->Next();
    if (!kind.ok()) {
      if (Flag(node, "valid")) return kind.status().ToString();
      return Different("error", std::string(kind.status().message()), Text(node, "error"));
    }
    if (*kind == EntryKind::kEnd) {
      if (!Flag(node, "valid")) return StrCat("parses; want the error ", Text(node, "error"));
      if (entries != nullptr && i != entries->items().size())
        return StrCat("want ", entries->items().size(), " entries, got ", i);
      return "";
    }
    // A refused input is read to its end, where the error is.
    if (entries == nullptr || !Flag(node, "valid")) continue;
    if (i >= entries->items().size()) return StrCat("entry ", i, " is one too many");
    std::string error = CompareEntry(entries->items()[i], *kind, exposition.parser.get());
    if (!error.empty()) return StrCat("entry ", i, ": ", error);
  }
}

std::string CheckContentType(const YamlNode& node) {
  absl::StatusOr<scraper::FormatChoice> choice =
      scraper::ChooseFormat(Text(node, "content_type"), Text(node, "fallback_scrape_protocol"));
  std::string_view got = "";
  if (choice.ok()) {
    got = choice->format == scraper::Format::kText          ? "text"
          : choice->format == scraper::Format::kOpenMetrics ? "openmetrics"
                                                            : "protobuf";
  }
  std::string error = Different("parser", got, Text(node, "parser"));
  if (!error.empty()) return error;
  std::string message = choice.ok() ? choice->warning : std::string(choice.status().message());
  if (Text(node, "error").empty()) return Different("warning", message, "");
  return Missing(message, Text(node, "error"));
}

std::string CheckFile(const std::string& dir, const TsvRow& row) {
  absl::StatusOr<std::string> text = ReadText(StrCat(dir, "/", row.cells[0]));
  if (!text.ok()) return std::string(text.status().message());
  Exposition exposition(*std::move(text), row.cells[1], scraper::ParserOptions());
  int series = 0, types = 0, helps = 0, units = 0;
  for (;;) {
    absl::StatusOr<EntryKind> kind = exposition.parser->Next();
    if (!kind.ok()) return kind.status().ToString();
    if (*kind == EntryKind::kEnd) break;
    series += *kind == EntryKind::kSeries;
    types += *kind == EntryKind::kType;
    helps += *kind == EntryKind::kHelp;
    units += *kind == EntryKind::kUnit;
  }
  std::string got = StrCat(series, " ", types, " ", helps, " ", units);
  return Different("series, TYPE, HELP and UNIT lines", got,
                   StrCat(row.cells[2], " ", row.cells[3], " ", row.cells[4], " ", row.cells[5]));
}

}  // namespace

void RunExposition(const std::string& dir, Report* report) {
  for (const JsonCase& c : ReadJsonLines(dir, "parse.jsonl", report))
    report->Result(c.where, CheckParse(c.node));
  for (const JsonCase& c : ReadJsonLines(dir, "content_type.jsonl", report)) {
    report->Result(StrCat(c.where, " ", Text(c.node, "name")), CheckContentType(c.node));
  }
  for (const TsvRow& row : ReadTsv(dir, "files.tsv", 6, report))
    report->Result(row.where, CheckFile(dir, row));
}

}  // namespace narthex::corpus
