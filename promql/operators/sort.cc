#include <algorithm>
#include <cmath>
#include <numeric>

#include "promql/operators/whole.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

// Brings the series of an instant result into another order. Range results are sorted by their labels at the
// end.
class Sorter : public WholeMatrixOperator {
 public:
  Sorter(std::string text, OperatorPtr child, QueryState* state, Steps steps)
      : WholeMatrixOperator(std::move(text), state, steps) {
    children_.push_back(std::move(child));
  }

 protected:
  virtual void Order(const Matrix& input, std::vector<size_t>* order) const = 0;
  virtual bool KeepsHistograms() const { return false; }

 private:
  absl::StatusOr<Matrix> Compute() override {
    ASSIGN_OR_RETURN(Matrix input, Input(0));
    if (columns() != 1) {
      if (!KeepsHistograms()) DropHistograms(&input);
      return input;
    }
    std::vector<size_t> order;
    for (size_t s = 0; s < input.series.size(); ++s) {
      Batch::Cell cell = input.rows.cells(s)[0];
      if (cell == Batch::kFloat || (cell == Batch::kHistogram && KeepsHistograms())) order.push_back(s);
    }
    Order(input, &order);
    Matrix out;
    out.rows.Reset(order.size(), 1);
    for (size_t r = 0; r < order.size(); ++r) {
      out.series.push_back(input.series[order[r]]);
      out.rows.CopyCell(r, 0, input.rows, order[r], 0);
    }
    return out;
  }

  static void DropHistograms(Matrix* matrix) {
    if (!matrix->rows.has_histograms()) return;
    for (size_t s = 0; s < matrix->series.size(); ++s) {
      for (size_t i = 0; i < matrix->rows.steps(); ++i) {
        if (matrix->rows.cells(s)[i] == Batch::kHistogram) matrix->rows.Clear(s, i);
      }
    }
  }
};

class SortByValue : public Sorter {
 public:
  SortByValue(OperatorPtr child, bool descending, QueryState* state, Steps steps)
      : Sorter(descending ? "Sort descending" : "Sort", std::move(child), state, steps),
        descending_(descending) {}

 private:
  void Order(const Matrix& input, std::vector<size_t>* order) const override {
    std::stable_sort(order->begin(), order->end(), [&](size_t a, size_t b) {
      double x = input.rows.values(a)[0], y = input.rows.values(b)[0];
      if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
      return descending_ ? x > y : x < y;
    });
  }
  const bool descending_;
};

// "a2" before "a10": runs of digits compare as numbers.
int NaturalCompare(std::string_view a, std::string_view b) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  while (!a.empty() && !b.empty()) {
    if (digit(a[0]) && digit(b[0])) {
      auto run = [&](std::string_view* text) {
        while (text->size() > 1 && (*text)[0] == '0' && digit((*text)[1])) text->remove_prefix(1);
        size_t n = 0;
        while (n < text->size() && digit((*text)[n])) ++n;
        std::string_view number = text->substr(0, n);
        text->remove_prefix(n);
        return number;
      };
      std::string_view x = run(&a), y = run(&b);
      if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
      if (int c = x.compare(y); c != 0) return c;
      continue;
    }
    if (a[0] != b[0]) return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]) ? -1 : 1;
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.empty() ? (b.empty() ? 0 : -1) : 1;
}

class SortByLabel : public Sorter {
 public:
  SortByLabel(OperatorPtr child, std::vector<std::string> labels, bool descending, QueryState* state,
              Steps steps)
      : Sorter("SortByLabel", std::move(child), state, steps),
        labels_(std::move(labels)),
        descending_(descending) {}

 private:
  bool KeepsHistograms() const override { return true; }
  void Order(const Matrix& input, std::vector<size_t>* order) const override {
    std::stable_sort(order->begin(), order->end(), [&](size_t a, size_t b) {
      const Labels &x = input.series[a].labels, &y = input.series[b].labels;
      for (const std::string& name : labels_) {
        int c = NaturalCompare(x.Get(name), y.Get(name));
        if (c != 0) return descending_ ? c > 0 : c < 0;
      }
      return descending_ ? y < x : x < y;
    });
  }
  const std::vector<std::string> labels_;
  const bool descending_;
};

}  // namespace

OperatorPtr NewSort(OperatorPtr child, bool descending, QueryState* state, Steps steps) {
  return std::make_unique<SortByValue>(std::move(child), descending, state, steps);
}
OperatorPtr NewSortByLabel(OperatorPtr child, std::vector<std::string> labels, bool descending,
                           QueryState* state, Steps steps) {
  return std::make_unique<SortByLabel>(std::move(child), std::move(labels), descending, state, steps);
}

}  // namespace narthex::promql
