// Every op of nn and qat has everything that the table requires, or a reason
// why not.
#include "test/integration/completeness/table/OpTable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble::test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

TEST(CompletenessTest, EveryOpHasEverythingOrAReason) {
  std::vector<OpRow> table = makeOpTable();
  std::vector<Hole> holes = knownHoles();
  size_t filled = 0;
  for (const OpRow &row : table)
    filled += llvm::count(row.filled, true);
  std::printf("%zu of %zu cells of %zu ops are filled, the others have one of "
              "%zu reasons\n",
              filled, table.size() * kColumns, table.size(), holes.size());
  EXPECT_GT(table.size(), 30u);
  EXPECT_THAT(findingsOf(table, holes), IsEmpty());
}

OpRow row(const char *op, std::initializer_list<Column> missing) {
  OpRow result{op, {}};
  result.filled.fill(true);
  for (Column column : missing)
    result.filled[static_cast<size_t>(column)] = false;
  return result;
}

TEST(CompletenessTest, AHoleIsAFinding) {
  EXPECT_THAT(findingsOf({row("nn.sum", {Column::kFold, Column::kCost})},
                         {{Column::kFold, {"nn.sum"}, "a sum"}}),
              ElementsAre("nn.sum: cost is missing and has no reason"));
}

TEST(CompletenessTest, AStaleReasonIsAFinding) {
  EXPECT_THAT(
      findingsOf({row("nn.sum", {})}, {{Column::kFold, {"nn.sum"}, "a sum"}}),
      ElementsAre("nn.sum: fold is there, but Holes.cpp says why it is not"));
  EXPECT_THAT(
      findingsOf({row("nn.sum", {})}, {{Column::kFold, {"nn.sun"}, "a sum"}}),
      ElementsAre("nn.sun: Holes.cpp names it, but there is no such op"));
}

TEST(CompletenessTest, AReasonIsGivenOnce) {
  EXPECT_THAT(findingsOf({row("nn.sum", {Column::kFold})},
                         {{Column::kFold, {"nn.sum"}, "a sum"},
                          {Column::kFold, {"nn.sum"}, ""}}),
              ElementsAre("nn.sum: fold has 2 reasons",
                          "a hole of fold has no reason"));
}

TEST(CompletenessTest, ThePageShowsHolesAndReasons) {
  std::string page =
      pageOf({row("nn.sum", {Column::kFold}), row("nn.rope", {Column::kCost})},
             {{Column::kFold, {"nn.sum"}, "a sum is a sum"}});
  EXPECT_THAT(page, ::testing::HasSubstr(
                        "| `nn.sum` | yes | yes | [1](#reason-1) | yes | yes "
                        "| yes | yes | yes | yes |\n"));
  EXPECT_THAT(page, ::testing::HasSubstr("| yes | **missing** |\n"));
  EXPECT_THAT(page, ::testing::HasSubstr("*fold*: a sum is a sum.\n"));
}

} // namespace
