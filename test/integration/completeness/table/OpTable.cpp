// The table of ops: finds its holes, and prints the page that shows it.
#include "test/integration/completeness/table/OpTable.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

namespace nibble::test {

static constexpr ColumnText kTexts[kColumns] = {
    {"verifier", "a test `*-invalid.mlir` below `test/dialects` provokes an "
                 "error of the op"},
    {"round trip", "its example is the same after printing and parsing, in "
                   "its own form and in the generic one"},
    {"fold", "it has a folder"},
    {"reference", "`lib/Reference` computes it"},
    {"gradient", "`nibble-differentiate` has a rule for it"},
    {"buffers", "`nibble-bufferize` makes a `kernel.compute` of its example, "
                "or what the op stands for"},
    {"host", "`nibble-host-loops` writes its example's kernels"},
    {"device", "`nibble-hopper-kernels` writes its example's kernels"},
    {"cost", "every launch of these says how many bytes it touches, and how "
             "many operations where it uses matrix units"},
};

const ColumnText &textOf(Column column) {
  return kTexts[static_cast<size_t>(column)];
}

static bool covers(const Hole &hole, Column column, const std::string &op) {
  return hole.column == column && llvm::is_contained(hole.ops, op);
}

std::vector<std::string> findingsOf(llvm::ArrayRef<OpRow> table,
                                    llvm::ArrayRef<Hole> holes) {
  std::vector<std::string> findings;
  for (const OpRow &row : table)
    for (size_t i = 0; i < kColumns; ++i) {
      auto column = static_cast<Column>(i);
      size_t reasons = llvm::count_if(holes, [&](const Hole &hole) {
        return covers(hole, column, row.op);
      });
      if (!row.has(column) && reasons == 0)
        findings.push_back(fmt::format("{}: {} is missing and has no reason",
                                       row.op, textOf(column).name));
      if (row.has(column) && reasons != 0)
        findings.push_back(
            fmt::format("{}: {} is there, but Holes.cpp says why it is not",
                        row.op, textOf(column).name));
      if (reasons > 1)
        findings.push_back(fmt::format("{}: {} has {} reasons", row.op,
                                       textOf(column).name, reasons));
    }
  for (const Hole &hole : holes) {
    if (hole.reason.empty())
      findings.push_back(
          fmt::format("a hole of {} has no reason", textOf(hole.column).name));
    for (const std::string &op : hole.ops)
      if (llvm::none_of(table, [&](const OpRow &row) { return row.op == op; }))
        findings.push_back(
            fmt::format("{}: Holes.cpp names it, but there is no such op", op));
  }
  return findings;
}

std::string pageOf(llvm::ArrayRef<OpRow> table, llvm::ArrayRef<Hole> holes) {
  std::string page = "# Completeness\n\n"
                     "What there is for each op of `nn` and `qat`. Cells are "
                     "found by asking the code. A number is a reason, below.\n"
                     "\n| op |";
  std::string line = "\n| --- |";
  for (const ColumnText &text : kTexts) {
    page += fmt::format(" {} |", text.name);
    line += " --- |";
  }
  page += line + "\n";
  for (const OpRow &row : table) {
    page += fmt::format("| `{}` |", row.op);
    for (size_t i = 0; i < kColumns; ++i) {
      auto column = static_cast<Column>(i);
      std::string cell = row.has(column) ? "yes" : "**missing**";
      for (auto [number, hole] : llvm::enumerate(holes))
        if (!row.has(column) && covers(hole, column, row.op))
          cell = fmt::format("[{0}](#reason-{0})", number + 1);
      page += fmt::format(" {} |", cell);
    }
    page += "\n";
  }
  page += "\n## Columns\n\n";
  for (const ColumnText &text : kTexts)
    page += fmt::format("- *{}*: {}.\n", text.name, text.meaning);
  page += "\n## Reasons\n\n";
  for (auto [number, hole] : llvm::enumerate(holes))
    page += fmt::format("{0}. <a id=\"reason-{0}\"></a>*{1}*: {2}.\n",
                        number + 1, textOf(hole.column).name, hole.reason);
  return page;
}

} // namespace nibble::test
