#include "runtime/drivers/simt/builder.h"
namespace nibble::simt {
Decoder findAsyncDecoder(std::string_view) { return nullptr; }
} // namespace nibble::simt
