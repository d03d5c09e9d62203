#include "template/exec.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "template/escape.h"
#include "template/functions.h"

namespace narthex::tmpl {
namespace {

constexpr int64_t kMaxSteps = 1'000'000;  // nodes run, against endless work by nested ranges

constexpr int64_t kStepsPerLook = 256;  // between looks at the clock

constexpr int kMaxWalkDepth = 2000;  // nested nodes over all templates, against a full stack

enum class Flow { kNormal, kBreak, kContinue };
using Answer = absl::StatusOr<Value>;

class Executor {
 public:
  Executor(const TemplateSet& set, const ExpandOptions& options, const ExecOptions& exec)
      : set_(set), options_(options), exec_(exec) {
    functions_.options = &options;
    functions_.run_template = [this](const std::string& name, const Value& dot) {
      return RunNamed(name, dot);
    };
  }

  absl::StatusOr<std::string> Run(const Node& root, const std::string& name, const Value& dot) {
    std::string outer_out = std::exchange(out_, "");
    std::string outer_name = std::exchange(name_, name);
    auto outer_variables = std::exchange(variables_, {{"$", dot}});
    const Node* outer_at = at_;
    ++depth_;
    absl::Status status = depth_ > options_.max_depth
                              ? absl::InvalidArgumentError("exceeded maximum template depth")
                              : Walk(root, dot).status();
    --depth_;
    at_ = outer_at;
    variables_ = std::move(outer_variables);
    name_ = std::move(outer_name);
    std::string text = std::exchange(out_, std::move(outer_out));
    if (!status.ok()) return status;
    return text;
  }

 private:
  absl::StatusOr<std::string> RunNamed(const std::string& name, const Value& dot) {
    auto it = set_.defined.find(name);
    if (it == set_.defined.end())
      return absl::InvalidArgumentError(StrCat("template ", GoQuote(name), " not defined"));
    return Run(*it->second, name, dot);
  }

  // Go tells the node that it looked at last, which need not be the one that is wrong.
  absl::Status Error(std::string_view message) const {
    std::string_view before = std::string_view(set_.text).substr(0, at_->pos);
    auto line = 1 + std::count(before.begin(), before.end(), '\n');
    size_t newline = before.rfind('\n');
    size_t column = newline == before.npos ? at_->pos : at_->pos - newline - 1;
    return absl::InvalidArgumentError(StrCat("template: ", set_.name, ":", line, ":", column, ": executing ",
                                             GoQuote(name_), " at <", NodeText(*at_), ">: ", message));
  }

  absl::Status Write(std::string_view text) {
    out_.append(text);
    if (out_.size() <= options_.max_output_bytes) return absl::OkStatus();
    return Error(StrCat("output is longer than ", options_.max_output_bytes, " bytes"));
  }

  absl::Status CountStep() {
    if (++steps_ > kMaxSteps) return Error("too many steps");
    if (steps_ % kStepsPerLook == 0 && options_.expired && options_.expired())
      return Error("it takes too long");
    return absl::OkStatus();
  }

  absl::StatusOr<Flow> Walk(const Node& node, const Value& dot) {
    at_ = &node;
    RETURN_IF_ERROR(CountStep());
    if (walk_depth_ >= kMaxWalkDepth) return Error("nested too deeply");
    ++walk_depth_;
    absl::StatusOr<Flow> flow = WalkNode(node, dot);
    --walk_depth_;
    return flow;
  }

  absl::StatusOr<Flow> WalkNode(const Node& node, const Value& dot) {
    switch (node.kind) {
      case NodeKind::kText:
        RETURN_IF_ERROR(Write(node.text));
        return Flow::kNormal;
      case NodeKind::kList:
        for (const NodePtr& child : node.children) {
          ASSIGN_OR_RETURN(Flow flow, Walk(*child, dot));
          if (flow != Flow::kNormal) return flow;
        }
        return Flow::kNormal;
      case NodeKind::kAction: {
        ASSIGN_OR_RETURN(Value value, Pipeline(*node.children[0], dot));
        if (!node.children[0]->variables.empty()) return Flow::kNormal;
        at_ = &node;
        std::string text = PrintText(value);
        if (exec_.escape_html && !value.safe_html) text = HtmlEscape(text);
        RETURN_IF_ERROR(Write(text));
        return Flow::kNormal;
      }
      case NodeKind::kIf:
      case NodeKind::kWith:
        return Branch(node, dot);
      case NodeKind::kRange:
        return Range(node, dot);
      case NodeKind::kTemplate:
        return Template(node, dot);
      case NodeKind::kBreak:
        return Flow::kBreak;
      case NodeKind::kContinue:
        return Flow::kContinue;
      default:
        return Error("unknown node");
    }
  }

