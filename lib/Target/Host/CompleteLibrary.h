// Adds to the code what an object file needs to stand alone, except the
// runtime's own functions (ABI.h).
#pragma once

#include "lib/Target/Host/Interface.h"

#include "llvm/IR/Module.h"

namespace nibble::host {

// Adds the table as the exported constant `nibble_program` and hides everything
// else. The memory functions that memref's lowering calls are defined through
// those of ABI.h. The entries must exist already.
void completeLibrary(llvm::Module &module, const Interface &interface);

} // namespace nibble::host
