#include "template/parser.h"

#include <algorithm>

#include "base/go_format.h"
#include "base/strings.h"
#include "template/functions.h"
#include "template/lexer.h"
#include "template/number.h"

namespace narthex::tmpl {
namespace {

NodePtr NewNode(NodeKind kind, size_t pos) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->pos = pos;
  return node;
}

// Recursive descent; after the first error every function returns at once with null.
class Parser {
 public:
  Parser(std::string_view name, std::string_view text, int max_depth, bool html)
      : max_depth_(max_depth), html_(html) {
    set_.name = name;
    set_.text = text;
    tokens_ = Lex(text, &lex_error_);
    // A lexical mistake shows when the parser gets there.
    if (!lex_error_.message.empty()) tokens_.push_back({TokenKind::kEof, lex_error_.pos, "", ""});
  }

  absl::StatusOr<TemplateSet> Run() {
    std::string end;
    set_.root = ItemList(/*top=*/true, &end);
    if (ok() && !end.empty()) Fail(StrCat("unexpected {{", end, "}}"));
    if (!ok()) return absl::InvalidArgumentError(error_);
    return std::move(set_);
  }

 private:
  bool ok() const { return error_.empty(); }
  const Token& Peek() const { return tokens_[std::min(at_, tokens_.size() - 1)]; }
  const Token& PeekNonSpace() {
    while (Peek().kind == TokenKind::kSpace) ++at_;
    return Peek();
  }
  const Token& Next() {
    const Token& token = Peek();
    if (token.kind == TokenKind::kEof && !lex_error_.message.empty()) FailAt(token.pos, lex_error_.message);
    ++at_;
    return token;
  }
  const Token& NextNonSpace() {
    PeekNonSpace();
    return Next();
  }

  void FailAt(size_t pos, std::string_view message) {
    if (!ok()) return;
    pos = std::min(pos, set_.text.size());
    auto lines =
        1 + std::count(set_.text.begin(), set_.text.begin() + static_cast<std::ptrdiff_t>(pos), '\n');
    error_ = StrCat("template: ", set_.name, ":", lines, ": ", message);
  }
  std::nullptr_t Fail(std::string_view message) {
    FailAt(Peek().pos, message);
    return nullptr;
  }
  std::nullptr_t Unexpected(const Token& token, std::string_view context) {
    if (token.kind == TokenKind::kEof && !lex_error_.message.empty()) {
      FailAt(token.pos, lex_error_.message);
    } else {
      FailAt(token.pos, StrCat("unexpected ", TokenText(token), " in ", context));
    }
    return nullptr;
  }
  static std::string TokenText(const Token& token) {
    if (token.kind == TokenKind::kEof) return "EOF";
    if (token.kind == TokenKind::kKeyword || token.kind == TokenKind::kDot || token.kind == TokenKind::kNil)
      return StrCat("<", token.raw, ">");
    if (token.raw.size() > 10) return StrCat(GoQuote(token.raw.substr(0, 10)), "...");
    return GoQuote(token.raw);
  }

  struct Depth {
    explicit Depth(Parser* p) : parser(p) {
      if (++parser->depth_ > parser->max_depth_) parser->Fail("template nested too deeply");
    }
    ~Depth() { --parser->depth_; }
    Parser* parser;
  };

  // Up to {{end}} or {{else...}}, whose keyword goes to *end; "" at the end of the text.
  NodePtr ItemList(bool top, std::string* end) {
    Depth depth(this);
    NodePtr list = NewNode(NodeKind::kList, Peek().pos);
    while (ok() && Peek().kind != TokenKind::kEof) {
      const Token& token = Next();
      if (token.kind == TokenKind::kText) {
        NodePtr text = NewNode(NodeKind::kText, token.pos);
        text->text = token.raw;
        list->children.push_back(std::move(text));
        continue;
      }
      if (token.kind != TokenKind::kLeft) return Unexpected(token, "input");
      const Token& first = PeekNonSpace();
      if (first.kind == TokenKind::kKeyword && (first.raw == "end" || first.raw == "else")) {
        *end = Next().raw;
        if (*end == "end" || !AtChainedElse()) Expect(TokenKind::kRight, *end);
        return ok() ? std::move(list) : nullptr;
      }
      if (first.kind == TokenKind::kKeyword && first.raw == "define") {
        if (!top) return Unexpected(first, "command");
        Define();
        continue;
      }
      NodePtr action = Action();
      if (action) list->children.push_back(std::move(action));
    }
    if (!lex_error_.message.empty()) FailAt(lex_error_.pos, lex_error_.message);
    if (ok() && !top) Fail("unexpected EOF");
    return ok() ? std::move(list) : nullptr;
  }