  absl::StatusOr<Flow> Branch(const Node& node, const Value& dot) {
    size_t variables = variables_.size();
    ASSIGN_OR_RETURN(Value value, Pipeline(*node.children[0], dot));
    absl::StatusOr<Flow> flow = Flow::kNormal;
    if (IsTrue(value)) {
      flow = Walk(*node.children[1], node.kind == NodeKind::kWith ? value : dot);
    } else if (node.children[2]) {
      flow = Walk(*node.children[2], dot);
    }
    variables_.resize(variables);
    return flow;
  }

  absl::StatusOr<Flow> Range(const Node& node, const Value& dot) {
    const Node& pipe = *node.children[0];
    size_t outer = variables_.size();
    ASSIGN_OR_RETURN(Value value, Pipeline(pipe, dot));
    size_t mark = variables_.size();
    bool is_map = value.kind == Value::kMap || value.kind == Value::kLabels;
    bool is_number = value.kind == Value::kInt || value.kind == Value::kUint;
    if (is_number && pipe.variables.size() > 1)
      return Error(StrCat("can't use ", PrintText(value), " to iterate over more than one variable"));
    if (!value.list && !is_map && !is_number && value.kind != Value::kNil)
      return Error(StrCat("range can't iterate over ", PrintText(value)));
    bool empty = true, stop = false;
    auto run = [&](const Value& key, const Value& item) -> absl::Status {
      empty = false;
      RETURN_IF_ERROR(Bind(pipe, key, item));
      ASSIGN_OR_RETURN(Flow flow, Walk(*node.children[1], item));
      variables_.resize(mark);
      stop = flow == Flow::kBreak;
      return absl::OkStatus();
    };
    if (value.list) {
      for (size_t i = 0; i < value.list->size() && !stop; ++i) {
        RETURN_IF_ERROR(run(Value::Int(static_cast<int64_t>(i)), (*value.list)[i]));
      }
    } else if (is_map) {
      for (auto it = value.map->begin(); it != value.map->end() && !stop; ++it) {
        RETURN_IF_ERROR(run(Value::String(it->first), it->second));
      }
    } else if (value.kind == Value::kUint) {
      for (uint64_t i = 0; i < value.unsigned_integer && !stop; ++i)
        RETURN_IF_ERROR(run(Value(), Value::Uint(i)));
    } else {
      int64_t count = value.kind == Value::kInt ? value.integer : 0;
      for (int64_t i = 0; i < count && !stop; ++i) RETURN_IF_ERROR(run(Value(), Value::Int(i)));
    }
    absl::StatusOr<Flow> flow = Flow::kNormal;
    if (empty && node.children[2]) flow = Walk(*node.children[2], dot);
    variables_.resize(outer);
    return flow;
  }

  // The variables of {{range $i, $v := ...}}, which the pipeline has made: the last one is the element.
  absl::Status Bind(const Node& pipe, const Value& key, const Value& item) {
    const size_t count = pipe.variables.size();
    if (count == 0) return absl::OkStatus();
    if (!pipe.assign) {
      variables_.back().second = item;
      if (count > 1) variables_[variables_.size() - 2].second = key;
      return absl::OkStatus();
    }
    if (count > 1) RETURN_IF_ERROR(Assign(pipe.variables[0], key));
    return Assign(pipe.variables.back(), item);
  }

  absl::StatusOr<Flow> Template(const Node& node, const Value& dot) {
    auto it = set_.defined.find(node.text);
    if (it == set_.defined.end()) return Error(StrCat("template ", GoQuote(node.text), " not defined"));
    if (depth_ >= options_.max_depth) return Error("exceeded maximum template depth");
    Value argument;
    if (node.children[0]) {
      ASSIGN_OR_RETURN(argument, Pipeline(*node.children[0], dot));
    }
    ASSIGN_OR_RETURN(std::string text, Run(*it->second, node.text, argument));
    RETURN_IF_ERROR(Write(text));
    return Flow::kNormal;
  }

  Value* Variable(const std::string& name) {
    auto it = std::find_if(variables_.rbegin(), variables_.rend(),
                           [&](const auto& variable) { return variable.first == name; });
    return it == variables_.rend() ? nullptr : &it->second;
  }

  absl::Status Assign(const std::string& name, const Value& value) {
    Value* variable = Variable(name);
    if (variable == nullptr) return Error(StrCat("undefined variable: ", name));
    *variable = value;
    return absl::OkStatus();
  }

  Answer Pipeline(const Node& pipe, const Value& dot) {
    at_ = &pipe;
    Value value;
    for (size_t i = 0; i < pipe.children.size(); ++i) {
      ASSIGN_OR_RETURN(value, Command(*pipe.children[i], dot, i == 0 ? nullptr : &value));
    }
    for (const std::string& name : pipe.variables) {
      if (pipe.assign) {
        RETURN_IF_ERROR(Assign(name, value));
      } else {
        variables_.emplace_back(name, value);
      }
    }
    return value;
  }

