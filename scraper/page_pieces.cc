#include "scraper/page_pieces.h"

#include "base/go_format.h"
#include "base/proto_wire.h"
#include "base/strings.h"
#include "model/labels.h"

namespace narthex::scraper {

size_t CompletePrefix(Format format, std::string_view body, bool whole_families) {
  if (format == Format::kProtobuf) {
    size_t end = 0;
    while (true) {
      uint64_t length = 0;
      WireReader reader(body.substr(end));
      if (!reader.Varint(&length)) return end;
      size_t prefix = 1;
      for (uint64_t rest = length; rest >= 0x80; rest >>= 7) ++prefix;
      if (length > body.size() || prefix + length > body.size() - end) return end;
      end += prefix + static_cast<size_t>(length);
    }
  }
  // Between families if there is such a place in the second half, so that pieces do not get small.
  const size_t family = body.rfind("\n# ");
  if (family != body.npos && (whole_families || family > body.size() / 2)) return family + 1;
  if (whole_families) return 0;
  const size_t line = body.rfind('\n');
  return line == body.npos ? 0 : line + 1;
}

std::string FamilyLine(Format format, const ExpositionParser& parser) {
  if (format == Format::kProtobuf || parser.metric().empty() || parser.type() == "unknown") return "";
  std::string name(parser.metric());
  // Quoted names stand here as between their quotes, escapes and all.
  if (!IsLegacyMetricName(name)) name = StrCat("\"", name, "\"");
  return StrCat("# TYPE ", name, " ", parser.type(), "\n");
}

}  // namespace narthex::scraper
