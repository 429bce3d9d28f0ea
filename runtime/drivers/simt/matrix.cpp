#include "runtime/drivers/simt/builder.h"
namespace nibble::simt {
Decoder findMatrixDecoder(std::string_view) { return nullptr; }
} // namespace nibble::simt
