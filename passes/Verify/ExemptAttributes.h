// The attributes that verify-consistency does not compare as attributes. Every
// other one of every op is compared.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace nibble {

struct ExemptAttribute {
  enum class Why {
    kDecidesNoBit,
    kComparedOtherwise, // as a part of the terms, so that a difference is found
  };
  llvm::StringLiteral op; // empty: of any op
  llvm::StringLiteral name;
  Why why;
  llvm::StringLiteral reason;
};

llvm::ArrayRef<ExemptAttribute> exemptAttributes();

// The row of this attribute of this op; null when there is none.
const ExemptAttribute *findExempt(llvm::StringRef op,
                                  llvm::StringRef attribute);

} // namespace nibble
