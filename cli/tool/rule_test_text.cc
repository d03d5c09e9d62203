#include "cli/tool/rule_test_text.h"

#include <map>

#include "absl/strings/str_replace.h"
#include "base/go_format.h"
#include "base/json_writer.h"
#include "base/strings.h"

namespace narthex::cli {
namespace {

constexpr std::string_view kRed = "\033[0;31m", kGreen = "\033[0;32m", kYellow = "\033[0;33m",
                           kPlain = "\033[0m";

std::string Json(std::string_view text) {
  JsonWriter json;
  json.String(text);
  return json.Take();
}

// Writes indented lines, each coloured as a whole or not at all.
class DiffWriter {
 public:
  void Line(int depth, std::string_view text, std::string_view color = {}) {
    StrAppend(&out_, out_.empty() ? "" : "\n", std::string(static_cast<size_t>(depth) * 4, ' '));
    if (color.empty()) {
      StrAppend(&out_, text);
    } else {
      StrAppend(&out_, color, text, kPlain);
    }
  }

  void Object(int depth, const char* name, const Labels& expected, const Labels& got, bool last) {
    std::map<std::string, std::pair<const std::string*, const std::string*>> fields;
    std::map<std::string, std::string> before, after;
    for (LabelView label : expected) before[std::string(label.name)] = Json(label.value);
    for (LabelView label : got) after[std::string(label.name)] = Json(label.value);
    for (const auto& [key, value] : before) fields[key].first = &value;
    for (const auto& [key, value] : after) fields[key].second = &value;
    if (fields.empty()) return Line(depth, StrCat("\"", name, last ? "\": {}" : "\": {},"));
    Line(depth, StrCat("\"", name, "\": {"));
    size_t left = fields.size();
    for (const auto& [key, values] : fields) {
      const auto& [was, is] = values;
      std::string quoted = StrCat(Json(key), ": ");
      if (was == nullptr || is == nullptr) {
        Line(depth + 1, StrCat(quoted, was != nullptr ? *was : *is), was != nullptr ? kRed : kGreen);
      } else if (*was == *is) {
        Line(depth + 1, StrCat(quoted, *was));
      } else {
        Line(depth + 1, StrCat(quoted, kYellow, *was, " => ", *is, kPlain));
      }
      if (--left > 0) out_ += ',';
    }
    Line(depth, last ? "}" : "},");
  }

  // An alert that only one side has.
  void Whole(int depth, const ExpectedAlert& alert, std::string_view color) {
    Line(depth, "{", color);
    for (bool labels : {false, true}) {
      const Labels& fields = labels ? alert.labels : alert.annotations;
      const std::string name = labels ? "\"Labels\": {" : "\"Annotations\": {";
      if (fields.empty()) {
        Line(depth + 1, StrCat(name, labels ? "}" : "},"), color);
        continue;
      }
      Line(depth + 1, name, color);
      size_t left = fields.size();
      for (LabelView label : fields) {
        Line(depth + 2, StrCat(Json(label.name), ": ", Json(label.value), --left > 0 ? "," : ""), color);
      }
      Line(depth + 1, labels ? "}" : "},", color);
    }
    Line(depth, "}", color);
  }

  void Comma() { out_ += ','; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace

std::string IndentLines(const std::string& text, const std::string& indent) {
  return absl::StrReplaceAll(text, {{"\n", StrCat("\n", indent)}});
}

std::string LabelsText(const Labels& labels) {
  std::string out = "{";
  for (LabelView label : labels) {
    StrAppend(&out, out.size() == 1 ? "" : ", ", label.name, "=", GoQuote(label.value));
  }
  return out + "}";
}

std::string AlertsText(const std::vector<ExpectedAlert>& alerts) {
  if (alerts.empty()) return "[]";
  std::string out = "[";
  for (size_t i = 0; i < alerts.size(); ++i) {
    std::string alert = StrCat("\nLabels:", LabelsText(alerts[i].labels),
                               "\nAnnotations:", LabelsText(alerts[i].annotations));
    StrAppend(&out, i == 0 ? "\n" : ",\n", i, ":", IndentLines(alert, "  "));
  }
  return out + "\n]";
}

std::string AlertsDiff(const std::vector<ExpectedAlert>& expected, const std::vector<ExpectedAlert>& got) {
  // promtool compares an empty list as one alert without anything.
  const std::vector<ExpectedAlert> nothing(1);
  const std::vector<ExpectedAlert>& a = expected.empty() ? nothing : expected;
  const std::vector<ExpectedAlert>& b = got.empty() ? nothing : got;
  DiffWriter out;
  out.Line(0, "[");
  const size_t count = std::max(a.size(), b.size());
  for (size_t i = 0; i < count; ++i) {
    if (i >= a.size()) {
      out.Whole(1, b[i], kGreen);
    } else if (i >= b.size()) {
      out.Whole(1, a[i], kRed);
    } else {
      out.Line(1, "{");
      out.Object(2, "Annotations", a[i].annotations, b[i].annotations, /*last=*/false);
      out.Object(2, "Labels", a[i].labels, b[i].labels, /*last=*/true);
      out.Line(1, "}");
    }
    if (i + 1 < count) out.Comma();
  }
  out.Line(0, "]");
  return out.Take();
}

}  // namespace narthex::cli