  // {{else if ...}} and {{else with ...}}: more of the chain follows.
  bool AtChainedElse() {
    const Token& token = PeekNonSpace();
    return token.kind == TokenKind::kKeyword && (token.raw == "if" || token.raw == "with");
  }

  const Token& Expect(TokenKind kind, std::string_view context) {
    const Token& token = NextNonSpace();
    if (ok() && token.kind != kind) Unexpected(token, context);
    return token;
  }

  void Define() {
    Next();
    const std::string name = Expect(TokenKind::kString, "define clause").value;
    if (ok()) Expect(TokenKind::kRight, "define clause");
    if (ok()) AddTemplate(name, "define clause");
  }

  // The text up to {{end}} as a template of its own, which knows none of the variables around it.
  void AddTemplate(const std::string& name, std::string_view context) {
    std::vector<std::string> outer = std::exchange(variables_, {"$"});
    const int range_depth = std::exchange(range_depth_, 0);
    std::string end;
    NodePtr body = ItemList(/*top=*/false, &end);
    variables_ = std::move(outer);
    range_depth_ = range_depth;
    if (ok() && end != "end") Fail(StrCat("unexpected {{else}} in ", context));
    if (!ok()) return;
    NodePtr& known = set_.defined[name];
    if (known == nullptr || IsBlank(*known)) {
      known = std::move(body);
    } else if (!IsBlank(*body)) {
      Fail(StrCat("template: multiple definition of template ", GoQuote(name)));
    }
  }

  static bool IsBlank(const Node& list) {
    return std::all_of(list.children.begin(), list.children.end(), [](const NodePtr& child) {
      return child->kind == NodeKind::kText && child->text.find_first_not_of(" \t\r\n") == std::string::npos;
    });
  }

  NodePtr Action() {
    const Token& token = PeekNonSpace();
    if (token.kind == TokenKind::kKeyword) {
      std::string keyword = Next().raw;
      if (keyword == "if") return Control(NodeKind::kIf, token.pos, "if");
      if (keyword == "range") return Control(NodeKind::kRange, token.pos, "range");
      if (keyword == "with") return Control(NodeKind::kWith, token.pos, "with");
      if (keyword == "template" || keyword == "block") return Template(keyword);
      if (keyword == "break" || keyword == "continue") {
        Expect(TokenKind::kRight, StrCat("{{", keyword, "}}"));
        if (ok() && range_depth_ == 0) FailAt(token.pos, StrCat("{{", keyword, "}} outside {{range}}"));
        if (!ok()) return nullptr;
        return NewNode(keyword == "break" ? NodeKind::kBreak : NodeKind::kContinue, token.pos);
      }
      return Unexpected(token, "command");
    }
    NodePtr action = NewNode(NodeKind::kAction, token.pos);
    action->children.push_back(Pipeline("command", TokenKind::kRight));
    return ok() ? std::move(action) : nullptr;
  }

  NodePtr Control(NodeKind kind, size_t pos, std::string_view context) {
    Depth depth(this);
    size_t variables = variables_.size();
    NodePtr node = NewNode(kind, pos);
    node->children.push_back(Pipeline(context, TokenKind::kRight));
    if (!ok()) return nullptr;
    range_depth_ += kind == NodeKind::kRange ? 1 : 0;
    std::string end;
    node->children.push_back(ItemList(/*top=*/false, &end));
    range_depth_ -= kind == NodeKind::kRange ? 1 : 0;
    node->children.push_back(nullptr);
    if (ok() && end == "else") node->children[2] = Else(kind, context);
    variables_.resize(variables);
    return ok() ? std::move(node) : nullptr;
  }

