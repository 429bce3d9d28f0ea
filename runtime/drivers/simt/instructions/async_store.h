// st.async (PTX ISA, "Data Movement and Conversion Instructions: st.async").
#pragma once

#include "runtime/drivers/simt/ptx/builder.h"

namespace nibble::simt {

void decodeAsyncStore(Builder &b);

} // namespace nibble::simt
