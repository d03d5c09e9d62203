// /api/v1/series, /api/v1/labels, /api/v1/label/<name>/values.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

// Storage errors while answering are execution errors, whatever their code was below.
absl::Status AsExecution(const absl::Status& status) {
  return absl::FailedPreconditionError(ToAbsl(MessageOf(status)));
}

// limit, start and end of *query.
absl::Status ReadRange(const Call& call, tsdb::LabelQuery* query) {
  ASSIGN_OR_RETURN(query->limit, LimitParam(call));
  ASSIGN_OR_RETURN(query->mint, TimeParam(call, "start", kMinTimeMs));
  ASSIGN_OR_RETURN(query->maxt, TimeParam(call, "end", kMaxTimeMs));
  query->on_long = [out = call.out] { out->ExpectLong(); };
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<tsdb::Querier>> OpenQuerier(const Call& call, const tsdb::LabelQuery& query) {
  if (!query.match.empty()) query.on_long();  // nobody knows how many series that is
  absl::StatusOr<std::unique_ptr<tsdb::Querier>> querier =
      call.options.db->NewQuerier(query.mint, query.maxt);
  if (!querier.ok()) return AsExecution(querier.status());
  return querier;
}

void AppendUtf8(uint32_t rune, std::string* out) {
  if (rune < 0x80) {
    out->push_back(static_cast<char>(rune));
    return;
  }
  int more = rune < 0x800 ? 1 : rune < 0x10000 ? 2 : 3;
  constexpr unsigned char kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out->push_back(static_cast<char>(kLead[more] | (rune >> (6 * more))));
  while (more-- > 0) out->push_back(static_cast<char>(0x80 | ((rune >> (6 * more)) & 0x3f)));
}

// U__a_2e_b is a.b: __ stands for an underscore, _HEX_ for a character. A malformed name stands for itself.
std::string UnescapeName(const std::string& name) {
  if (!name.starts_with("U__")) return name;
  std::string out;
  for (size_t i = 3; i < name.size(); ++i) {
    if (name[i] != '_') {
      out.push_back(name[i]);
      continue;
    }
    size_t end = name.find('_', i + 1);
    if (end == name.npos || end - i > 7) return name;
    if (end == i + 1) {
      out.push_back('_');
    } else {
      uint32_t rune = 0;
      for (size_t k = i + 1; k < end; ++k) {
        char c = name[k];
        bool digit = c >= '0' && c <= '9', hex = c >= 'a' && c <= 'f';
        if (!digit && !hex && !(c >= 'A' && c <= 'F')) return name;
        rune = rune * 16 + static_cast<uint32_t>(digit ? c - '0' : (c | 0x20) - 'a' + 10);
      }
      if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return name;
      AppendUtf8(rune, &out);
    }
    i = end;
  }
  return out;
}

}  // namespace

absl::Status Series(Call& call) {
  if (call.ParamAll("match[]").empty()) {
    return absl::InvalidArgumentError("no match[] parameter provided");
  }
  tsdb::LabelQuery query;
  RETURN_IF_ERROR(ReadRange(call, &query));
  absl::StatusOr<std::vector<Matchers>> match = MatchParams(call);
  if (!match.ok()) return InvalidParameter("match[]", match.status());
  query.match = *std::move(match);
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, OpenQuerier(call, query));
  absl::StatusOr<std::vector<Labels>> series = querier->Series(query);
  if (!series.ok()) return AsExecution(series.status());
  std::vector<std::string> warnings;
  if (query.limit > 0 && series->size() > query.limit) {
    series->resize(query.limit);
    warnings.emplace_back(kTruncatedWarning);
  }
  SuccessBody body(call.out);
  body.json()->BeginArray();
  for (const Labels& labels : *series) {
    WriteLabels(labels, body.json());
    RETURN_IF_ERROR(body.Drain());
  }
  body.json()->EndArray();
  return body.Finish(warnings);
}

absl::Status LabelNames(Call& call) {
  tsdb::LabelQuery query;
  RETURN_IF_ERROR(ReadRange(call, &query));
  ASSIGN_OR_RETURN(query.match, MatchParams(call));
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, OpenQuerier(call, query));
  absl::StatusOr<std::vector<std::string>> names = querier->LabelNames(query);
  if (!names.ok()) return AsExecution(names.status());
  return SendStrings(*std::move(names), query.limit, call.out);
}

absl::Status LabelValues(Call& call) {
  std::string name = UnescapeName(call.path_argument);
  if (name.empty() || !IsValidUtf8(name)) {
    return absl::InvalidArgumentError(StrCat("invalid label name: ", GoQuote(name)));
  }
  tsdb::LabelQuery query;
  RETURN_IF_ERROR(ReadRange(call, &query));
  ASSIGN_OR_RETURN(query.match, MatchParams(call));
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, OpenQuerier(call, query));
  absl::StatusOr<std::vector<std::string>> values = querier->LabelValues(name, query);
  if (!values.ok()) return AsExecution(values.status());
  return SendStrings(*std::move(values), query.limit, call.out);
}

}  // namespace narthex::api
