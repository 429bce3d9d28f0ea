// What there is for each op of nn and qat: one table, whose cells are found by
// asking the code.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <array>
#include <string>
#include <vector>

namespace nibble::test {

enum class Column {
  kVerifier,
  kRoundTrip,
  kFold,
  kReference,
  kGradient,
  kBufferization,
  kHostKernel,
  kDeviceKernel,
  kCost,
};
inline constexpr size_t kColumns = 9;

struct ColumnText {
  const char *name;
  const char *meaning; // of a cell that is filled
};
const ColumnText &textOf(Column column);

struct OpRow {
  std::string op;
  std::array<bool, kColumns> filled = {};

  bool has(Column column) const { return filled[static_cast<size_t>(column)]; }
};

// A row for each op that the dialects register.
std::vector<OpRow> makeOpTable();

// Cells that are empty for a reason.
struct Hole {
  Column column;
  std::vector<std::string> ops;
  std::string reason;
};
std::vector<Hole> knownHoles();

// What is wrong, a line each: cells that are empty and have no reason, reasons
// of cells that are filled or of ops that are not there, and cells with two.
std::vector<std::string> findingsOf(llvm::ArrayRef<OpRow> table,
                                    llvm::ArrayRef<Hole> holes);

// The table and its reasons as a page of the manual.
std::string pageOf(llvm::ArrayRef<OpRow> table, llvm::ArrayRef<Hole> holes);

} // namespace nibble::test
