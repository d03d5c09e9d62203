// Requests are written field by field here, so that the receiver's own message definitions are checked too.
#include <gtest/gtest.h>
#include <snappy.h>

#include <bit>

#include "base/strings.h"
#include "model/histogram.h"
#include "remote/remote.h"
#include "tests/remote/fixture.h"
#include "tests/support/memory_db.h"

namespace narthex::remote {
namespace {

std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  return out + static_cast<char>(value);
}
std::string Int(int field, uint64_t value) { return Varint(field << 3) + Varint(value); }
std::string Signed(int field, int64_t v) {
  return Int(field, (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63));
}
std::string Bytes(int field, const std::string& text) {
  return Varint(field << 3 | 2) + Varint(text.size()) + text;
}
std::string Double(int field, double value) {
  std::string out = Varint(field << 3 | 1);
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(bits >> (8 * i));
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;
std::string LabelFields(const Pairs& labels) {
  std::string out;
  for (const auto& [name, value] : labels) out += Bytes(1, Bytes(1, name) + Bytes(2, value));
  return out;
}
std::string Sample(double value, int64_t t) { return Bytes(2, Double(1, value) + Int(2, t)); }
std::string Series(const Pairs& labels, const std::string& rest) {
  return Bytes(1, LabelFields(labels) + rest);
}

class WriteTest : public ::testing::Test {
 protected:
  WriteOutcome Write(const std::string& request, std::string_view type = "application/x-protobuf",
                     std::string_view encoding = "snappy") {
    std::string body;
    snappy::Compress(request.data(), request.size(), &body);
    return HandleWrite(Options(), body, type, encoding);
  }
  ReceiverOptions Options() {
    ReceiverOptions options;
    options.db = db_.get();
    options.clock = &clock_;
    options.metrics = &metrics_;
    options.accepted = accepted_;
    options.start_timestamps = true;
    return options;
  }
  std::vector<std::string> Stored() { return StoredIn(*db_); }

  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  MetricsRegistry metrics_;
  FakeClock clock_{1'000'000};
  std::vector<std::string> accepted_{std::string(kWriteV1), std::string(kWriteV2)};
};

TEST_F(WriteTest, StoresSamplesOfSeveralSeries) {
  WriteOutcome out = Write(Series({{"__name__", "a"}, {"x", "1"}}, Sample(1.5, 1000) + Sample(2, 2000)) +
                           Series({{"__name__", "b"}}, Sample(3, 1000)));
  EXPECT_EQ(out.http_status, 204) << out.error;
  EXPECT_EQ(out.samples, 3);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a{x=\"1\"} 1.5@1000 2@2000", "b 3@1000"}));
}

TEST_F(WriteTest, SortsLabelsThatAreNotSorted) {
  EXPECT_EQ(Write(Series({{"z", "1"}, {"__name__", "a"}, {"b", "2"}}, Sample(1, 1))).http_status, 204);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a{b=\"2\", z=\"1\"} 1@1"}));
}

TEST_F(WriteTest, OneRefusedSampleDoesNotStopTheOthers) {
  ASSERT_EQ(Write(Series({{"__name__", "a"}}, Sample(1, 5000))).http_status, 204);
  WriteOutcome out = Write(Series({{"__name__", "a"}}, Sample(9, 4000) + Sample(2, 6000)) +
                           Series({{"__name__", "b"}}, Sample(3, 1000)));
  EXPECT_EQ(out.http_status, 400);
  EXPECT_NE(out.error.find("out of order sample"), std::string::npos) << out.error;
  EXPECT_EQ(out.samples, 2);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a 1@5000 2@6000", "b 3@1000"}));
}

