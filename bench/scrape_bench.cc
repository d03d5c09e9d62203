// The parsers of exposition formats, cold and with the series of the scrape before; and a whole scrape but
// for network and storage. Bytes per second are of the page as it is sent.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "scraper/parser.h"
#include "scraper/scrape_loop.h"
#include "tests/support/proto_writer.h"

namespace narthex::scraper {
namespace {

constexpr int kFamilies = 100, kSeries = 10;

std::string FamilyName(int family) { return "node_family_" + std::to_string(family) + "_total"; }
double Value(int family, int s) { return family * 1000 + s + 0.25; }

// Pages of the shape of a node exporter's.
std::string TextPage(bool openmetrics) {
  std::string page;
  for (int family = 0; family < kFamilies; ++family) {
    std::string name = FamilyName(family);
    std::string base = openmetrics ? name.substr(0, name.size() - 6) : name;
    page += "# HELP " + base + " Something that is counted.\n# TYPE " + base + " counter\n";
    for (int s = 0; s < kSeries; ++s) {
      page += name + "{cpu=\"" + std::to_string(s) + "\",mode=\"user\"} " +
              std::to_string(family * 1000 + s) + ".25\n";
    }
  }
  return openmetrics ? page + "# EOF\n" : page;
}

std::string ProtobufPage() {
  using testing::ProtoPair;
  using testing::ProtoWriter;
  std::string page;
  for (int family = 0; family < kFamilies; ++family) {
    ProtoWriter message =
        ProtoWriter().Bytes(1, FamilyName(family)).Bytes(2, "Something that is counted.").Int(3, 0);
    for (int s = 0; s < kSeries; ++s) {
      message.Bytes(4, ProtoWriter()
                           .Bytes(1, ProtoPair("cpu", std::to_string(s)))
                           .Bytes(1, ProtoPair("mode", "user"))
                           .Bytes(3, ProtoWriter().Double(1, Value(family, s))));
    }
    page += message.Delimited();
  }
  return page;
}

std::string Page(Format format) {
  return format == Format::kProtobuf ? ProtobufPage() : TextPage(format == Format::kOpenMetrics);
}

std::unique_ptr<ExpositionParser> NewParser(Format format, std::string* page) {
  if (format == Format::kProtobuf) return NewProtobufParser(*page, {});
  if (format == Format::kOpenMetrics) return NewOpenMetricsParser(*page, {});
  return NewTextParser(page, {});
}

void BM_Parse(benchmark::State& state, Format format) {
  const std::string page = Page(format);
  for (auto _ : state) {
    std::string copy = page;
    auto parser = NewParser(format, &copy);
    double sum = 0;
    for (EntryKind kind = EntryKind::kHelp; kind != EntryKind::kEnd;) {
      absl::StatusOr<EntryKind> next = parser->Next();
      kind = next.ok() ? *next : EntryKind::kEnd;
      if (kind == EntryKind::kSeries) sum += parser->value();
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * page.size()));
}
BENCHMARK_CAPTURE(BM_Parse, text, Format::kText);
BENCHMARK_CAPTURE(BM_Parse, openmetrics, Format::kOpenMetrics);
BENCHMARK_CAPTURE(BM_Parse, protobuf, Format::kProtobuf);

// Storage that takes everything and keeps nothing.
class NullGroup : public tsdb::GroupAppender {
 public:
  absl::StatusOr<tsdb::Slot> AddSeries(const Labels&) override { return slots_++; }
  void Begin(int64_t) override {}
  tsdb::AppendResult Set(tsdb::Slot, double v) override {
    sum_ += v;
    return tsdb::AppendResult::kOk;
  }
  tsdb::AppendResult SetSample(tsdb::Slot, const tsdb::Sample& s, bool) override {
    sum_ += s.v;
    return tsdb::AppendResult::kOk;
  }
  void AddExemplar(tsdb::Slot, const tsdb::Exemplar&) override {}
  absl::StatusOr<RoundStats> Commit() override {
    benchmark::DoNotOptimize(sum_);
    return RoundStats();
  }

 private:
  tsdb::Slot slots_ = 0;
  double sum_ = 0;
};

class NullDb : public tsdb::Db {
 public:
  std::unique_ptr<tsdb::Appender> NewAppender() override { return nullptr; }
  absl::StatusOr<std::unique_ptr<tsdb::GroupAppender>> OpenGroup(const Labels&) override {
    return std::make_unique<NullGroup>();
  }
  absl::StatusOr<std::unique_ptr<tsdb::Querier>> NewQuerier(int64_t, int64_t) const override {
    return None();
  }
  absl::Status SetMetadata(std::string_view, const tsdb::Metadata&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<tsdb::ExemplarSeries>> SelectExemplars(const std::vector<Matchers>&, int64_t,
                                                                    int64_t) const override {
    return None();
  }
  absl::Status PutState(std::string_view, std::string_view) override { return None(); }
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ScanState(
      std::string_view) const override {
    return None();
  }
  absl::Status DeleteState(std::string_view) override { return None(); }
  absl::Status ChangeState(const std::vector<tsdb::StateChange>&) override { return None(); }
  absl::Status DeleteSeries(const Matchers&, int64_t, int64_t) override { return None(); }
  absl::Status CleanTombstones() override { return None(); }
  absl::StatusOr<std::string> Snapshot(const std::string&, bool) override { return None(); }
  absl::StatusOr<tsdb::Status> GetStatus(size_t) const override { return None(); }
  absl::Status Maintain(bool) override { return None(); }
  absl::Status ApplyRetention(int64_t, int64_t, int64_t) override { return None(); }

 private:
  static absl::Status None() { return absl::UnimplementedError("not in this benchmark"); }
};

// One target's scrape after scrape, all series known.
void BM_SteadyScrape(benchmark::State& state, Format format) {
  FakeClock clock(1'700'000'000'000);
  Logger logger(LogLevel::kError, LogFormat::kLogfmt, &clock, [](std::string_view) {});
  MetricsRegistry registry;
  NullDb db;
  ManagerOptions options;
  options.db = &db;
  options.clock = &clock;
  options.logger = &logger;
  options.metrics = &registry;
  ScrapeContext context(options);
  auto config = std::make_shared<ScrapeConfig>();
  config->job_name = "j";
  config->scrape_interval_ms = config->scrape_timeout_ms = 10'000;
  auto target = MakeTarget(DiscoveredLabels({{"__address__", "h:1"}}, {}, *config), *config);
  ScrapeLoop loop(&context, config, **target);
  static constexpr std::string_view kTypes[] = {"text/plain", "application/openmetrics-text",
                                                "application/vnd.google.protobuf"};
  HttpClientResponse response;
  response.status = 200;
  response.content_type = kTypes[static_cast<int>(format)];
  response.body = Page(format);
  for (auto _ : state) {
    loop.Process(response, clock.NowMs(), clock.MonotonicNs());
    clock.AdvanceMs(10'000);
  }
  if (loop.State().health != "up") state.SkipWithError("the scrape failed");
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * response.body.size()));
  state.SetItemsProcessed(state.iterations() * kFamilies * kSeries);
}
BENCHMARK_CAPTURE(BM_SteadyScrape, text, Format::kText);
BENCHMARK_CAPTURE(BM_SteadyScrape, openmetrics, Format::kOpenMetrics);
BENCHMARK_CAPTURE(BM_SteadyScrape, protobuf, Format::kProtobuf);

}  // namespace
}  // namespace narthex::scraper
