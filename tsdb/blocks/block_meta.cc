#include "tsdb/blocks/block_meta.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "tsdb/blocks/mapped_file.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kMaxMetaBytes = 16 << 20;
constexpr int64_t kMaxTime = 253402300800'000;  // the year 10000

template <typename T>
bool ReadNumber(const YamlNode& node, std::string_view key, T* out) {
  const YamlNode* child = node.Find(key);
  if (child == nullptr || child->IsNull()) return true;
  return child->IsScalar() && absl::SimpleAtoi(child->scalar(), out);
}

}  // namespace

// JSON is YAML.
absl::StatusOr<BlockMeta> ParseBlockMeta(std::string_view text, std::string_view name) {
  if (text.size() > kMaxMetaBytes) return CorruptAt(name, kMaxMetaBytes, "file too large");
  const absl::StatusOr<YamlNode> root = YamlNode::Parse(text);
  if (!root.ok()) return absl::DataLossError(StrCat(name, ": ", std::string(root.status().message())));
  const auto bad = [&](std::string_view what) { return absl::DataLossError(StrCat(name, ": ", what)); };
  if (!root->IsMapping()) return bad("not a JSON object");
  int version = 0;
  if (!ReadNumber(*root, "version", &version)) return bad("malformed version");
  if (version != 1) return bad(StrCat("unexpected meta file version ", version));
  BlockMeta out;
  if (const YamlNode* ulid = root->Find("ulid")) out.ulid = ulid->scalar();
  if (!IsUlid(out.ulid)) return bad(StrCat("malformed ulid \"", out.ulid, "\""));
  bool ok = ReadNumber(*root, "minTime", &out.mint) && ReadNumber(*root, "maxTime", &out.maxt);
  if (const YamlNode* stats = root->Find("stats")) {
    ok = ok && ReadNumber(*stats, "numSamples", &out.samples) &&
         ReadNumber(*stats, "numSeries", &out.series) && ReadNumber(*stats, "numChunks", &out.chunks) &&
         ReadNumber(*stats, "numTombstones", &out.tombstones);
  }
  if (const YamlNode* compaction = root->Find("compaction")) {
    ok = ok && ReadNumber(*compaction, "level", &out.level);
    if (const YamlNode* sources = compaction->Find("sources")) {
      for (const YamlNode& source : sources->items()) out.sources.push_back(source.scalar());
    }
    if (const YamlNode* hints = compaction->Find("hints")) {
      for (const YamlNode& hint : hints->items())
        out.out_of_order = out.out_of_order || hint.scalar() == "from-out-of-order";
    }
  }
  if (!ok) return bad("malformed number");
  if (out.maxt < out.mint) return bad("maxTime is before minTime");
  if (out.mint < -kMaxTime || out.maxt > kMaxTime) return bad("time out of range");
  return out;
}

std::string FormatBlockMeta(const BlockMeta& meta) {
  std::string sources;
  for (const std::string& source : meta.sources)
    StrAppend(&sources, sources.empty() ? "" : ",", "\n\t\t\t\"", source, "\"");
  return StrCat("{\n\t\"ulid\": \"", meta.ulid, "\",\n\t\"minTime\": ", meta.mint,
                ",\n\t\"maxTime\": ", meta.maxt, ",\n\t\"stats\": {\n\t\t\"numSamples\": ", meta.samples,
                ",\n\t\t\"numFloatSamples\": ", meta.float_samples,
                ",\n\t\t\"numHistogramSamples\": ", meta.histogram_samples,
                ",\n\t\t\"numSeries\": ", meta.series, ",\n\t\t\"numChunks\": ", meta.chunks,
                "\n\t},\n\t\"compaction\": {\n\t\t\"level\": ", meta.level, ",\n\t\t\"sources\": [", sources,
                "\n\t\t]\n\t},\n\t\"version\": 1\n}\n");
}

bool IsUlid(std::string_view text) {
  return text.size() == 26 && text[0] <= '7' && std::all_of(text.begin(), text.end(), [](char c) {
           return kAlphabet.find(c) != std::string_view::npos;
         });
}

std::string MakeUlid(int64_t time_ms, uint64_t high, uint64_t low) {
  std::string out(26, '0');
  uint64_t t = static_cast<uint64_t>(std::max<int64_t>(time_ms, 0)) & 0xffffffffffff;
  for (size_t i = 10; i-- > 0; t >>= 5) out[i] = kAlphabet[t & 31];
  high &= 0xffff;
  for (size_t i = 26; i-- > 10;) {
    out[i] = kAlphabet[low & 31];
    low = low >> 5 | high << 59;
    high >>= 5;
  }
  return out;
}

absl::StatusOr<std::vector<BlockMeta>> ListBlocks(const std::string& directory) {
  std::vector<BlockMeta> out;
  std::error_code error;
  std::filesystem::directory_iterator it(directory, error), end;
  if (error) return absl::NotFoundError(StrCat("open ", directory, ": ", error.message()));
  for (; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!IsUlid(name)) continue;
    const std::string path = it->path().string() + "/meta.json";
    absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
    if (absl::IsNotFound(file.status())) continue;  // not finished, or half deleted
    RETURN_IF_ERROR(file.status());
    ASSIGN_OR_RETURN(BlockMeta meta, ParseBlockMeta((*file)->bytes(), path));
    if (meta.ulid != name)
      return absl::DataLossError(StrCat(path, ": ulid ", meta.ulid, " in folder ", name));
    out.push_back(std::move(meta));
  }
  std::sort(out.begin(), out.end(), [](const BlockMeta& a, const BlockMeta& b) {
    return std::tie(a.mint, a.ulid) < std::tie(b.mint, b.ulid);
  });
  return out;
}

}  // namespace narthex::tsdb::blocks