TEST_F(WriteTest, ASeriesThatThereIsNoMemoryForDoesNotStopTheOthers) {
  db_ = testing::NewMemoryDb(/*max_series=*/1);
  ASSERT_EQ(Write(Series({{"__name__", "known"}}, Sample(1, 1000))).http_status, 204);
  const std::string request =
      Series({{"__name__", "new"}}, Sample(2, 2000)) + Series({{"__name__", "known"}}, Sample(3, 2000));
  WriteOutcome out = Write(request);
  EXPECT_EQ(out.http_status, 429);
  EXPECT_EQ(out.error, R"(new series refused for series {__name__="new"})");
  EXPECT_EQ(out.samples, 1);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"known 1@1000 3@2000"}));
  // The sender tries again: what is stored is no error. A sample that is refused for good changes nothing.
  EXPECT_EQ(Write(request + Series({{"__name__", "known"}}, Sample(9, 1000))).http_status, 429);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"known 1@1000 3@2000"}));
}

TEST_F(WriteTest, ADuplicateTimestampIsRefusedUnlessTheValueIsTheSame) {
  ASSERT_EQ(Write(Series({{"__name__", "a"}}, Sample(1, 5000))).http_status, 204);
  EXPECT_EQ(Write(Series({{"__name__", "a"}}, Sample(1, 5000))).http_status, 204);
  WriteOutcome out = Write(Series({{"__name__", "a"}}, Sample(2, 5000)));
  EXPECT_EQ(out.http_status, 400);
  EXPECT_NE(out.error.find("duplicate sample for timestamp"), std::string::npos) << out.error;
}

TEST_F(WriteTest, BadLabelsAreRefusedAndTheRestIsStored) {
  for (const Pairs& bad : {Pairs{{"__name__", "a"}, {"x", "1"}, {"x", "2"}}, Pairs{{"x", "1"}},
                           Pairs{{"__name__", "a"}, {"", "1"}}, Pairs{{"__name__", "a"}, {"x", "\xff"}}}) {
    db_ = testing::NewMemoryDb();
    WriteOutcome out = Write(Series(bad, Sample(1, 1)) + Series({{"__name__", "good"}}, Sample(1, 1)));
    EXPECT_EQ(out.http_status, 400);
    EXPECT_FALSE(out.error.empty());
    EXPECT_EQ(Stored(), (std::vector<std::string>{"good 1@1"}));
  }
}

TEST_F(WriteTest, StoresIntegerAndFloatHistograms) {
  // Two buckets in (0.5, 1] and (1, 2] with 2 and 3 observations, as deltas and as counts.
  const std::string spans = Bytes(11, Signed(1, 0) + Int(2, 2));
  const std::string ints = Bytes(4, Int(1, 5) + Double(3, 6) + Signed(4, 0) + Double(5, 0.001) + spans +
                                        Bytes(12, Varint(4) + Varint(2)) + Int(15, 1000));
  std::string counts = Double(0, 2).substr(1) + Double(0, 3).substr(1);
  const std::string floats = Bytes(4, Double(2, 5) + Double(3, 6) + Signed(4, 0) + Double(5, 0.001) + spans +
                                          Bytes(13, counts) + Int(15, 2000));
  WriteOutcome out = Write(Series({{"__name__", "h"}}, ints + floats));
  EXPECT_EQ(out.http_status, 204) << out.error;
  EXPECT_EQ(out.histograms, 2);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"h {count:5, sum:6, (0.5,1]:2, (1,2]:3}@1000 "
                                                "{count:5, sum:6, (0.5,1]:2, (1,2]:3}@2000"}));
}

TEST_F(WriteTest, AnInvalidHistogramIsRefusedAndTheRestIsStored) {
  // A span of two buckets with one count.
  const std::string bad =
      Bytes(4, Int(1, 5) + Bytes(11, Signed(1, 0) + Int(2, 2)) + Bytes(12, Varint(4)) + Int(15, 1000));
  WriteOutcome out = Write(Series({{"__name__", "h"}}, bad) + Series({{"__name__", "good"}}, Sample(1, 1)));
  EXPECT_EQ(out.http_status, 400);
  EXPECT_EQ(out.histograms, 0);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"good 1@1"}));
}

