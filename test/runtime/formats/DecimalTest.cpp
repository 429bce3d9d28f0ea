// Each value has one text.
#include "runtime/formats/decimal.h"

#include <gtest/gtest.h>

using nibble::plainDecimal;

namespace {

TEST(PlainDecimal, IsTheValueAndNothingElse) {
  const std::pair<const char *, const char *> cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.0", "0"},
      {"0e99999999999999999999", "0"},
      {"5", "5"},
      {"5.0", "5"},
      {"-5.00", "-5"},
      {"5e0", "5"},
      {"50", "50"},
      {"0.10", "0.1"},
      {"2.50", "2.5"},
      {"-3.14", "-3.14"},
      {"1e3", "1000"},
      {"1.0E+3", "1000"},
      {"12.345e1", "123.45"},
      {"12.345e3", "12345"},
      {"12.345e4", "123450"},
      {"2.5e-3", "0.0025"},
      {"100e-2", "1"},
      {"1e-7", "0.0000001"},
      {"1.2345678901234567e+19", "12345678901234567000"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"0.1234567890123456789012345678901",
       "0.1234567890123456789012345678901"},
  };
  for (const auto &[number, text] : cases)
    EXPECT_EQ(plainDecimal(number), text) << number;
}

TEST(PlainDecimal, KeepsEveryDigitButMakesNoneUp) {
  std::string digits(10000, '7');
  EXPECT_EQ(plainDecimal(digits), digits);
  EXPECT_EQ(plainDecimal("1E400"), "1" + std::string(400, '0'));
  EXPECT_EQ(plainDecimal("1e4095")->size(), 4096u);
  EXPECT_EQ(plainDecimal("1e-4094")->size(), 4096u);
  for (const char *number :
       {"1e4096", "1e-4095", "1e1099511627776", "1e99999999999999999999",
        "-1e-99999999999999999999"})
    EXPECT_EQ(plainDecimal(number), std::nullopt) << number;
}

} // namespace