  // Behind {{else: another condition or the rest up to {{end}}.
  NodePtr Else(NodeKind kind, std::string_view context) {
    if (AtChainedElse()) {
      const Token& token = Next();
      if (token.raw != context) return Unexpected(token, "input");
      NodePtr list = NewNode(NodeKind::kList, token.pos);
      list->children.push_back(Control(kind, token.pos, context));
      return ok() ? std::move(list) : nullptr;
    }
    std::string end;
    NodePtr list = ItemList(/*top=*/false, &end);
    if (ok() && end != "end") return Fail("expected end; found {{else}}");
    return list;
  }

  NodePtr Template(const std::string& keyword) {
    const std::string context = keyword + " clause";
    const Token& name = Expect(TokenKind::kString, context);
    if (!ok()) return nullptr;
    NodePtr node = NewNode(NodeKind::kTemplate, name.pos);
    node->text = name.value;
    node->children.push_back(nullptr);
    if (keyword == "template" && PeekNonSpace().kind == TokenKind::kRight) {
      Next();
    } else {
      node->children[0] = Pipeline(context, TokenKind::kRight);
    }
    if (ok() && keyword == "block") AddTemplate(node->text, context);
    return ok() ? std::move(node) : nullptr;
  }

  NodePtr Pipeline(std::string_view context, TokenKind end) {
    Depth depth(this);
    if (!ok()) return nullptr;
    NodePtr pipe = NewNode(NodeKind::kPipe, PeekNonSpace().pos);
    Declarations(context, pipe.get());
    while (ok()) {
      const Token& token = NextNonSpace();
      if (!ok()) return nullptr;
      if (token.kind == end) {
        CheckPipeline(context, *pipe);
        return ok() ? std::move(pipe) : nullptr;
      }
      switch (token.kind) {
        case TokenKind::kBool:
        case TokenKind::kCharacter:
        case TokenKind::kDot:
        case TokenKind::kField:
        case TokenKind::kIdentifier:
        case TokenKind::kNumber:
        case TokenKind::kNil:
        case TokenKind::kString:
        case TokenKind::kVariable:
        case TokenKind::kLeftParen:
          --at_;
          pipe->children.push_back(Command());
          break;
        default:
          return Unexpected(token, context);
      }
    }
    return nullptr;
  }

  // Go takes a variable that is assigned to as declared; running it finds out.
  void Declarations(std::string_view context, Node* pipe) {
    while (ok() && PeekNonSpace().kind == TokenKind::kVariable) {
      const size_t begin = at_;
      const std::string name = Next().raw;
      const Token& next = PeekNonSpace();
      const bool more = next.kind == TokenKind::kComma;
      if (!more && next.kind != TokenKind::kDeclare && next.kind != TokenKind::kAssign) {
        at_ = begin;
        return;
      }
      pipe->assign = next.kind == TokenKind::kAssign;
      Next();
      pipe->variables.push_back(name);
      variables_.push_back(name);
      if (!more) return;
      if (context != "range" || pipe->variables.size() > 1)
        return void(Fail(StrCat("too many declarations in ", context)));
      const TokenKind kind = PeekNonSpace().kind;
      if (kind != TokenKind::kVariable && kind != TokenKind::kRight && kind != TokenKind::kRightParen)
        return void(Fail("range can only initialize variables"));
    }
  }

  void CheckPipeline(std::string_view context, const Node& pipe) {
    if (pipe.children.empty()) return void(Fail(StrCat("missing value for ", context)));
    for (size_t i = 1; i < pipe.children.size(); ++i) {
      NodeKind kind = pipe.children[i]->children[0]->kind;
      if (kind == NodeKind::kLiteral || kind == NodeKind::kDot || kind == NodeKind::kNil) {
        return void(Fail(StrCat("non executable command in pipeline stage ", i + 1)));
      }
    }
  }