TEST_F(WriteTest, StoresExemplars) {
  const std::string exemplar = Bytes(3, LabelFields({{"trace", "t1"}}) + Double(2, 0.5) + Int(3, 900));
  WriteOutcome out = Write(Series({{"__name__", "a"}}, Sample(1, 1000) + exemplar));
  EXPECT_EQ(out.http_status, 204) << out.error;
  EXPECT_EQ(out.exemplars, 1);
  auto found = db_->SelectExemplars({Matchers{}}, 0, 2000);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1u);
  ASSERT_EQ((*found)[0].exemplars.size(), 1u);
  EXPECT_EQ((*found)[0].exemplars[0].labels, Labels({{"trace", "t1"}}));
  EXPECT_EQ((*found)[0].exemplars[0].t, 900);
}

TEST_F(WriteTest, AcceptsMetadata) {
  EXPECT_EQ(Write(Bytes(3, Int(1, 1) + Bytes(2, "a") + Bytes(4, "help") + Bytes(5, "seconds"))).http_status,
            204);
}

TEST_F(WriteTest, RefusesOtherContentTypesAndEncodings) {
  const std::string request = Series({{"__name__", "a"}}, Sample(1, 1));
  EXPECT_EQ(
      Write(request, "application/x-protobuf;proto=x").error,
      "got application/x-protobuf;proto=x content type; unknown remote write protobuf message x, supported: "
      "prometheus.WriteRequest, io.prometheus.write.v2.Request");
  EXPECT_EQ(Write(request, "application/x-protobuf;x").http_status, 415);
  accepted_ = {std::string(kWriteV1)};
  EXPECT_EQ(Write(request, "application/x-protobuf;proto=io.prometheus.write.v2.Request").error,
            "io.prometheus.write.v2.Request protobuf message is not accepted by this server; only accepts "
            "prometheus.WriteRequest");
  EXPECT_EQ(Write(request, "text/plain").http_status, 415);
  EXPECT_EQ(Write(request, "application/x-protobuf", "gzip").http_status, 415);
  EXPECT_TRUE(Stored().empty());
  EXPECT_EQ(Write(request, "application/x-protobuf;proto=prometheus.WriteRequest").http_status, 204);
  EXPECT_EQ(Write(request, "", "").http_status, 204);
}

// The second request finds the series by the bytes of their labels.
TEST_F(WriteTest, SeriesThatComeAgainAreTheSameInAnyOrder) {
  const auto request = [](const std::vector<int>& order, int64_t t) {
    std::string out;
    for (int i : order) out += Series({{"__name__", "m"}, {"i", StrCat(i)}}, Sample(i, t));
    return out;
  };
  EXPECT_EQ(Write(request({1, 2, 3}, 1000)).http_status, 204);
  EXPECT_EQ(Write(request({1, 2, 3}, 2000)).samples, 3);
  EXPECT_EQ(Write(request({3, 1, 4, 2}, 3000)).samples, 4);
  EXPECT_EQ(Write(request({2, 4}, 4000)).samples, 2);
  EXPECT_EQ(Stored(), (std::vector<std::string>{
                          "m{i=\"1\"} 1@1000 1@2000 1@3000", "m{i=\"2\"} 2@1000 2@2000 2@3000 2@4000",
                          "m{i=\"3\"} 3@1000 3@2000 3@3000", "m{i=\"4\"} 4@3000 4@4000"}));
}

TEST_F(WriteTest, ALabelThatChangesIsAnotherSeries) {
  EXPECT_EQ(Write(Series({{"__name__", "m"}, {"i", "1"}}, Sample(1, 1000))).http_status, 204);
  EXPECT_EQ(Write(Series({{"__name__", "m"}, {"i", "2"}}, Sample(2, 2000))).http_status, 204);
  EXPECT_EQ(Write(Series({{"__name__", "n"}, {"i", "1"}}, Sample(3, 3000))).http_status, 204);
  EXPECT_EQ(Stored(),
            (std::vector<std::string>{"m{i=\"1\"} 1@1000", "m{i=\"2\"} 2@2000", "n{i=\"1\"} 3@3000"}));
}

