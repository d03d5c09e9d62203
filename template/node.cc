#include "template/node.h"

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::tmpl {
namespace {

std::string Fields(const Node& node, size_t first) {
  std::string out;
  for (size_t i = first; i < node.names.size(); ++i) StrAppend(&out, ".", node.names[i]);
  return out;
}

std::string Joined(const std::vector<NodePtr>& nodes, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) StrAppend(&out, separator);
    bool parenthesized = nodes[i]->kind == NodeKind::kPipe;
    StrAppend(&out, parenthesized ? "(" : "", NodeText(*nodes[i]), parenthesized ? ")" : "");
  }
  return out;
}

}  // namespace

std::string NodeText(const Node& node) {
  switch (node.kind) {
    case NodeKind::kPipe: {
      std::string out;
      for (const std::string& variable : node.variables) StrAppend(&out, out.empty() ? "" : ", ", variable);
      if (!out.empty()) StrAppend(&out, node.assign ? " = " : " := ");
      return out + Joined(node.children, " | ");
    }
    case NodeKind::kCommand:
      return Joined(node.children, " ");
    case NodeKind::kField:
      return Fields(node, 0);
    case NodeKind::kVariable:
      return node.names[0] + Fields(node, 1);
    case NodeKind::kChain: {
      bool pipe = node.children[0]->kind == NodeKind::kPipe;
      return StrCat(pipe ? "(" : "", NodeText(*node.children[0]), pipe ? ")" : "", Fields(node, 0));
    }
    case NodeKind::kDot:
      return ".";
    case NodeKind::kNil:
      return "nil";
    case NodeKind::kTemplate:
      return StrCat("{{template ", GoQuote(node.text),
                    node.children[0] ? " " + NodeText(*node.children[0]) : std::string(), "}}");
    case NodeKind::kAction:
      return StrCat("{{", NodeText(*node.children[0]), "}}");
    case NodeKind::kBreak:
      return "{{break}}";
    case NodeKind::kContinue:
      return "{{continue}}";
    default:
      return node.text;
  }
}

}  // namespace narthex::tmpl