  NodePtr Command() {
    NodePtr command = NewNode(NodeKind::kCommand, PeekNonSpace().pos);
    while (ok()) {
      PeekNonSpace();
      NodePtr operand = Operand();
      if (operand) command->children.push_back(std::move(operand));
      if (!ok()) return nullptr;
      const Token& token = Next();
      if (!ok()) return nullptr;
      if (token.kind == TokenKind::kSpace) continue;
      if (token.kind == TokenKind::kRight || token.kind == TokenKind::kRightParen) {
        --at_;
      } else if (token.kind != TokenKind::kPipe) {
        return Unexpected(token, "operand");
      }
      break;
    }
    if (command->children.empty()) return Fail("empty command");
    return command;
  }

  // A term with the fields behind it.
  NodePtr Operand() {
    NodePtr node = Term();
    if (!node || Peek().kind != TokenKind::kField) return node;
    if (node->kind == NodeKind::kLiteral || node->kind == NodeKind::kNil || node->kind == NodeKind::kDot) {
      return Fail(StrCat("unexpected . after term ", GoQuote(NodeText(*node))));
    }
    const size_t pos = Peek().pos;  // Go tells the place of the second name
    if (node->kind == NodeKind::kField || node->kind == NodeKind::kVariable) {
      node->pos = pos;
    } else {
      NodePtr chain = NewNode(NodeKind::kChain, pos);
      chain->children.push_back(std::move(node));
      node = std::move(chain);
    }
    while (Peek().kind == TokenKind::kField) node->names.push_back(Next().value);
    return node;
  }

  NodePtr Term() {
    const Token& token = NextNonSpace();
    if (!ok()) return nullptr;
    switch (token.kind) {
      case TokenKind::kIdentifier: {
        if (!IsFunction(token.raw) || (!html_ && token.raw == "tmpl")) {
          FailAt(token.pos, StrCat("function ", GoQuote(token.raw), " not defined"));
          return nullptr;
        }
        NodePtr node = NewNode(NodeKind::kIdentifier, token.pos);
        node->text = token.raw;
        return node;
      }
      case TokenKind::kDot:
        return NewNode(NodeKind::kDot, token.pos);
      case TokenKind::kNil:
        return NewNode(NodeKind::kNil, token.pos);
      case TokenKind::kVariable: {
        UseVariable(token.raw);
        NodePtr node = NewNode(NodeKind::kVariable, token.pos);
        node->names.push_back(token.raw);
        return node;
      }
      case TokenKind::kField: {
        NodePtr node = NewNode(NodeKind::kField, token.pos);
        node->names.push_back(token.value);
        return node;
      }
      case TokenKind::kBool:
      case TokenKind::kNumber:
      case TokenKind::kString:
      case TokenKind::kCharacter:
        return Literal(token);
      case TokenKind::kLeftParen:
        return Pipeline("parenthesized pipeline", TokenKind::kRightParen);
      default:
        --at_;
        return nullptr;
    }
  }

  NodePtr Literal(const Token& token) {
    NodePtr node = NewNode(NodeKind::kLiteral, token.pos);
    node->text = token.raw;
    if (token.kind == TokenKind::kBool) node->literal = Value::Bool(token.raw == "true");
    if (token.kind == TokenKind::kString) node->literal = Value::String(token.value);
    if (token.kind == TokenKind::kNumber || token.kind == TokenKind::kCharacter) {
      absl::StatusOr<Value> number =
          token.kind == TokenKind::kNumber ? ParseNumber(token.raw) : ParseCharacter(token.raw);
      if (!number.ok()) {
        FailAt(token.pos,
               std::string_view(number.status().message().data(), number.status().message().size()));
        return nullptr;
      }
      node->literal = *std::move(number);
    }
    return node;
  }

  void UseVariable(const std::string& name) {
    if (std::find(variables_.begin(), variables_.end(), name) == variables_.end()) {
      Fail(StrCat("undefined variable ", GoQuote(name)));
    }
  }

  TemplateSet set_;
  LexError lex_error_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  std::string error_;
  std::vector<std::string> variables_ = {"$"};
  int range_depth_ = 0, depth_ = 0;
  const int max_depth_;
  const bool html_;
};

}  // namespace

absl::StatusOr<TemplateSet> ParseTemplate(std::string_view name, std::string_view text, int max_depth,
                                          bool html) {
  return Parser(name, text, max_depth, html).Run();
}

}  // namespace narthex::tmpl