  // What stands behind the function, method or field; `final` is the value from the stage before, the last
  // argument.
  struct Arguments {
    std::span<const NodePtr> nodes;
    const Value* final = nullptr;
    bool empty() const { return nodes.empty() && final == nullptr; }
    size_t size() const { return nodes.size() + (final != nullptr ? 1 : 0); }
  };

  Answer Command(const Node& command, const Value& dot, const Value* final) {
    RETURN_IF_ERROR(CountStep());
    const Node& first = *command.children[0];
    const Arguments arguments{std::span(command.children).subspan(1), final};
    switch (first.kind) {
      case NodeKind::kIdentifier:
        return Call(first, command, dot, arguments);
      case NodeKind::kField:
      case NodeKind::kChain:
      case NodeKind::kVariable:
        return Access(first, dot, arguments);
      case NodeKind::kPipe:
        RETURN_IF_ERROR(CheckNoArguments(first, arguments));
        return Pipeline(first, dot);
      default:
        break;
    }
    at_ = &first;
    RETURN_IF_ERROR(CheckNoArguments(first, arguments));
    if (first.kind == NodeKind::kNil) return Error("nil is not a command");
    return first.kind == NodeKind::kDot ? Answer(dot) : Literal(first);
  }

  absl::Status CheckNoArguments(const Node& node, const Arguments& arguments) const {
    if (arguments.empty()) return absl::OkStatus();
    return Error(StrCat("can't give argument to non-function ", NodeText(node)));
  }

  Answer Literal(const Node& node) {
    at_ = &node;
    if (node.literal.kind == Value::kUint) return Error(StrCat(node.text, " overflows int"));
    return node.literal;
  }

  // One argument for a parameter of this type (functions.h).
  Answer Argument(const Node& node, char type, const Value& dot) {
    at_ = &node;
    switch (node.kind) {
      case NodeKind::kDot:
        return CheckType(dot, type);
      case NodeKind::kNil:
        if (type == 's') return Error("cannot assign nil to string");
        return Value();
      case NodeKind::kLiteral:
        break;
      case NodeKind::kPipe: {
        ASSIGN_OR_RETURN(Value value, Pipeline(node, dot));
        return CheckType(value, type);
      }
      case NodeKind::kIdentifier: {
        ASSIGN_OR_RETURN(Value value, Call(node, node, dot, {}));
        return CheckType(value, type);
      }
      default: {
        ASSIGN_OR_RETURN(Value value, Access(node, dot, {}));
        return CheckType(value, type);
      }
    }
    if (type == 's' && node.literal.kind != Value::kString)
      return Error(StrCat("expected string; found ", NodeText(node)));
    if (type == 'q' || type == 'p')
      return Error(StrCat("can't handle ", NodeText(node), " for arg of type ", TypeOfParameter(type)));
    return Literal(node);
  }

  static const char* TypeOfParameter(char type) {
    return type == 's' ? "string" : type == 'q' ? "template.queryResult" : "*template.sample";
  }

  Answer CheckType(const Value& value, char type) const {
    if (type == 'a') return value;
    if (value.kind == Value::kNil) {
      if (type == 's') return Error("invalid value; expected string");
      return value;
    }
    const bool fits = type == 's'   ? value.kind == Value::kString && !value.safe_html
                      : type == 'q' ? value.query_result
                                    : value.kind == Value::kSample;
    if (fits) return value;
    return Error(StrCat("wrong type for value; expected ", TypeOfParameter(type), "; got ", TypeName(value)));
  }

  // .a.b, $x.a, (pipe).a; arguments go to a method at the end.
  Answer Access(const Node& node, const Value& dot, const Arguments& arguments) {
    at_ = &node;
    Value value = dot;
    size_t first = 0;
    if (node.kind == NodeKind::kVariable) {
      const Value* variable = Variable(node.names[0]);
      if (variable == nullptr) return Error(StrCat("undefined variable: ", node.names[0]));
      value = *variable;
      first = 1;
      if (node.names.size() == 1) RETURN_IF_ERROR(CheckNoArguments(node, arguments));
    } else if (node.kind == NodeKind::kChain) {
      const Node& inner = *node.children[0];
      ASSIGN_OR_RETURN(value, Argument(inner, 'a', dot));
    }
    bool boxed = false;  // what Go holds as interface {}
    for (size_t i = first; i < node.names.size(); ++i) {
      const Value::Kind owner = value.kind;
      const bool last = i + 1 == node.names.size();
      ASSIGN_OR_RETURN(value, Field(value, node.names[i], boxed, dot, last ? arguments : Arguments()));
      boxed = owner == Value::kMap || (owner == Value::kStruct && node.names[i] == "Value");
    }
    return value;
  }

