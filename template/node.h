// The syntax tree of a template.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "template/value.h"

namespace narthex::tmpl {

struct Node;
using NodePtr = std::unique_ptr<Node>;

enum class NodeKind {
  kText,
  kList,     // children
  kPipe,     // declared variables, then commands = children
  kCommand,  // arguments = children
  kIdentifier,
  kField,     // names: .a.b
  kVariable,  // names: $x.a.b
  kChain,     // children[0], then names: (pipe).a.b
  kDot,
  kNil,
  kLiteral,
  kAction,  // children[0] = pipe
  kIf,      // children: pipe, list, else list or null
  kRange,
  kWith,
  kTemplate,  // text = name, children[0] = pipe or null
  kBreak,
  kContinue,
};

struct Node {
  NodeKind kind = NodeKind::kText;
  size_t pos = 0;
  std::string text;  // kText, kIdentifier, kTemplate; kLiteral as written
  Value literal;
  std::vector<std::string> names;      // fields; of a variable the first is "$x"
  std::vector<std::string> variables;  // kPipe: declared or assigned
  bool assign = false;                 // kPipe: = rather than :=
  std::vector<NodePtr> children;
};

// As Go prints the node; error texts quote it.
std::string NodeText(const Node& node);

// A parsed text: the main template and those that it defines.
struct TemplateSet {
  std::string name, text;
  NodePtr root;
  std::map<std::string, NodePtr> defined;
};

}  // namespace narthex::tmpl