// Labels may stand behind the samples, too: such a series must not be taken for one that lacks them.
TEST_F(WriteTest, LabelsThatDoNotLieTogetherCount) {
  const std::string name = LabelFields({{"__name__", "m"}}), more = LabelFields({{"i", "1"}});
  for (int64_t t : {1000, 2000}) {
    EXPECT_EQ(Write(Bytes(1, name + Sample(1, t) + more)).http_status, 204);
    EXPECT_EQ(Write(Bytes(1, name + Sample(2, t))).http_status, 204);
    EXPECT_EQ(Write(Bytes(1, Sample(3, t + 1) + name + more)).http_status, 204);
  }
  EXPECT_EQ(Stored(),
            (std::vector<std::string>{"m 2@1000 2@2000", "m{i=\"1\"} 1@1000 3@1001 1@2000 3@2001"}));
}

TEST_F(WriteTest, KnownSeriesMayBringAnything) {
  const Pairs labels = {{"__name__", "m"}};
  EXPECT_EQ(Write(Series(labels, Sample(1, 1000))).http_status, 204);
  EXPECT_EQ(Write(Series(labels, Sample(2, 2000) + Sample(3, 3000))).samples, 2);
  EXPECT_EQ(Write(Series(labels, Bytes(2, ""))).http_status, 400);  // 0 at 0: out of order
  EXPECT_EQ(Write(Series(labels, "")).http_status, 204);
  EXPECT_EQ(Write(Series(labels, Sample(4, 4000) + Bytes(9, "of another version"))).samples, 1);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"m 1@1000 2@2000 3@3000 4@4000"}));
}

TEST_F(WriteTest, RefusalsOfKnownAndNewSeriesStandInTheOrderOfTheRequest) {
  const auto one = [](const char* name, int64_t t) { return Series({{"__name__", name}}, Sample(1, t)); };
  EXPECT_EQ(Write(one("a", 5000) + one("c", 5000)).http_status, 204);
  const WriteOutcome outcome = Write(one("a", 4000) + Series({{"b", "x"}}, Sample(1, 5000)) +
                                     one("c", 10'000'000) + one("c", 4000) + one("d", 4000));
  EXPECT_EQ(outcome.http_status, 400);
  EXPECT_EQ(outcome.samples, 1);
  EXPECT_EQ(outcome.error,
            "out of order sample for series {__name__=\"a\"}\n"
            "invalid metric name or labels, got {b=\"x\"}\n"
            "out of bounds: timestamp is too far in the future for series {__name__=\"c\"}\n"
            "out of order sample for series {__name__=\"c\"}");
}

TEST_F(WriteTest, BadBytesBehindKnownSeriesStoreNothing) {
  const std::string good = Series({{"__name__", "m"}}, Sample(1, 1000));
  EXPECT_EQ(Write(good).http_status, 204);
  const std::string next = Series({{"__name__", "m"}}, Sample(1, 2000));
  const std::string fresh = Series({{"__name__", "n"}}, Sample(1, 2000));
  EXPECT_EQ(Write(next + fresh + Bytes(1, "\x0a\x7f")).http_status, 400);
  EXPECT_EQ(Write(next + fresh + "\x0a").http_status, 400);
  EXPECT_EQ(Write(next + Series({{"__name__", "m"}}, Bytes(2, "\x09"))).http_status, 400);
  EXPECT_EQ(Write(next + Series({{"__name__", "m"}}, Bytes(4, "\x09"))).http_status, 400);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"m 1@1000"}));
}

TEST_F(WriteTest, BadBytesGive400) {
  EXPECT_EQ(HandleWrite(Options(), "", "", "snappy").http_status, 400);
  EXPECT_EQ(HandleWrite(Options(), "not snappy", "", "snappy").http_status, 400);
  EXPECT_EQ(Write("\x0a\x7f").http_status, 400);  // a series longer than the message
}

TEST_F(WriteTest, ATooLargeClaimIsRefusedBeforeMemoryIsTaken) {
  const std::string body = Varint((32u << 20) + 1) + "x";
  WriteOutcome out = HandleWrite(Options(), body, "", "snappy");
  EXPECT_EQ(out.http_status, 400);
  EXPECT_NE(out.error.find("too large"), std::string::npos) << out.error;
}

