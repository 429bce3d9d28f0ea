// What makes the code of a module an object file that stands alone but for the
// runtime's own functions (ABI.h).
#pragma once

#include "lib/Target/Host/Interface.h"

#include "llvm/IR/Module.h"

namespace nibble::host {

// Adds the table as the exported constant `nibble_program`, hides everything
// else, and defines the memory functions of memref's lowering through ABI.h's.
// The entries are there already.
void completeLibrary(llvm::Module &module, const Interface &interface);

} // namespace nibble::host
