// The rules of strict JSON.
#include "runtime/formats/json.h"

#include "test/runtime/formats/scratch.h"

#include <cstdio>

using namespace nibble;
using nibble::testing::fails;
using nibble::testing::Scratch;

namespace {

TEST(Json, RefusesWhatParsersDisagreeAbout) {
  const std::pair<std::string, const char *> cases[] = {
      {"", "byte"},
      {"{", "byte"},
      {"{} {}", "byte"},
      {"{\"a\":1,\"a\":1}", "\"a\" twice"},
      {"{\"o\":{\"b\":[],\"b\":[]}}", "\"b\" twice"},
      {"{\"a\":1,\"\\u0061\":1}", "\"a\" twice"},
      {"{\"a\":NaN}", "byte"},
      {"{\"a\":Infinity}", "byte"},
      {"{\"a\":-Infinity}", "byte"},
      {"{\"a\":1e999}", "byte"},
      {"{\"a\":01}", "byte"},
      {"{'a':1}", "byte"},
      {"{\"a\":1,}", "byte"},
      {"// c\n{}", "byte"},
      {"\xEF\xBB\xBF{}", "byte order mark"},
      {std::string("{}\0garbage", 10), "NUL"},
      {"\"\xC3\x28\"", "UTF-8"},
      {"\"\\ud800\"", "byte"},
      {"\"\x01\"", "byte"},
  };
  for (const auto &[text, word] : cases)
    EXPECT_TRUE(fails(parseJson(text, "x.json").status(), Code::kBadInput,
                      {"x.json", word}))
        << text;
  std::printf("%zu texts refused\n", std::size(cases));
}

TEST(Json, Limits) {
  auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_TRUE(parseJson(nested(64), "x").isOk());
  EXPECT_TRUE(fails(parseJson(nested(65), "x").status(), Code::kBadInput,
                    {"deeper than 64"}));
  EXPECT_TRUE(fails(parseJson(std::string(1'000'000, '['), "x").status(),
                    Code::kBadInput, {"deeper than 64"}));
  EXPECT_TRUE(fails(parseJson("[1,2,3]", "x", {.values = 3}).status(),
                    Code::kBadInput, {"more than 3 values"}));
  EXPECT_TRUE(fails(parseJson("[1,2,3]", "x", {.bytes = 6}).status(),
                    Code::kBadInput, {"7 bytes"}));
  Scratch scratch;
  std::string path = scratch.put("a.json", "[1,2,3]");
  EXPECT_TRUE(readJsonFile(path).isOk());
  EXPECT_TRUE(fails(readJsonFile(path, {.bytes = 6}).status(), Code::kBadInput,
                    {path, "7 bytes"}));
  // Editors put the mark before files. In JSON from elsewhere it is an error.
  auto marked = readJsonFile(scratch.put("marked.json", "\xEF\xBB\xBF[7]"));
  ASSERT_TRUE(marked.isOk()) << marked.status().message();
  EXPECT_EQ(*marked, Json::array({7}));
  EXPECT_TRUE(
      fails(readJsonFile(scratch.put("two.json", "\xEF\xBB\xBF\xEF\xBB\xBF[7]"))
                .status(),
            Code::kBadInput, {"byte order mark"}));
  EXPECT_TRUE(fails(readJsonFile(scratch / "no.json").status(), Code::kBadInput,
                    {"no.json", "No such file"}));
}

TEST(Json, BuildsTheDocument) {
  std::string text =
      R"({"z":[1,-2,3.5,null,true,{"k":"v"},[]],"a":{},"u":18446744073709551615,"e":"\u00e9\ud83d\ude00"})";
  auto parsed = parseJson(text, "x");
  ASSERT_TRUE(parsed.isOk()) << parsed.status().message();
  EXPECT_EQ(*parsed, Json::parse(text));
  auto again = parseJson(toText(*parsed), "x");
  ASSERT_TRUE(again.isOk());
  EXPECT_EQ(*again, *parsed);
}

TEST(Json, FieldsNameThemselves) {
  Json object = Json::parse(
      R"({"i":5,"f":1.5,"b":true,"s":"t","n":null,"big":18446744073709551615})");
  EXPECT_EQ(*integerField(object, "i", "x", 1, 9), 5);
  EXPECT_EQ(*integerFieldOr(object, "n", "x", 1, 9, 7), 7);
  EXPECT_EQ(*integerFieldOr(object, "absent", "x", 1, 9, 7), 7);
  EXPECT_EQ(*numberFieldOr(object, "i", "x", 0), 5.0);
  EXPECT_EQ(*numberFieldOr(object, "f", "x", 0), 1.5);
  EXPECT_TRUE(*boolFieldOr(object, "b", "x", false));
  EXPECT_EQ(*stringField(object, "s", "x"), "t");
  EXPECT_TRUE(fails(integerField(object, "absent", "x", 1, 9).status(),
                    Code::kBadInput, {"x", "\"absent\"", "missing"}));
  EXPECT_TRUE(fails(integerField(object, "n", "x", 1, 9).status(),
                    Code::kBadInput, {"\"n\"", "missing"}));
  EXPECT_TRUE(fails(integerField(object, "i", "x", 6, 9).status(),
                    Code::kBadInput, {"\"i\" is 5", "from 6 to 9"}));
  EXPECT_TRUE(fails(integerField(object, "f", "x", 1, 9).status(),
                    Code::kBadInput, {"\"f\" is 1.5"}));
  EXPECT_TRUE(fails(integerField(object, "big", "x", 1, INT64_MAX).status(),
                    Code::kBadInput, {"18446744073709551615"}));
  EXPECT_TRUE(fails(integerField(object, "s", "x", 1, 9).status(),
                    Code::kBadInput, {"\"s\""}));
  EXPECT_TRUE(fails(numberFieldOr(object, "s", "x", 1).status(),
                    Code::kBadInput, {"\"s\"", "a number"}));
  EXPECT_TRUE(fails(boolFieldOr(object, "i", "x", true).status(),
                    Code::kBadInput, {"\"i\"", "true or false"}));
  EXPECT_TRUE(fails(stringField(object, "i", "x").status(), Code::kBadInput,
                    {"\"i\"", "a string"}));
}

// Numbers lose nothing, however they are written, and the grammar is as strict
// as before.
TEST(Json, KeepsTheTextOfNumbers) {
  for (const char *text :
       {"0", "-0", "7", "-12", "5.0", "-0.0", "0.10", "1e3", "1E+3", "1e-400",
        "1E400", "0.1e1", "123456789012345678901234567890",
        "18446744073709551616", "3.14159265358979323846264338"}) {
    auto json = parseJson(std::string("{\"a\": [") + text + ",\"1\"]}",
                          "x.json", {}, JsonNumbers::kText);
    ASSERT_TRUE(json.isOk()) << json.status().message();
    EXPECT_EQ(numberText((*json)["a"][0]), text);
    EXPECT_EQ(numberText((*json)["a"][1]), std::nullopt);
    EXPECT_EQ((*json)["a"][1], "1");
  }
  std::string factorial(400, '9');
  auto json = parseJson(factorial, "x.json", {}, JsonNumbers::kText);
  ASSERT_TRUE(json.isOk()) << json.status().message();
  EXPECT_EQ(numberText(*json), factorial);
  // Digits in strings and keys are no numbers.
  json = parseJson(R"({"1": "2\"3\\", "4": 5, "b": {"c": 6.50}})", "x.json", {},
                   JsonNumbers::kText);
  ASSERT_TRUE(json.isOk()) << json.status().message();
  EXPECT_EQ((*json)["1"], "2\"3\\");
  EXPECT_EQ(numberText((*json)["4"]), "5");
  EXPECT_EQ(numberText((*json)["b"]["c"]), "6.50");
  for (const char *text : {"01",
                           "1.",
                           ".5",
                           "+1",
                           "-",
                           "1e",
                           "1e+",
                           "1.5.2",
                           "1-2",
                           "--1",
                           "0x1",
                           "1_000",
                           "1 2",
                           "[1,]",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "nul1",
                           "{\"a\":1,\"a\":2}",
                           "\"1",
                           "1\\"}) {
    EXPECT_FALSE(parseJson(text, "x.json", {}, JsonNumbers::kText).isOk())
        << text;
    EXPECT_FALSE(parseJson(text, "x.json").isOk()) << text;
  }
  // Errors name the same place.
  for (auto numbers : {JsonNumbers::kValue, JsonNumbers::kText})
    EXPECT_TRUE(fails(parseJson("[12, 345, ?]", "x.json", {}, numbers).status(),
                      Code::kBadInput, {"byte 11", "column 11"}));
}

} // namespace