TEST_F(WriteTest, SamplesFarAheadAreRefused) {
  WriteOutcome out =
      Write(Series({{"__name__", "a"}}, Sample(1, 1'000'000 + 600'000) + Sample(2, 1'600'001)));
  EXPECT_EQ(out.http_status, 400);
  EXPECT_EQ(out.error, "out of bounds: timestamp is too far in the future for series {__name__=\"a\"}");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a 1@1600000"}));
}

// Remote write 2.0: a table of symbols, then series that refer to it.
constexpr std::string_view kV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
std::string Symbols(const std::vector<std::string>& symbols) {
  std::string out;
  for (const std::string& symbol : symbols) out += Bytes(4, symbol);
  return out;
}
std::string Refs(const std::vector<uint32_t>& refs) {
  std::string packed;
  for (uint32_t ref : refs) packed += Varint(ref);
  return Bytes(1, packed);
}
std::string SampleV2(double value, int64_t t, int64_t start = 0) {
  return Bytes(2, Double(1, value) + Int(2, t) + (start ? Int(3, start) : ""));
}

std::string HeaderOf(const WriteOutcome& out, std::string_view kind) {
  for (const auto& [name, value] : out.headers) {
    if (name == StrCat("X-Prometheus-Remote-Write-", kind, "-Written")) return value;
  }
  return "absent";
}

TEST_F(WriteTest, V2StoresSamplesAndSaysHowMany) {
  const std::string symbols = Symbols({"", "__name__", "a", "x", "1", "help text", "trace", "t1"});
  const std::string exemplar = Bytes(4, Refs({6, 7}) + Double(2, 0.5) + Int(3, 900));
  const std::string metadata = Bytes(5, Int(1, 1) + Int(3, 5));
  WriteOutcome out = Write(symbols + Bytes(5, Refs({1, 2, 3, 4}) + SampleV2(1, 1000, 500) +
                                                  SampleV2(2, 2000) + exemplar + metadata),
                           kV2);
  EXPECT_EQ(out.http_status, 204) << out.error;
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a{x=\"1\"} 1@1000 2@2000"}));
  EXPECT_EQ(HeaderOf(out, "Samples"), "2");
  EXPECT_EQ(HeaderOf(out, "Histograms"), "0");
  EXPECT_EQ(HeaderOf(out, "Exemplars"), "1");
  auto querier = *db_->NewQuerier(0, 5000);
  auto set = *querier->Select({}, 0, 5000, {});
  std::vector<tsdb::Row> rows;
  ASSERT_TRUE(set->ReadBlock(0, 1, &rows).ok());
  ASSERT_EQ(rows[0].start_t.size(), 2u);
  EXPECT_EQ(rows[0].start_t[0], 500);
}

TEST_F(WriteTest, V2SeriesThatComeAgainAreTheSameUnderOtherNumbers) {
  const std::string one = Symbols({"", "__name__", "a", "x", "1", "2"});
  const std::string other = Symbols({"", "2", "1", "x", "a", "__name__", "help"});
  const auto series = [](const std::vector<uint32_t>& refs, double v, int64_t t,
                         const std::string& more = "") {
    return Bytes(5, Refs(refs) + SampleV2(v, t) + more);
  };
  EXPECT_EQ(Write(one + series({1, 2, 3, 4}, 1, 1000) + series({1, 2, 3, 5}, 2, 1000), kV2).http_status, 204);
  const std::string metadata = Bytes(5, Int(1, 1) + Int(3, 6));
  const WriteOutcome out =
      Write(other + series({5, 4, 3, 1}, 2, 2000) + series({5, 4, 3, 2}, 1, 2000, metadata), kV2);
  EXPECT_EQ(out.http_status, 204) << out.error;
  EXPECT_EQ(HeaderOf(out, "Samples"), "2");
  EXPECT_EQ(Write(other + series({5, 4, 3, 1}, 2, 1500), kV2).error,
            "out of order sample for series {__name__=\"a\", x=\"2\"}");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a{x=\"1\"} 1@1000 1@2000", "a{x=\"2\"} 2@1000 2@2000"}));
}

