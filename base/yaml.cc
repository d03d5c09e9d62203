#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <exception>
#include <set>
#include <sstream>

#include "absl/strings/escaping.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {

struct YamlNode::Rep {
  Kind kind = Kind::kNull;
  int line = 0, column = 0;
  bool quoted = false;
  std::string scalar;
  std::vector<YamlNode> items;
  std::vector<std::pair<std::string, YamlNode>> fields;
  std::vector<int> key_lines;  // of fields
  std::vector<std::pair<std::string, int>> duplicates;
};

// Builds nodes; the converter below is its only user.
struct YamlAccess {
  static YamlNode Wrap(YamlNode::Rep rep) {
    YamlNode node;
    node.rep_ = std::make_shared<const YamlNode::Rep>(std::move(rep));
    return node;
  }
  using Rep = YamlNode::Rep;
};

namespace {

constexpr int kMaxDepth = 100;
constexpr size_t kMaxNodes = 2'000'000;  // aliases count each time: stops alias bombs
constexpr size_t kMaxBytes = 64 << 20;
constexpr std::string_view kStringTag = "tag:yaml.org,2002:str";

// Copies a yaml-cpp tree. May be used on one thread only; counts nodes against the limit.
class Converter {
 public:
  // `parent` is the key under which the node stands.
  absl::StatusOr<YamlNode> Convert(const YAML::Node& in, std::string_view parent, int depth) {
    if (depth > kMaxDepth) return absl::InvalidArgumentError("yaml: exceeded max depth of 100");
    if (++nodes_ > kMaxNodes) return absl::InvalidArgumentError("yaml: document contains excessive aliasing");
    YamlAccess::Rep rep;
    rep.line = in.Mark().line + 1;
    rep.column = in.Mark().column + 1;
    switch (in.Type()) {
      case YAML::NodeType::Scalar:
        return ConvertScalar(in, std::move(rep));
      case YAML::NodeType::Sequence:
        rep.kind = YamlNode::Kind::kSequence;
        for (const YAML::Node& item : in) {
          ASSIGN_OR_RETURN(YamlNode node, Convert(item, parent, depth + 1));
          rep.items.push_back(std::move(node));
        }
        break;
      case YAML::NodeType::Map:
        RETURN_IF_ERROR(ConvertMap(in, parent, depth, &rep));
        break;
      default:
        break;
    }
    return YamlAccess::Wrap(std::move(rep));
  }

 private:
  // As written, or decoded if tagged !!binary.
  static absl::StatusOr<std::string> ScalarText(const YAML::Node& in) {
    if (in.Tag() != "tag:yaml.org,2002:binary") return in.Scalar();
    std::string decoded;
    if (absl::Base64Unescape(in.Scalar(), &decoded)) return decoded;
    return absl::InvalidArgumentError("yaml: !!binary value contains invalid base64 data");
  }

  absl::StatusOr<YamlNode> ConvertScalar(const YAML::Node& in, YamlAccess::Rep rep) {
    ASSIGN_OR_RETURN(rep.scalar, ScalarText(in));
    rep.quoted = in.Tag() == "!" || in.Tag() == kStringTag;
    bool null = !rep.quoted && (rep.scalar.empty() || rep.scalar == "~" || rep.scalar == "null" ||
                                rep.scalar == "Null" || rep.scalar == "NULL");
    if (null) rep.scalar.clear();
    rep.kind = null ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
    return YamlAccess::Wrap(std::move(rep));
  }

  absl::Status ConvertMap(const YAML::Node& in, std::string_view parent, int depth, YamlAccess::Rep* rep) {
    rep->kind = YamlNode::Kind::kMapping;
    std::set<std::string> seen;
    std::vector<std::pair<YamlNode, int>> merged;
    for (const auto& entry : in) {
      int line = entry.first.Mark().line + 1;
      if (!entry.first.IsScalar()) {
        return absl::InvalidArgumentError(StrCat("yaml: line ", line, ": invalid map key"));
      }
      ASSIGN_OR_RETURN(std::string key, ScalarText(entry.first));
      ASSIGN_OR_RETURN(YamlNode value, Convert(entry.second, key, depth + 1));
      if (key == "<<" && entry.first.Tag() != "!") {
        if (value.IsSequence()) {
          for (const YamlNode& item : value.items()) merged.emplace_back(item, line);
        } else {
          merged.emplace_back(value, line);
        }
        continue;
      }
      if (seen.insert(key).second) {
        rep->fields.emplace_back(std::move(key), std::move(value));
        rep->key_lines.push_back(line);
      } else if (IsFreeMapping(parent)) {
        return absl::InvalidArgumentError(
            StrCat("yaml: unmarshal errors:\n  line ", line, ": key ", GoQuote(key), " already set in map"));
      } else {
        rep->duplicates.emplace_back(std::move(key), line);
      }
    }
    return Merge(merged, &seen, rep);
  }

  // Keys of merged mappings that the mapping itself has not; of several the first that has one wins.
  absl::Status Merge(const std::vector<std::pair<YamlNode, int>>& merged, std::set<std::string>* seen,
                     YamlAccess::Rep* rep) {
    for (const auto& [node, line] : merged) {
      if (!node.IsMapping()) {
        return absl::InvalidArgumentError("yaml: map merge requires map or sequence of maps as the value");
      }
      for (size_t i = 0; i < node.fields().size(); ++i) {
        const auto& [key, value] = node.fields()[i];
        if (++nodes_ > kMaxNodes) {
          return absl::InvalidArgumentError("yaml: document contains excessive aliasing");
        }
        if (!seen->insert(key).second) continue;
        rep->fields.emplace_back(key, value);
        rep->key_lines.push_back(node.key_line(i));
      }
    }
    return absl::OkStatus();
  }

