// What exists for each op of nn and qat: one table whose cells are found by
// querying the code.
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
  const char *meaning; // what a filled cell means
};
const ColumnText &textOf(Column column);

struct OpRow {
  std::string op;
  std::array<bool, kColumns> filled = {};

  bool has(Column column) const { return filled[static_cast<size_t>(column)]; }
};

// One row for each op that the dialects register.
std::vector<OpRow> makeOpTable();

// A cell that is empty for a reason.
struct Hole {
  Column column;
  std::vector<std::string> ops;
  std::string reason;
};
std::vector<Hole> knownHoles();

// Errors of the table, one line each. An empty cell may lack a reason or have
// two. A reason may belong to a filled cell or to an op that does not exist.
std::vector<std::string> findingsOf(llvm::ArrayRef<OpRow> table,
                                    llvm::ArrayRef<Hole> holes);

// The table and its reasons as a page of the manual.
std::string pageOf(llvm::ArrayRef<OpRow> table, llvm::ArrayRef<Hole> holes);

} // namespace nibble::test
