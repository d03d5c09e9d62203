#include "base/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace narthex {
namespace {

std::string NumberText(double value) { return JsonWriter().Number(value).Take(); }
std::string StringText(std::string_view value) { return JsonWriter().String(value).Take(); }
std::string TimeText(int64_t ms) { return JsonWriter().TimestampMs(ms).Take(); }

TEST(JsonWriter, PutsCommasBetweenElementsOnly) {
  JsonWriter json;
  json.BeginObject().Key("a").Int(1).Key("b").BeginArray().Int(-2).Uint(3).EndArray();
  json.Key("c").BeginObject().EndObject().Key("d").BeginArray().EndArray().Key("e").Bool(false).EndObject();
  EXPECT_EQ(json.Take(), R"({"a":1,"b":[-2,3],"c":{},"d":[],"e":false})");
}

TEST(JsonWriter, NestedListsAndObjectsSeparateAtEachLevel) {
  JsonWriter json;
  json.BeginArray().BeginArray().Int(1).EndArray().BeginArray().Int(2).Null().EndArray();
  json.BeginObject().Key("x").String("y").EndObject().EndArray();
  EXPECT_EQ(json.Take(), R"([[1],[2,null],{"x":"y"}])");
}

TEST(JsonWriter, RawTextCountsAsOneValue) {
  JsonWriter json;
  json.BeginArray().Raw("{\"a\":1}").Raw("2").EndArray();
  EXPECT_EQ(json.Take(), R"([{"a":1},2])");
}

TEST(JsonWriter, WholeRangeOfIntegers) {
  JsonWriter json;
  json.BeginArray().Int(std::numeric_limits<int64_t>::min()).Uint(std::numeric_limits<uint64_t>::max());
  json.EndArray();
  EXPECT_EQ(json.Take(), "[-9223372036854775808,18446744073709551615]");
}

TEST(JsonWriter, EscapesWhatJsonMust) {
  EXPECT_EQ(StringText("a\"b\\c\nd\re\tf"), R"("a\"b\\c\nd\re\tf")");
  EXPECT_EQ(StringText(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
  EXPECT_EQ(StringText("<a href='x'>&"), "\"<a href='x'>&\"");
}

TEST(JsonWriter, EscapesWhereverItStands) {
  const std::pair<char, std::string> escapes[] = {{'"', "\\\""},       {'\\', "\\\\"},   {'\n', "\\n"},
                                                  {'\x1f', "\\u001f"}, {'\x7f', "\x7f"}, {'\xff', "\\ufffd"}};
  for (size_t length = 1; length <= 20; ++length) {
    EXPECT_EQ(StringText(std::string(length, '~')), '"' + std::string(length, '~') + '"');
    for (size_t at = 0; at < length; ++at) {
      for (const auto& [c, escaped] : escapes) {
        std::string text(length, ' ');
        text[at] = c;
        EXPECT_EQ(StringText(text),
                  '"' + std::string(at, ' ') + escaped + std::string(length - at - 1, ' ') + '"');
      }
    }
  }
}

TEST(JsonWriter, KeysAreEscapedToo) {
  JsonWriter json;
  json.BeginObject().Key("a\"b").Int(1).EndObject();
  EXPECT_EQ(json.Take(), R"({"a\"b":1})");
}

TEST(JsonWriter, KeepsUtf8AndReplacesEachBrokenByte) {
  EXPECT_EQ(StringText("é€😀"), "\"é€😀\"");
  EXPECT_EQ(StringText("é\xff"), "\"é\\ufffd\"");
  EXPECT_EQ(StringText("\x80z"), "\"\\ufffdz\"");
  EXPECT_EQ(StringText("a\xe2\x82"), "\"a\\ufffd\\ufffd\"");
  EXPECT_EQ(StringText("\xff€"), "\"\\ufffd€\"");
}

TEST(JsonWriter, NumbersHaveGosForm) {
  EXPECT_EQ(NumberText(0), "0");
  EXPECT_EQ(NumberText(-0.0), "-0");
  EXPECT_EQ(NumberText(1.5), "1.5");
  EXPECT_EQ(NumberText(1e-6), "0.000001");
  EXPECT_EQ(NumberText(9.5e-7), "9.5e-7");
  EXPECT_EQ(NumberText(1e-10), "1e-10");
  EXPECT_EQ(NumberText(1e20), "100000000000000000000");
  EXPECT_EQ(NumberText(1e21), "1e+21");
  EXPECT_EQ(NumberText(0.1 + 0.2), "0.30000000000000004");
}

TEST(JsonWriter, NumbersThatJsonLacksAreNull) {
  EXPECT_EQ(NumberText(std::nan("")), "null");
  EXPECT_EQ(NumberText(-INFINITY), "null");
}

TEST(JsonWriter, SampleValuesAreQuotedAndNeverHaveAnExponent) {
  JsonWriter json;
  json.BeginArray().SampleValue(std::nan("")).SampleValue(INFINITY).SampleValue(-INFINITY);
  json.SampleValue(1e21).SampleValue(1e-7).SampleValue(42).EndArray();
  EXPECT_EQ(json.Take(), R"(["NaN","+Inf","-Inf","1000000000000000000000","0.0000001","42"])");
}

TEST(JsonWriter, TimesAreSecondsWithoutTrailingZeros) {
  EXPECT_EQ(TimeText(1435781430781), "1435781430.781");
  EXPECT_EQ(TimeText(1435781430780), "1435781430.78");
  EXPECT_EQ(TimeText(1435781430000), "1435781430");
  EXPECT_EQ(TimeText(5), "0.005");
  EXPECT_EQ(TimeText(-1500), "-1.5");
  EXPECT_EQ(TimeText(-1), "-0.001");
  EXPECT_EQ(TimeText(std::numeric_limits<int64_t>::min()), "-9223372036854775.808");
}

TEST(JsonWriter, TheBufferCanBeDrainedInTheMiddle) {
  JsonWriter json;
  json.BeginArray().Int(1);
  std::string out = *json.buffer();
  json.buffer()->clear();
  json.Int(2).EndArray();
  EXPECT_EQ(out + json.Take(), "[1,2]");
}

}  // namespace
}  // namespace narthex