  Answer Field(const Value& value, const std::string& name, bool boxed, const Value& dot,
               const Arguments& arguments) {
    if (value.kind == Value::kNil && boxed)
      return Error(StrCat("nil pointer evaluating interface {}.", name));
    if (value.kind == Value::kNil) {
      if (exec_.missing_key_is_error) return Error(StrCat("nil data; no entry for key ", GoQuote(name)));
      return Value();
    }
    if (const FunctionEntry* method = FindMethod(value.kind, name); method != nullptr) {
      ASSIGN_OR_RETURN(std::vector<Value> values, Evaluate(*method, dot, arguments));
      values.insert(values.begin(), value);
      return method->function(values, functions_);
    }
    const bool is_map = value.kind == Value::kMap || value.kind == Value::kLabels;
    if (value.map) {
      auto it = value.map->find(name);
      const bool found = it != value.map->end();
      if ((is_map || found) && !arguments.empty()) {
        return Error(StrCat(name, is_map ? " is not a method but has arguments"
                                         : " has arguments but cannot be invoked as function"));
      }
      if (found) return it->second;
      if (is_map && exec_.missing_key_is_error)
        return Error(StrCat("map has no entry for key ", GoQuote(name)));
      if (is_map) return value.kind == Value::kLabels ? Value::String("") : Value();
    }
    return Error(
        StrCat("can't evaluate field ", name, " in type ", boxed ? "interface {}" : TypeName(value)));
  }

  // The arguments as the function wants them.
  absl::StatusOr<std::vector<Value>> Evaluate(const FunctionEntry& function, const Value& dot,
                                              const Arguments& arguments) {
    const size_t fixed = function.fixed();
    if (function.variadic() && arguments.size() < fixed) {
      return Error(StrCat("wrong number of args for ", function.name, ": want at least ", fixed, " got ",
                          arguments.nodes.size()));
    }
    if (!function.variadic() && arguments.size() != fixed) {
      return Error(
          StrCat("wrong number of args for ", function.name, ": want ", fixed, " got ", arguments.size()));
    }
    std::vector<Value> values;
    for (const NodePtr& node : arguments.nodes) {
      ASSIGN_OR_RETURN(Value value, Argument(*node, function.type(values.size()), dot));
      if (IsDecided(function.name, value)) return std::vector<Value>{std::move(value)};
      values.push_back(std::move(value));
    }
    if (arguments.final != nullptr) {
      ASSIGN_OR_RETURN(Value value, CheckType(*arguments.final, function.type(values.size())));
      values.push_back(std::move(value));
    }
    return values;
  }

  // `and` and `or` look at no more arguments than they need.
  static bool IsDecided(std::string_view function, const Value& value) {
    return (function == "and" || function == "or") && IsTrue(value) == (function == "or");
  }

  // `node` is the command, or the name alone where it is an argument.
  Answer Call(const Node& identifier, const Node& node, const Value& dot, const Arguments& arguments) {
    at_ = &identifier;
    const std::string& name = identifier.text;
    const FunctionEntry* function = FindFunction(name);
    if (function == nullptr) return Error(StrCat(GoQuote(name), " is not a defined function"));
    ASSIGN_OR_RETURN(std::vector<Value> values, Evaluate(*function, dot, arguments));
    if (name == "query" && options_.expired && options_.expired()) return Error("it takes too long");
    Answer answer = function->function(values, functions_);
    at_ = answer.ok() ? at_ : &node;
    if (!answer.ok() && name == "call" && values[0].kind != Value::kNil)
      return Error(StrCat("error calling call: non-function ", CalleeName(arguments), " of type ",
                          TypeName(values[0])));
    if (!answer.ok())
      return Error(StrCat("error calling ", name, ": ", std::string(answer.status().message())));
    if (answer->text.size() > options_.max_output_bytes)
      return Error(StrCat("result of ", name, " is longer than ", options_.max_output_bytes, " bytes"));
    return answer;
  }

  static std::string CalleeName(const Arguments& arguments) {
    if (!arguments.nodes.empty()) return NodeText(*arguments.nodes[0]);
    const Value& final = *arguments.final;
    return final.kind == Value::kString ? final.text : StrCat("<", TypeName(final), " Value>");
  }

  const TemplateSet& set_;
  const ExpandOptions& options_;
  const ExecOptions& exec_;
  FunctionContext functions_;
  std::string out_, name_;
  const Node* at_ = nullptr;  // what is looked at
  std::vector<std::pair<std::string, Value>> variables_;
  int depth_ = 0, walk_depth_ = 0;
  int64_t steps_ = 0;
};

}  // namespace

absl::StatusOr<std::string> Execute(const TemplateSet& set, const Value& dot, const ExpandOptions& options,
                                    const ExecOptions& exec) {
  return Executor(set, options, exec).Run(*set.root, set.name, dot);
}

}  // namespace narthex::tmpl
