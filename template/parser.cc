#include "template/parser.h"

#include <algorithm>
#include <charconv>

#include "base/go_format.h"
#include "base/strings.h"
#include "template/functions.h"
#include "template/lexer.h"

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
    if (token.kind == TokenKind::kKeyword) return StrCat("<", token.raw, ">");
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
        if (*end == "end" && NextNonSpace().kind != TokenKind::kRight) return Unexpected(Peek(), "end");
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

  void Define() {
    Next();
    const Token& name = NextNonSpace();
    if (name.kind != TokenKind::kString) return void(Unexpected(name, "define clause"));
    std::string defined = name.value;
    if (NextNonSpace().kind != TokenKind::kRight) return void(Unexpected(Peek(), "define clause"));
    std::vector<std::string> outer = std::exchange(variables_, {"$"});
    std::string end;
    NodePtr body = ItemList(/*top=*/false, &end);
    variables_ = std::move(outer);
    if (ok() && end != "end") return void(Fail("unexpected {{else}} in define clause"));
    set_.defined[defined] = std::move(body);
  }

  NodePtr Action() {
    const Token& token = PeekNonSpace();
    if (token.kind == TokenKind::kKeyword) {
      std::string keyword = Next().raw;
      if (keyword == "if") return Control(NodeKind::kIf, token.pos, "if");
      if (keyword == "range") return Control(NodeKind::kRange, token.pos, "range");
      if (keyword == "with") return Control(NodeKind::kWith, token.pos, "with");
      if (keyword == "template" || keyword == "block") return Template(token.pos, keyword);
      if (keyword == "break" || keyword == "continue") {
        if (range_depth_ == 0) return Fail(StrCat("{{", keyword, "}} outside {{range}}"));
        if (NextNonSpace().kind != TokenKind::kRight) return Unexpected(Peek(), StrCat("{{", keyword, "}}"));
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
    const Token& token = PeekNonSpace();
    bool chained = token.kind == TokenKind::kKeyword && token.raw == context && kind != NodeKind::kRange;
    if (chained) {
      Next();
      NodePtr list = NewNode(NodeKind::kList, token.pos);
      list->children.push_back(Control(kind, token.pos, context));
      return ok() ? std::move(list) : nullptr;
    }
    if (NextNonSpace().kind != TokenKind::kRight) return Unexpected(token, "else");
    std::string end;
    NodePtr list = ItemList(/*top=*/false, &end);
    if (ok() && end != "end") return Fail("expected end; found {{else}}");
    return list;
  }

  NodePtr Template(size_t pos, const std::string& keyword) {
    const Token& name = NextNonSpace();
    if (name.kind != TokenKind::kString) return Unexpected(name, StrCat(keyword, " clause"));
    NodePtr node = NewNode(NodeKind::kTemplate, pos);
    node->text = name.value;
    node->children.push_back(nullptr);
    if (PeekNonSpace().kind == TokenKind::kRight) {
      Next();
    } else {
      node->children[0] = Pipeline(StrCat(keyword, " clause"), TokenKind::kRight);
    }
    if (!ok() || keyword == "template") return ok() ? std::move(node) : nullptr;
    std::vector<std::string> outer = std::exchange(variables_, {"$"});
    std::string end;
    NodePtr body = ItemList(/*top=*/false, &end);
    variables_ = std::move(outer);
    if (!ok()) return nullptr;
    set_.defined.try_emplace(node->text, std::move(body));
    return node;
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
        for (const std::string& variable : pipe->variables) {
          if (!pipe->assign) variables_.push_back(variable);
        }
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

  void Declarations(std::string_view context, Node* pipe) {
    size_t begin = at_;
    std::vector<std::string> names;
    while (PeekNonSpace().kind == TokenKind::kVariable) {
      names.push_back(Next().raw);
      const Token& next = PeekNonSpace();
      if (next.kind == TokenKind::kDeclare || next.kind == TokenKind::kAssign) {
        pipe->assign = next.kind == TokenKind::kAssign;
        Next();
        if (names.size() > 1 && context != "range") {
          Fail(StrCat("too many declarations in ", context));
          return;
        }
        for (const std::string& name : names) {
          if (pipe->assign) UseVariable(name);
        }
        pipe->variables = std::move(names);
        return;
      }
      if (next.kind != TokenKind::kComma || context != "range" || names.size() > 1) break;
      Next();
    }
    at_ = begin;
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
    if (node->kind != NodeKind::kField && node->kind != NodeKind::kVariable) {
      NodePtr chain = NewNode(NodeKind::kChain, node->pos);
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
    if (token.kind == TokenKind::kCharacter) {
      node->literal = Value::Int(static_cast<unsigned char>(token.value[0]));
    }
    if (token.kind != TokenKind::kNumber) return node;
    std::string_view digits = token.raw;
    if (digits.starts_with("+")) digits.remove_prefix(1);
    int64_t integer = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), integer);
    if (error == std::errc() && end == digits.data() + digits.size()) {
      node->literal = Value::Int(integer);
    } else if (std::optional<double> number = ParseGoFloat(digits)) {
      bool hex = digits.find_first_of("xX") != digits.npos && digits.find_first_of("pP") == digits.npos;
      node->literal = hex ? Value::Int(static_cast<int64_t>(*number)) : Value::Float(*number);
    } else {
      FailAt(token.pos, StrCat("bad number syntax: ", GoQuote(token.raw)));
      return nullptr;
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
