#include "template/exec.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "template/escape.h"
#include "template/functions.h"
#include "template/times.h"

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
    ++depth_;
    absl::Status status = depth_ > options_.max_depth
                              ? absl::InvalidArgumentError("exceeded maximum template depth")
                              : Walk(root, dot).status();
    --depth_;
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

  absl::Status Error(const Node& at, std::string_view message) const {
    std::string_view before = std::string_view(set_.text).substr(0, at.pos);
    auto line = 1 + std::count(before.begin(), before.end(), '\n');
    size_t newline = before.rfind('\n');
    size_t column = newline == before.npos ? at.pos : at.pos - newline - 1;
    return absl::InvalidArgumentError(StrCat("template: ", set_.name, ":", line, ":", column, ": executing ",
                                             GoQuote(name_), " at <", NodeText(at), ">: ", message));
  }

  absl::Status Write(const Node& at, std::string_view text) {
    out_.append(text);
    if (out_.size() <= options_.max_output_bytes) return absl::OkStatus();
    return Error(at, StrCat("output is longer than ", options_.max_output_bytes, " bytes"));
  }

  absl::Status CountStep(const Node& node) {
    if (++steps_ > kMaxSteps) return Error(node, "too many steps");
    if (steps_ % kStepsPerLook == 0 && options_.expired && options_.expired())
      return Error(node, "it takes too long");
    return absl::OkStatus();
  }

  absl::StatusOr<Flow> Walk(const Node& node, const Value& dot) {
    RETURN_IF_ERROR(CountStep(node));
    if (walk_depth_ >= kMaxWalkDepth) return Error(node, "nested too deeply");
    ++walk_depth_;
    absl::StatusOr<Flow> flow = WalkNode(node, dot);
    --walk_depth_;
    return flow;
  }

  absl::StatusOr<Flow> WalkNode(const Node& node, const Value& dot) {
    switch (node.kind) {
      case NodeKind::kText:
        RETURN_IF_ERROR(Write(node, node.text));
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
        std::string text = PrintText(value);
        if (exec_.escape_html && !value.safe_html) text = HtmlEscape(text);
        RETURN_IF_ERROR(Write(node, text));
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
        return Error(node, "unknown node");
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
    ASSIGN_OR_RETURN(Value value, PipelineValue(pipe, dot));
    bool is_map = value.kind == Value::kMap || value.kind == Value::kLabels;
    if (!value.list && !is_map && value.kind != Value::kInt && value.kind != Value::kNil) {
      return Error(pipe, StrCat("range can't iterate over ", PrintText(value)));
    }
    bool empty = true, stop = false;
    auto run = [&](const Value& key, const Value& item) -> absl::Status {
      empty = false;
      Bind(pipe, key, item);
      ASSIGN_OR_RETURN(Flow flow, Walk(*node.children[1], item));
      variables_.resize(outer);
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
    } else {
      int64_t count = value.kind == Value::kInt ? value.integer : 0;
      for (int64_t i = 0; i < count && !stop; ++i) RETURN_IF_ERROR(run(Value::Int(i), Value::Int(i)));
    }
    if (!empty || !node.children[2]) return Flow::kNormal;
    absl::StatusOr<Flow> flow = Walk(*node.children[2], dot);
    variables_.resize(outer);
    return flow;
  }

  // The variables of {{range $i, $v := ...}}: the last one is the element.
  void Bind(const Node& pipe, const Value& key, const Value& item) {
    if (pipe.variables.empty()) return;
    std::vector<std::pair<std::string, Value>> bound;
    if (pipe.variables.size() == 2) bound.emplace_back(pipe.variables[0], key);
    bound.emplace_back(pipe.variables.back(), item);
    for (auto& [name, value] : bound) {
      if (pipe.assign) {
        Assign(name, value);
      } else {
        variables_.emplace_back(name, value);
      }
    }
  }

  absl::StatusOr<Flow> Template(const Node& node, const Value& dot) {
    Value argument;
    if (node.children[0]) {
      ASSIGN_OR_RETURN(argument, Pipeline(*node.children[0], dot));
    }
    auto it = set_.defined.find(node.text);
    if (it == set_.defined.end()) return Error(node, StrCat("template ", GoQuote(node.text), " not defined"));
    if (depth_ >= options_.max_depth) return Error(node, "exceeded maximum template depth");
    ASSIGN_OR_RETURN(std::string text, Run(*it->second, node.text, argument));
    RETURN_IF_ERROR(Write(node, text));
    return Flow::kNormal;
  }

  void Assign(const std::string& name, const Value& value) {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first == name) {
        it->second = value;
        return;
      }
    }
  }

  Answer PipelineValue(const Node& pipe, const Value& dot) {
    Value value;
    for (size_t i = 0; i < pipe.children.size(); ++i) {
      ASSIGN_OR_RETURN(value, Command(*pipe.children[i], dot, i == 0 ? nullptr : &value));
    }
    return value;
  }

  Answer Pipeline(const Node& pipe, const Value& dot) {
    ASSIGN_OR_RETURN(Value value, PipelineValue(pipe, dot));
    for (const std::string& name : pipe.variables) {
      if (pipe.assign) {
        Assign(name, value);
      } else {
        variables_.emplace_back(name, value);
      }
    }
    return value;
  }

  // `final` is the value from the stage before, the last argument.
  Answer Command(const Node& command, const Value& dot, const Value* final) {
    RETURN_IF_ERROR(CountStep(command));
    const Node& first = *command.children[0];
    bool arguments = command.children.size() > 1 || final != nullptr;
    switch (first.kind) {
      case NodeKind::kIdentifier:
        return Call(command, first.text, dot, final);
      case NodeKind::kField:
      case NodeKind::kChain:
      case NodeKind::kVariable: {
        std::vector<Value> args;
        for (size_t i = 1; i < command.children.size(); ++i) {
          ASSIGN_OR_RETURN(Value arg, Operand(*command.children[i], dot));
          args.push_back(std::move(arg));
        }
        if (final != nullptr) args.push_back(*final);
        return Access(first, dot, args);
      }
      case NodeKind::kNil:
        return Error(first, "nil is not a command");
      default:
        if (arguments) return Error(first, StrCat("can't give argument to non-function ", NodeText(first)));
        return Operand(first, dot);
    }
  }

  // One argument.
  Answer Operand(const Node& node, const Value& dot) {
    switch (node.kind) {
      case NodeKind::kDot:
        return dot;
      case NodeKind::kNil:
        return Value();
      case NodeKind::kLiteral:
        return node.literal;
      case NodeKind::kPipe:
        return Pipeline(node, dot);
      case NodeKind::kIdentifier:
        return CallWith(node, node.text, {});
      default:
        return Access(node, dot, {});
    }
  }

  // .a.b, $x.a, (pipe).a; arguments go to a method at the end.
  Answer Access(const Node& node, const Value& dot, const std::vector<Value>& args) {
    Value value = dot;
    size_t first = 0;
    if (node.kind == NodeKind::kVariable) {
      auto it = std::find_if(variables_.rbegin(), variables_.rend(),
                             [&](const auto& v) { return v.first == node.names[0]; });
      if (it == variables_.rend()) return Error(node, StrCat("undefined variable: ", node.names[0]));
      value = it->second;
      first = 1;
    } else if (node.kind == NodeKind::kChain) {
      ASSIGN_OR_RETURN(value, Operand(*node.children[0], dot));
    }
    if (first == node.names.size() && !args.empty()) {
      return Error(node, StrCat("can't give argument to non-function ", NodeText(node)));
    }
    for (size_t i = first; i < node.names.size(); ++i) {
      bool last = i + 1 == node.names.size();
      ASSIGN_OR_RETURN(value, Field(node, value, node.names[i], last ? args : std::vector<Value>()));
    }
    return value;
  }

  Answer Field(const Node& node, const Value& value, const std::string& name,
               const std::vector<Value>& args) {
    if (value.kind == Value::kTime || value.kind == Value::kDuration) return Method(node, value, name, args);
    if (!args.empty()) return Error(node, StrCat(name, " is not a method but has arguments"));
    if (value.kind == Value::kNil) {
      if (exec_.missing_key_is_error)
        return Error(node, StrCat("nil data; no entry for key ", GoQuote(name)));
      return Value();
    }
    if (!value.map) {
      return Error(node, StrCat("can't evaluate field ", name, " in type ", TypeName(value)));
    }
    auto it = value.map->find(name);
    if (it != value.map->end()) return it->second;
    bool is_map = value.kind == Value::kMap || value.kind == Value::kLabels;
    if (!is_map) return Error(node, StrCat("can't evaluate field ", name, " in type ", TypeName(value)));
    if (exec_.missing_key_is_error) return Error(node, StrCat("map has no entry for key ", GoQuote(name)));
    return value.kind == Value::kLabels ? Value::String("") : Value();
  }

  Answer Method(const Node& node, const Value& value, const std::string& name,
                const std::vector<Value>& args) {
    if (value.kind == Value::kTime) {
      if (name == "Format" && args.size() == 1) return Value::String(TimeFormat(value.number, args[0].text));
      if (name == "String" && args.empty()) return Value::String(TimeString(value.number));
      if (name == "Unix" && args.empty()) return Value::Int(static_cast<int64_t>(value.number));
    } else {
      double seconds = static_cast<double>(value.integer) / 1e9;
      if (name == "String" && args.empty()) return Value::String(DurationString(value.integer));
      if (name == "Seconds" && args.empty()) return Value::Float(seconds);
      if (name == "Minutes" && args.empty()) return Value::Float(seconds / 60);
      if (name == "Hours" && args.empty()) return Value::Float(seconds / 3600);
      if (name == "Milliseconds" && args.empty()) return Value::Int(value.integer / 1'000'000);
    }
    return Error(node, StrCat("can't evaluate field ", name, " in type ", TypeName(value)));
  }

  Answer Call(const Node& command, const std::string& name, const Value& dot, const Value* final) {
    std::vector<Value> args;
    bool lazy = name == "and" || name == "or";
    for (size_t i = 1; i < command.children.size(); ++i) {
      ASSIGN_OR_RETURN(Value arg, Operand(*command.children[i], dot));
      if (lazy && IsTrue(arg) == (name == "or")) return arg;
      args.push_back(std::move(arg));
    }
    if (final != nullptr) args.push_back(*final);
    return CallWith(command, name, args);
  }

  Answer CallWith(const Node& at, const std::string& name, const std::vector<Value>& args) {
    const FunctionEntry* function = FindFunction(name);
    if (function == nullptr) return Error(at, StrCat(GoQuote(name), " is not a defined function"));
    int count = static_cast<int>(args.size());
    if (function->max_args >= 0 && function->min_args == function->max_args && count != function->min_args) {
      return Error(at,
                   StrCat("wrong number of args for ", name, ": want ", function->min_args, " got ", count));
    }
    if (count < function->min_args || (function->max_args >= 0 && count > function->max_args)) {
      return Error(at, StrCat("wrong number of args for ", name, ": want at least ", function->min_args,
                              " got ", count));
    }
    if (name == "query" && options_.expired && options_.expired()) return Error(at, "it takes too long");
    Answer answer = function->function(args, functions_);
    if (answer.ok() && answer->text.size() > options_.max_output_bytes) {
      return Error(at, StrCat("result of ", name, " is longer than ", options_.max_output_bytes, " bytes"));
    }
    if (answer.ok()) return answer;
    std::string message(answer.status().message());
    bool type_error = message.starts_with("wrong type for value");
    return Error(at, type_error ? message : StrCat("error calling ", name, ": ", message));
  }

  const TemplateSet& set_;
  const ExpandOptions& options_;
  const ExecOptions& exec_;
  FunctionContext functions_;
  std::string out_, name_;
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
