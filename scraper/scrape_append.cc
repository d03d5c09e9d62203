// The body of a scrape, line by line into the target's group.
#include <set>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "scraper/histogram_limits.h"
#include "scraper/page_pieces.h"
#include "scraper/scrape_loop.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

constexpr int64_t kMaxAheadMs = 10 * 60 * 1000;  // samples further in the future are refused

absl::Status CheckUnique(const LabelPairs& exposed) {
  for (size_t i = 1; i < exposed.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (exposed[i].first == exposed[k].first) {
        return Invalid("label name ", GoQuote(exposed[i].first), " is not unique: invalid sample");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNames(const Labels& labels, bool legacy) {
  std::string_view metric = labels.MetricName();
  if (metric.empty()) return Invalid("missing metric name (__name__ label)");
  bool valid = legacy ? IsLegacyMetricName(metric) : IsValidUtf8(metric);
  for (LabelView l : labels) {
    if (!valid) break;
    const bool name = legacy ? IsLegacyLabelName(l.name) : !l.name.empty() && IsValidUtf8(l.name);
    valid = name && IsValidUtf8(l.value);
  }
  if (valid) return absl::OkStatus();
  std::string text;
  for (LabelView l : labels) {
    StrAppend(&text, text.empty() ? "{" : ", ",
              IsLegacyLabelName(l.name) ? std::string(l.name) : GoQuote(l.name), "=", GoQuote(l.value));
  }
  return Invalid("invalid metric name or label names: ", text, "}");
}

}  // namespace

absl::Status ScrapeLoop::Append(absl::StatusOr<HttpClientResponse> response, Scrape* scrape) {
  if (response.ok()) return AppendPiece(&*response, true, scrape);
  if (absl::IsResourceExhausted(response.status())) {
    metrics_->exceeded_body_size_limit->Add();
    scrape->outcome.body_bytes = -1;
  }
  return response.status();
}

absl::Status ScrapeLoop::ChooseParser(const HttpClientResponse& response, Scrape* scrape) {
  RETURN_IF_ERROR(CheckStatus(response));
  if (response.body.empty()) return absl::OkStatus();
  scrape->any = true;
  if (format_of_.empty() || response.content_type != format_of_) {
    ASSIGN_OR_RETURN(FormatChoice choice,
                     ChooseFormat(response.content_type, config_->fallback_scrape_protocol));
    if (!choice.warning.empty()) {
      options_.logger->Debug("Invalid content type on scrape, using fallback setting.",
                             {{"target", target_.url}, {"err", choice.warning}});
    }
    format_of_ = response.content_type;
    format_ = choice.format;
  }
  scrape->format = format_;
  return absl::OkStatus();
}

absl::Status ScrapeLoop::AppendPiece(HttpClientResponse* response, bool last, Scrape* scrape) {
  if (!scrape->any) RETURN_IF_ERROR(ChooseParser(*response, scrape));
  scrape->outcome.body_bytes += static_cast<int64_t>(response->body.size());
  if (!scrape->any) return absl::OkStatus();  // an empty page
  std::string page = std::move(response->body);
  if (!scrape->carry.empty()) page.insert(0, scrape->carry);
  scrape->carry.clear();
  if (!last) {
    const size_t cut = CompletePrefix(scrape->format, page, config_->convert_classic_histograms_to_nhcb);
    scrape->carry.assign(page, cut);
    page.resize(cut);
    if (cut == 0) return absl::OkStatus();
    if (scrape->format == Format::kOpenMetrics) page += "# EOF\n";
  }
  if (!scrape->family.empty()) page.insert(0, scrape->family);
  std::unique_ptr<ExpositionParser> parser = NewParser(scrape->format, &page);
  RETURN_IF_ERROR(AppendBody(parser.get(), scrape->t, &scrape->outcome));
  if (last) return absl::OkStatus();
  parser->CatchUp();
  const bool between_families = scrape->carry.starts_with("# ");
  scrape->family = between_families ? "" : FamilyLine(scrape->format, *parser);
  return absl::OkStatus();
}

std::unique_ptr<ExpositionParser> ScrapeLoop::NewParser(Format format, std::string* body) const {
  ParserOptions options;
  options.skip_created = options_.start_timestamps;
  options.type_and_unit_labels = options_.type_and_unit_labels;
  options.native_histograms = config_->scrape_native_histograms;
  options.keep_classic = config_->always_scrape_classic_histograms;
  const bool convert = config_->convert_classic_histograms_to_nhcb;
  std::unique_ptr<ExpositionParser> parser = format == Format::kProtobuf ? NewProtobufParser(*body, options)
                                             : format == Format::kOpenMetrics
                                                 ? NewOpenMetricsParser(*body, options)
                                                 : NewTextParser(body, options);
  return convert ? NewHistogramConverter(std::move(parser), options) : std::move(parser);
}

// A line that is where it was on the last page, with a plain value.
void ScrapeLoop::AppendKnown(const SeriesCache::Entry& entry, double value, Outcome* outcome) {
  ++outcome->scraped;
  if (entry.dropped) return;
  ++outcome->added;
  const tsdb::AppendResult result = group_->Set(entry.slot, value);
  if (result != tsdb::AppendResult::kOk) Count(result, outcome);
}

// Skips the metadata that the last page had at this place, if it is there again.
bool ScrapeLoop::SkipKnownMetadata(ExpositionParser* parser) {
  const SeriesCache::Gap* gap = cache_.PredictedGap();
  if (gap == nullptr || !metadata_.Knows(gap->first_note, gap->notes) || !parser->TryMetadata(gap->text)) {
    return false;
  }
  metadata_.Skip(gap->notes);
  cache_.TakeGap();
  return true;
}

absl::Status ScrapeLoop::AppendBody(ExpositionParser* parser, int64_t t, Outcome* outcome) {
  // Metadata that was not expected, since the last series.
  bool in_gap = false;
  size_t gap_begin = 0;
  uint32_t gap_note = 0;
  while (true) {
    while (cache_.MayHaveGap() && SkipKnownMetadata(parser)) in_gap = false;
    SeriesCache::Entry* entry = cache_.Predicted();
    const bool fast = entry != nullptr && parser->TrySeries(entry->text());
    if (fast && !in_gap && cache_.TouchPredicted()) {  // nearly all lines of nearly all pages
      AppendKnown(*entry, parser->value(), outcome);
      continue;
    }
    EntryKind kind = EntryKind::kSeries;
    if (!fast) {
      if (!in_gap) {
        in_gap = true;
        gap_begin = parser->Position();
        gap_note = metadata_.notes();
      }
      ASSIGN_OR_RETURN(kind, parser->Next());
      if (kind == EntryKind::kEnd) break;
      if (kind == EntryKind::kComment) continue;
      if (kind != EntryKind::kSeries && kind != EntryKind::kHistogram) {
        metadata_.Note(*parser, kind);
        continue;
      }
      const PageText text = PageText::Of(parser->series());
      if (entry == nullptr || entry->text() != text) entry = cache_.Find(text);
    }
    if (in_gap && metadata_.notes() > gap_note) {
      const std::string_view gap = parser->Before(gap_begin);
      if (!gap.empty()) cache_.AddGap(PageText::Of(gap), gap_note, metadata_.notes() - gap_note);
    }
    in_gap = false;
    ++outcome->scraped;
    RETURN_IF_ERROR(AppendLine(parser, kind, entry, !fast, t, outcome));
  }
  // Counted to the end first, so that the report says how many samples there were.
  if (config_->sample_limit > 0 && outcome->added > config_->sample_limit) {
    metrics_->exceeded_sample_limit->Add();
    return Invalid("sample limit exceeded");
  }
  if (outcome->bucket_limit) {
    metrics_->exceeded_bucket_limit->Add();
    return Invalid("histogram bucket limit exceeded");
  }
  return absl::OkStatus();
}

// nullptr: nothing of the series is stored, and it is not remembered.
absl::StatusOr<SeriesCache::Entry*> ScrapeLoop::AddEntry(const ExpositionParser& parser, Outcome* outcome) {
  // First of all, so that a flood of new series costs as little as can be.
  if (!share_.Take()) {
    if (outcome->refused++ == 0) refused_example_ = parser.series().substr(0, 200);
    return nullptr;
  }
  parser.BuildLabels(&scratch_);
  RETURN_IF_ERROR(CheckUnique(scratch_));
  Labels labels;
  if (!SeriesLabels(scratch_, target_.public_labels, *config_, &labels) || labels.empty()) {
    share_.Return();
    return cache_.MayAddDropped() ? cache_.AddDropped(PageText::Of(parser.series())) : nullptr;
  }
  RETURN_IF_ERROR(CheckNames(labels, config_->metric_name_validation_scheme == "legacy"));
  absl::Status limits = CheckLabelLimits(labels, *config_);
  if (!limits.ok()) {
    metrics_->exceeded_label_limits->Add();
    return limits;
  }
  absl::StatusOr<tsdb::Slot> slot = group_->AddSeries(labels);
  if (absl::IsResourceExhausted(slot.status())) {
    share_.Return();
    if (outcome->refused++ == 0) refused_example_ = parser.series().substr(0, 200);
    return nullptr;
  }
  RETURN_IF_ERROR(slot.status());
  return cache_.Add(PageText::Of(parser.series()), *slot);
}

absl::Status ScrapeLoop::AppendLine(ExpositionParser* parser, EntryKind kind, SeriesCache::Entry* entry,
                                    bool parsed, int64_t t, Outcome* outcome) {
  if (entry != nullptr) return AppendSeries(parser, kind, entry, parsed, t, outcome);
  // Series past the limit are only counted: the scrape is going to be refused as a whole.
  if (config_->sample_limit > 0 && outcome->added >= config_->sample_limit) {
    ++outcome->added;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(entry, AddEntry(*parser, outcome));
  if (entry == nullptr) return absl::OkStatus();
  // As upstream: a series counts as new once a sample of it is taken.
  const int64_t rejected = outcome->rejected();
  RETURN_IF_ERROR(AppendSeries(parser, kind, entry, parsed, t, outcome));
  if (!entry->dropped && outcome->rejected() == rejected && !outcome->bucket_limit) ++outcome->new_series;
  return absl::OkStatus();
}

absl::Status ScrapeLoop::AppendSeries(ExpositionParser* parser, EntryKind kind, SeriesCache::Entry* entry,
                                      bool parsed, int64_t t, Outcome* outcome) {
  const bool first = cache_.Touch(entry);
  if (entry->dropped) return absl::OkStatus();
  ++outcome->added;
  const bool own_time = config_->honor_timestamps && parser->has_timestamp();
  if (!first && !own_time) {
    ++outcome->duplicate;
    metrics_->duplicate_timestamp->Add();
    return absl::OkStatus();
  }
  if (own_time && parser->timestamp() > options_.clock->NowMs() + kMaxAheadMs) {
    ++outcome->out_of_bounds;
    metrics_->out_of_bounds->Add();
    return absl::OkStatus();
  }
  if (!parsed && !own_time) {
    Count(group_->Set(entry->slot, parser->value()), outcome);
    return absl::OkStatus();
  }
  return AppendSample(parser, kind, entry->slot, parsed, own_time ? parser->timestamp() : t, outcome);
}

absl::Status ScrapeLoop::AppendSample(ExpositionParser* parser, EntryKind kind, tsdb::Slot slot, bool parsed,
                                      int64_t t, Outcome* outcome) {
  const bool own_time = config_->honor_timestamps && parser->has_timestamp();
  tsdb::Sample sample;
  sample.t = t;
  sample.start_t = parsed && options_.start_timestamps ? parser->StartTimestamp() : 0;
  if (kind == EntryKind::kHistogram) {
    absl::StatusOr<HistogramPtr> histogram = LimitHistogram(parser->Histogram(), *config_);
    if (absl::IsResourceExhausted(histogram.status())) {
      outcome->bucket_limit = true;
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(histogram.status());
    sample.h = *std::move(histogram);
  } else {
    sample.v = parser->value();
  }
  if (own_time || sample.h != nullptr || sample.start_t != 0) {
    Count(group_->SetSample(slot, sample, !own_time || config_->track_timestamps_staleness), outcome);
  } else {
    Count(group_->Set(slot, sample.v), outcome);
  }
  if (!parsed || !parser->has_exemplar()) return absl::OkStatus();
  for (ParsedExemplar& found : parser->Exemplars()) {
    group_->AddExemplar(slot, {Labels::FromPairs(std::move(found.labels)), found.value,
                               found.has_t ? found.t : t, found.has_t});
  }
  return absl::OkStatus();
}

void ScrapeLoop::Count(tsdb::AppendResult result, Outcome* outcome) const {
  switch (result) {
    case tsdb::AppendResult::kOk:
      return;
    case tsdb::AppendResult::kOutOfOrder:
      ++outcome->out_of_order;
      return;
    case tsdb::AppendResult::kDuplicate:
      ++outcome->duplicate;
      return;
    case tsdb::AppendResult::kTooOld:
    case tsdb::AppendResult::kOutOfBounds:
      ++outcome->out_of_bounds;
      return;
  }
}

}  // namespace narthex::scraper
