// convert_classic_histograms_to_nhcb, for any format: the series of a classic histogram go by, and after the
// last one comes the native histogram that they make.
#include <cmath>
#include <optional>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "scraper/classic_histogram.h"
#include "scraper/parser.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

class HistogramConverter : public ExpositionParser {
 public:
  HistogramConverter(std::unique_ptr<ExpositionParser> inner, bool keep_classic)
      : inner_(std::move(inner)), keep_classic_(keep_classic) {}

  absl::StatusOr<EntryKind> Next() override {
    emitting_ = false;
    while (true) {
      if (!pending_) {
        ASSIGN_OR_RETURN(pending_, inner_->Next());
        part_ = *pending_ == EntryKind::kSeries ? ReadPart() : ClassicPart::kNone;
      }
      const bool joins = part_ != ClassicPart::kNone;
      if (collecting_ && !(joins && key_ == collected_key_) && Finish()) return EntryKind::kHistogram;
      const EntryKind kind = *std::exchange(pending_, std::nullopt);
      if (kind == EntryKind::kHistogram) ReadKey();
      if (kind == EntryKind::kHistogram) native_key_ = key_;
      if (joins && key_ != native_key_) {
        Collect();
        if (!keep_classic_) continue;
      }
      Publish();
      return kind;
    }
  }

  bool TrySeries(PageText expected) override {
    if (collecting_ || pending_ || inner_->type() == "histogram" || !inner_->TrySeries(expected))
      return false;
    emitting_ = false;
    Publish();
    return true;
  }

  int64_t StartTimestamp() override { return emitting_ ? start_ms_ : inner_->StartTimestamp(); }
  std::vector<ParsedExemplar> Exemplars() const override {
    return emitting_ ? exemplars_ : inner_->Exemplars();
  }
  HistogramPtr Histogram() const override { return emitting_ ? histogram_ : inner_->Histogram(); }
  void BuildLabels(LabelPairs* out) const override {
    if (emitting_) {
      *out = emitted_labels_;
    } else {
      inner_->BuildLabels(out);
    }
  }
  std::string help() const override { return inner_->help(); }

 private:
  // Which part of a histogram the series at hand is; key_ then tells which histogram, bound_ which bucket.
  ClassicPart ReadPart() {
    if (inner_->type() != "histogram") return ClassicPart::kNone;
    ReadKey();
    ClassicPart part = PartOfHistogram(name_, inner_->metric());
    if (part != ClassicPart::kBucket) return part;
    return bound_ && !std::isnan(*bound_) ? part : ClassicPart::kNone;
  }

  void ReadKey() {
    inner_->BuildLabels(&labels_);
    key_ = inner_->metric();
    bound_.reset();
    for (const auto& [name, value] : labels_) {
      if (name == "__name__") {
        name_ = value;
      } else if (name == "le") {
        bound_ = ParseGoFloat(value);
      } else {
        StrAppend(&key_, "\xff", name, "\xff", value);
      }
    }
  }

  void Collect() {
    if (!collecting_) {
      collecting_ = true;
      collected_key_ = key_;
      collected_.Clear();
      collected_exemplars_.clear();
      collected_labels_.assign({{"__name__", std::string(inner_->metric())}});
      for (auto& pair : labels_) {
        if (pair.first != "__name__" && pair.first != "le") collected_labels_.push_back(pair);
      }
      collected_has_ts_ = inner_->has_timestamp();
      collected_ts_ = inner_->timestamp();
      collected_start_ms_ = inner_->StartTimestamp();
    }
    if (part_ == ClassicPart::kBucket) collected_.SetBucket(*bound_, inner_->value());
    if (part_ == ClassicPart::kCount) collected_.SetCount(inner_->value());
    if (part_ == ClassicPart::kSum) collected_.SetSum(inner_->value());
    if (!inner_->has_exemplar()) return;
    for (ParsedExemplar& exemplar : inner_->Exemplars()) collected_exemplars_.push_back(std::move(exemplar));
  }

  // What was gathered becomes the entry at hand. False if it makes no histogram.
  bool Finish() {
    collecting_ = false;
    histogram_ = collected_.Convert();
    if (histogram_ == nullptr) return false;
    emitting_ = true;
    emitted_labels_.swap(collected_labels_);
    exemplars_.swap(collected_exemplars_);
    emitted_key_ = StrCat("\xff", collected_key_);
    series_ = emitted_key_;
    ts_ = collected_ts_;
    has_ts_ = collected_has_ts_;
    start_ms_ = collected_start_ms_;
    has_exemplar_ = !exemplars_.empty();
    return true;
  }

  void Publish() {
    series_ = inner_->series();
    metric_ = inner_->metric();
    text_ = inner_->text();
    type_ = inner_->type();
    value_ = inner_->value();
    ts_ = inner_->timestamp();
    has_ts_ = inner_->has_timestamp();
    has_exemplar_ = inner_->has_exemplar();
  }

  const std::unique_ptr<ExpositionParser> inner_;
  const bool keep_classic_;
  std::optional<EntryKind> pending_;  // read from inner_, not yet passed on
  // Of the entry at hand.
  ClassicPart part_ = ClassicPart::kNone;
  LabelPairs labels_;
  std::string key_, name_, native_key_;
  std::optional<double> bound_;
  // Of the histogram being gathered.
  bool collecting_ = false, collected_has_ts_ = false;
  std::string collected_key_;
  ClassicHistogram collected_;
  LabelPairs collected_labels_;
  std::vector<ParsedExemplar> collected_exemplars_;
  int64_t collected_ts_ = 0, collected_start_ms_ = 0;
  // Of the histogram that was just passed on.
  bool emitting_ = false;
  HistogramPtr histogram_;
  LabelPairs emitted_labels_;
  std::string emitted_key_;
  std::vector<ParsedExemplar> exemplars_;
  int64_t start_ms_ = 0;
};

}  // namespace

std::unique_ptr<ExpositionParser> NewHistogramConverter(std::unique_ptr<ExpositionParser> inner,
                                                        ParserOptions options) {
  return std::make_unique<HistogramConverter>(std::move(inner), options.keep_classic);
}

}  // namespace narthex::scraper