TEST_F(WriteTest, V2PartialWritesNameEveryRefusal) {
  const std::string symbols = Symbols({"", "__name__", "a", "b", "x"});
  ASSERT_EQ(Write(symbols + Bytes(5, Refs({1, 2}) + SampleV2(1, 5000)), kV2).http_status, 204);
  WriteOutcome out = Write(symbols + Bytes(5, Refs({1, 2}) + SampleV2(9, 4000) + SampleV2(2, 6000)) +
                               Bytes(5, Refs({4, 2}) + SampleV2(1, 1)) + Bytes(5, Refs({1, 3})) +
                               Bytes(5, Refs({1, 3}) + SampleV2(3, 1000)),
                           kV2);
  EXPECT_EQ(out.http_status, 400);
  EXPECT_EQ(out.error,
            "out of order sample for series {__name__=\"a\"}\n"
            "invalid metric name or labels, got {x=\"a\"}\n"
            "TimeSeries must contain at least one sample or histogram for series {__name__=\"b\"}");
  EXPECT_EQ(HeaderOf(out, "Samples"), "2");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a 1@5000 2@6000", "b 3@1000"}));
}

TEST_F(WriteTest, V2SaysWhatWasWrittenWhereMemoryIsShort) {
  db_ = testing::NewMemoryDb(/*max_series=*/1);
  const std::string symbols = Symbols({"", "__name__", "known", "new"});
  ASSERT_EQ(Write(symbols + Bytes(5, Refs({1, 2}) + SampleV2(1, 1000)), kV2).http_status, 204);
  WriteOutcome out = Write(symbols + Bytes(5, Refs({1, 3}) + SampleV2(2, 2000) + SampleV2(3, 3000)) +
                               Bytes(5, Refs({1, 2}) + SampleV2(4, 2000)),
                           kV2);
  EXPECT_EQ(out.http_status, 429);
  EXPECT_EQ(HeaderOf(out, "Samples"), "1");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"known 1@1000 4@2000"}));
}

TEST_F(WriteTest, V2ReferencesOutsideOfTheTableAreRefused) {
  const std::string symbols = Symbols({"", "__name__", "a"});
  WriteOutcome out =
      Write(symbols + Bytes(5, Refs({1, 99}) + SampleV2(1, 1000)) + Bytes(5, Refs({1}) + SampleV2(1, 1)) +
                Bytes(5, Refs({1, 2}) + SampleV2(1, 1000)),
            kV2);
  EXPECT_EQ(out.http_status, 400);
  EXPECT_EQ(out.error,
            "parsing labels for series: labelRefs 1 (name) = 99 (value) outside of symbols table (size 3)\n"
            "parsing labels for series: invalid labelRefs length 1");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"a 1@1000"}));
  EXPECT_EQ(Write(Symbols({"x"}) + Bytes(5, Refs({0, 0}) + SampleV2(1, 1)), kV2).error,
            "symbols table must start with an empty string");
}

TEST_F(WriteTest, V2StoresHistograms) {
  const std::string symbols = Symbols({"", "__name__", "h"});
  const std::string histogram =
      Bytes(3, Int(1, 5) + Double(3, 6) + Signed(4, 0) + Bytes(11, Signed(1, 0) + Int(2, 2)) +
                   Bytes(12, Varint(4) + Varint(2)) + Int(15, 1000));
  WriteOutcome out = Write(symbols + Bytes(5, Refs({1, 2}) + histogram), kV2);
  EXPECT_EQ(out.http_status, 204) << out.error;
  EXPECT_EQ(HeaderOf(out, "Histograms"), "1");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"h {count:5, sum:6, (0.5,1]:2, (1,2]:3}@1000"}));
}

}  // namespace
}  // namespace narthex::remote
