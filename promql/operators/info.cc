#include <algorithm>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/operators/info_series.h"
#include "promql/operators/selectors.h"
#include "promql/operators/whole.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

// The way from a step's time to the samples of the first selector below `e`: @ and offset of the subqueries
// around it, from the outside in, then its own. False if there is no selector.
bool FindShifts(const Expr& e, const Steps& query_steps, std::vector<TimeShift>* shifts) {
  if (e.kind == ExprKind::kVectorSelector) {
    shifts->push_back(ShiftOf(e, query_steps));
    return true;
  }
  if (e.kind == ExprKind::kSubquery) shifts->push_back(ShiftOf(e, query_steps));
  for (const ExprPtr& child : e.children) {
    if (FindShifts(*child, query_steps, shifts)) return true;
  }
  if (e.kind == ExprKind::kSubquery) shifts->pop_back();
  return false;
}

std::string QuoteForRegex(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

class Info : public WholeMatrixOperator {
 public:
  Info(const Expr& v, const Matchers& selector, OperatorPtr child, QueryState* state, Steps steps)
      : WholeMatrixOperator("Info", state, steps) {
    children_.push_back(std::move(child));
    FindShifts(v, state->steps, &shifts_);
    for (const Matcher& matcher : selector) {
      (matcher.name() == kMetricName ? name_matchers_ : data_matchers_).push_back(matcher);
    }
  }

 private:
  absl::StatusOr<Matrix> Compute() override {
    RETURN_IF_ERROR(CompleteNameMatchers());
    ASSIGN_OR_RETURN(Matrix base, Input(0));
    std::vector<char> needed(columns(), 0);
    for (size_t r = 0; r < base.series.size(); ++r) {
      for (size_t i = 0; i < columns(); ++i) needed[i] |= base.rows.cells(r)[i] != Batch::kEmpty;
    }
    ASSIGN_OR_RETURN(Matchers targets, TargetMatchers(base));
    if (!targets.empty()) {
      Matchers all = name_matchers_;
      all.insert(all.end(), data_matchers_.begin(), data_matchers_.end());
      all.insert(all.end(), targets.begin(), targets.end());
      RETURN_IF_ERROR(info_.Read(all, References(), needed, state_));
    }
    return Join(base);
  }

  // Without a name it is target_info; where names are only excluded, all others that end in _info.
  absl::Status CompleteNameMatchers() {
    if (name_matchers_.empty()) name_matchers_.push_back(Matcher::Equal(kMetricName, "target_info"));
    for (const Matcher& matcher : name_matchers_) {
      if (matcher.op() == MatchOp::kEqual || matcher.op() == MatchOp::kRegex) return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(Matcher any_info, Matcher::Create(MatchOp::kRegex, kMetricName, ".+_info"));
    name_matchers_.push_back(std::move(any_info));
    return absl::OkStatus();
  }

  // Info series themselves stay as they are.
  bool IsInfo(const Labels& labels) const {
    return std::all_of(name_matchers_.begin(), name_matchers_.end(),
                       [&](const Matcher& m) { return m.Matches(labels.MetricName()); });
  }

  // Selects the targets of the base series; empty if none of them names one.
  absl::StatusOr<Matchers> TargetMatchers(const Matrix& base) const {
    Matchers out;
    for (std::string_view name : kTargetLabels) {
      std::set<std::string_view> values;
      for (const SeriesMeta& meta : base.series) {
        std::string_view value = meta.labels.Get(name);
        if (!value.empty() && !IsInfo(meta.labels)) values.insert(value);
      }
      if (values.empty()) continue;
      std::string pattern;
      for (std::string_view value : values) {
        StrAppend(&pattern, pattern.empty() ? "" : "|", QuoteForRegex(value));
      }
      ASSIGN_OR_RETURN(Matcher matcher, Matcher::Create(MatchOp::kRegex, name, pattern));
      out.push_back(std::move(matcher));
    }
    return out;
  }

  std::vector<int64_t> References() const {
    std::vector<int64_t> out;
    for (int i = 0; i < steps_.count; ++i) {
      int64_t t = steps_.Time(i);
      for (const TimeShift& shift : shifts_) t = shift.Reference(t);
      out.push_back(t);
    }
    return out;
  }

  absl::StatusOr<Matrix> Join(const Matrix& base) {
    std::vector<Cell> cells;
    Matrix out;
    absl::flat_hash_map<Labels, size_t> rows;
    for (size_t r = 0; r < base.series.size(); ++r) {
      RETURN_IF_ERROR(state_->Check());
      RETURN_IF_ERROR(JoinSeries(base, r, &rows, &out.series, &cells));
    }
    RETURN_IF_ERROR(held_.Add(static_cast<int64_t>(cells.size())));
    out.rows.Reset(out.series.size(), columns());
    for (const Cell& cell : cells) {
      if (out.rows.cells(cell.row)[cell.step] != Batch::kEmpty) {
        return absl::FailedPreconditionError("vector cannot contain metrics with the same labelset");
      }
      out.rows.CopyCell(cell.row, cell.step, base.rows, cell.base, cell.step);
    }
    return out;
  }

  // Where a sample of the base goes.
  struct Cell {
    size_t base, row, step;
  };

  absl::Status JoinSeries(const Matrix& base, size_t r, absl::flat_hash_map<Labels, size_t>* rows,
                          std::vector<SeriesMeta>* series, std::vector<Cell>* cells) {
    const SeriesMeta& meta = base.series[r];
    const bool is_info = IsInfo(meta.labels);
    const InfoSeries::ByMetric* metrics = is_info ? nullptr : info_.Of(meta.labels);
    std::vector<int32_t> before, now;  // the info series in force
    size_t row = 0;
    bool known = false;
    for (size_t i = 0; i < columns(); ++i) {
      if (base.rows.cells(r)[i] == Batch::kEmpty) continue;
      now.clear();
      if (metrics != nullptr) {
        for (const auto& [name, in_force] : *metrics) {
          if (in_force[i] != InfoSeries::kNone) now.push_back(in_force[i]);
        }
      }
      if (now.empty() && !is_info && NeedsInfo()) continue;
      if (!known || now != before) {
        ASSIGN_OR_RETURN(Labels labels, Enrich(meta.labels, now));
        row = rows->try_emplace(labels, series->size()).first->second;
        if (row == series->size()) series->push_back({std::move(labels), meta.drop_name});
        before = now;
        known = true;
      }
      cells->push_back({r, row, i});
    }
    return absl::OkStatus();
  }

  // A data label that must not be empty cannot come from nowhere.
  bool NeedsInfo() const {
    return std::any_of(data_matchers_.begin(), data_matchers_.end(),
                       [](const Matcher& m) { return !m.MatchesEmpty(); });
  }

  bool IsWanted(std::string_view label) const {
    if (label == kMetricName) return false;
    return data_matchers_.empty() || std::any_of(data_matchers_.begin(), data_matchers_.end(),
                                                 [&](const Matcher& m) { return m.name() == label; });
  }

  absl::StatusOr<Labels> Enrich(const Labels& base, const std::vector<int32_t>& in_force) const {
    LabelsBuilder out(base);
    for (int32_t info : in_force) {
      for (LabelView label : info_.labels(info)) {
        if (!IsWanted(label.name) || base.Has(label.name)) continue;
        std::string_view other = out.Get(label.name);
        if (!other.empty() && other != label.value) {
          return absl::FailedPreconditionError(StrCat("conflicting label: ", label.name));
        }
        out.Set(label.name, label.value);
      }
    }
    return out.Build();
  }

  std::vector<TimeShift> shifts_;
  Matchers name_matchers_, data_matchers_;  // of the info series
  InfoSeries info_;
};

}  // namespace

OperatorPtr NewInfo(const Expr& v, const Matchers& selector, OperatorPtr child, QueryState* state,
                    Steps steps) {
  return std::make_unique<Info>(v, selector, std::move(child), state, steps);
}

}  // namespace narthex::promql
