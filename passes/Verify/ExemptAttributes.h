// The attributes that verify-consistency does not compare. It compares every
// other attribute of every op.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace nibble {

struct ExemptAttribute {
  enum class Why {
    kDecidesNoBit,
    kComparedOtherwise, // as part of a term, so that a difference is found
  };
  llvm::StringLiteral op; // empty for all ops
  llvm::StringLiteral name;
  Why why;
  llvm::StringLiteral reason;
};

llvm::ArrayRef<ExemptAttribute> exemptAttributes();

// The row for this attribute of this op; null when there is none.
const ExemptAttribute *findExempt(llvm::StringRef op,
                                  llvm::StringRef attribute);

} // namespace nibble