  // Mappings whose keys the user makes up.
  static bool IsFreeMapping(std::string_view parent) {
    static constexpr std::string_view kFree[] = {"labels",          "annotations",         "external_labels",
                                                 "params",          "http_headers",        "headers",
                                                 "endpoint_params", "proxy_connect_header"};
    return std::find(std::begin(kFree), std::end(kFree), parent) != std::end(kFree);
  }

  size_t nodes_ = 0;
};

// yaml-cpp's reason in the words of Go's library where they say the same.
std::string SyntaxErrorText(const YAML::Exception& e) {
  std::string text = e.msg;
  if (text.find("illegal map value") != text.npos) text = "mapping values are not allowed in this context";
  if (text.find("end of sequence flow not found") != text.npos) text = "did not find expected ',' or ']'";
  if (text.find("end of map flow not found") != text.npos) text = "did not find expected ',' or '}'";
  if (text.find("end of map not found") != text.npos) text = "did not find expected key";
  if (text.find("end of sequence not found") != text.npos) text = "did not find expected '-' indicator";
  if (text.find("the referenced anchor is not defined") != text.npos) text = "unknown anchor referenced";
  if (text.find("illegal EOF in scalar") != text.npos) {
    text = "found unexpected end of stream";
  } else if (text.find("unknown escape character") != text.npos) {
    text = "found unknown escape character";
  } else if (text.find("unknown token") != text.npos) {
    text = "found character that cannot start any token";
  } else if (text.find("illegal block entry") != text.npos) {
    text = "block sequence entries are not allowed in this context";
  } else if (text.find("illegal map key") != text.npos) {
    text = "mapping keys are not allowed in this context";
  }
  return StrCat("yaml: line ", e.mark.line + 1, ": ", text);
}

// Is a document separator anywhere on the lines (from 0) up to and with `last`, the first content left out?
bool HasSeparator(std::string_view text, int last) {
  bool content = false;
  for (int line = 0; line <= last && !text.empty(); ++line) {
    size_t end = text.find('\n');
    std::string_view row = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (content && (row.starts_with("---") || row.starts_with("..."))) return true;
    content |= !row.empty() && row[0] != '#' && row[0] != '%';
  }
  return false;
}

// Sees where documents begin. yaml-cpp does not get past some tokens (a lone ",") and makes empty documents
// of them for ever.
class DocumentStarts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    stuck_ = mark.pos == last_;
    last_ = mark.pos;
    line_ = mark.line;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}
  bool stuck() const { return stuck_; }
  int line() const { return line_; }

 private:
  bool stuck_ = false;
  int last_ = -1, line_ = 0;
};

// Whether there is an end to the documents.
absl::Status CheckEnds(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentStarts starts;
  while (parser.HandleNextDocument(starts)) {
    if (!starts.stuck()) continue;
    return absl::InvalidArgumentError(
        StrCat("yaml: line ", starts.line() + 1, ": did not find expected node content"));
  }
  return absl::OkStatus();
}

// The first document. yaml-cpp ends a document where a line does not fit into it and takes the rest for
// another one; without a separator between the two that is an error.
absl::StatusOr<YAML::Node> LoadFirst(std::string_view text) {
  std::vector<YAML::Node> documents;
  const std::string copy(text);
  try {
    RETURN_IF_ERROR(CheckEnds(copy));
    documents = YAML::LoadAll(copy);
  } catch (const YAML::Exception& e) {
    if (!HasSeparator(text, e.mark.line)) return absl::InvalidArgumentError(SyntaxErrorText(e));
    return YAML::Load(copy);
  }
  if (documents.empty()) return YAML::Node();
  if (documents.size() > 1 && !HasSeparator(text, documents[1].Mark().line)) {
    std::string_view what = documents[0].IsSequence() ? "did not find expected '-' indicator"
                            : documents[0].IsMap()    ? "did not find expected key"
                                                      : "did not find expected <document start>";
    return absl::InvalidArgumentError(StrCat("yaml: line ", documents[1].Mark().line + 1, ": ", what));
  }
  return documents[0];
}

}  // namespace

YamlNode::YamlNode() {
  static const auto* kNullRep = new std::shared_ptr<const Rep>(std::make_shared<const Rep>());
  rep_ = *kNullRep;
}

absl::StatusOr<YamlNode> YamlNode::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return absl::InvalidArgumentError("yaml: document is larger than 64 MiB");
  if (!IsValidUtf8(text)) return absl::InvalidArgumentError("yaml: invalid UTF-8");
  try {
    ASSIGN_OR_RETURN(YAML::Node root, LoadFirst(text));
    return Converter().Convert(root, "", 0);
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(SyntaxErrorText(e));
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(StrCat("yaml: ", std::string_view(e.what())));
  }
}

YamlNode::Kind YamlNode::kind() const { return rep_->kind; }
int YamlNode::line() const { return rep_->line; }
int YamlNode::column() const { return rep_->column; }
bool YamlNode::quoted() const { return rep_->quoted; }
const std::string& YamlNode::scalar() const { return rep_->scalar; }
const std::vector<YamlNode>& YamlNode::items() const { return rep_->items; }
const std::vector<std::pair<std::string, YamlNode>>& YamlNode::fields() const { return rep_->fields; }
int YamlNode::key_line(size_t field) const { return rep_->key_lines[field]; }
const std::vector<std::pair<std::string, int>>& YamlNode::duplicates() const { return rep_->duplicates; }

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const auto& [name, value] : rep_->fields) {
    if (name == key) return &value;
  }
  return nullptr;
}

}  // namespace narthex
