// Checks a packed checkpoint against its source.
#include "lib/Numerics/pack.h"
#include "runtime/formats/checkpoint/quantized_checkpoint.h"

#include <cstring>
#include <fmt/format.h>

namespace nibble {

using numerics::PackedLayout;

Result<VerifyReport>
verifyQuantizedCheckpoint(const std::string &sourceFolder,
                          const std::string &quantizedFolder,
                          numerics::Convention convention) {
  NIBBLE_ASSIGN(QuantizedCheckpoint source,
                QuantizedCheckpoint::open(sourceFolder));
  NIBBLE_ASSIGN(QuantizedCheckpoint quantized,
                QuantizedCheckpoint::open(quantizedFolder));
  if (quantized.schemes().empty())
    return Status::badInput(fmt::format(
        "checkpoint {}: none of its tensors is packed, so there is nothing to "
        "verify; name a checkpoint that was quantized",
        quantizedFolder));
  VerifyReport report;
  auto differ = [&](const std::string &name, const std::string &how) {
    if (report.firstDifference.empty())
      report.firstDifference =
          fmt::format("tensor \"{}\": {}", printable(name), how);
  };
  for (const std::string &name : source.names())
    if (!quantized.info(name)) {
      ++report.differingTensors;
      differ(name, "missing in " + quantizedFolder);
    }
  for (const std::string &name : quantized.names()) {
    auto info = source.info(name);
    if (!info || info->shape != quantized.info(name)->shape) {
      ++report.differingTensors;
      differ(name, info ? "another shape" : "missing in " + sourceFolder);
      continue;
    }
    const PackedLayout *packed = quantized.packed(name);
    if (!packed) {
      ++report.keptTensors;
      NIBBLE_ASSIGN(Tensor before, source.read(name));
      NIBBLE_ASSIGN(Tensor after, quantized.read(name));
      if (before.dtype() != after.dtype() ||
          std::memcmp(before.data(), after.data(),
                      static_cast<size_t>(before.bytes())) != 0) {
        ++report.differingTensors;
        differ(name, "kept, but with other bytes");
      }
      continue;
    }
    ++report.packedTensors;
    PackedLayout layout = *packed;
    layout.scheme.convention = convention;
    NIBBLE_ASSIGN(PackedWeight wanted, source.pack(name, layout));
    NIBBLE_ASSIGN(PackedWeight found, quantized.readPacked(name));
    std::vector<int8_t> wantedRow(static_cast<size_t>(layout.k));
    std::vector<int8_t> foundRow(wantedRow.size());
    for (int64_t row = 0; row < layout.n; ++row) {
      numerics::unpackCodes(layout, row, row + 1, wanted.codes.as<uint8_t>(),
                            wantedRow.data());
      numerics::unpackCodes(layout, row, row + 1, found.codes.as<uint8_t>(),
                            foundRow.data());
      for (size_t i = 0; i < wantedRow.size(); ++i)
        if (wantedRow[i] != foundRow[i]) {
          ++report.differingCodes;
          differ(name, fmt::format("code at row {}, column {} is {}, not {}",
                                   row, i, foundRow[i], wantedRow[i]));
        }
    }
    NIBBLE_ASSIGN(Tensor wantedScales, convert(wanted.scales, DType::kF32));
    NIBBLE_ASSIGN(Tensor foundScales, convert(found.scales, DType::kF32));
    for (int64_t i = 0; i < layout.scaleCount(); ++i) {
      float want = wantedScales.as<float>()[i];
      float have = foundScales.as<float>()[i];
      if (want != have) {
        ++report.differingScales;
        differ(name,
               fmt::format("scale at index {} is {}, not {}", i, have, want));
      }
    }
    report.codes += layout.n * layout.k;
    report.scales += layout.scaleCount();
  }
  return report;
}

} // namespace nibble
