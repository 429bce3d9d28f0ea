// Encodes tensor maps of the device "simt".
#include "runtime/drivers/simt/tensor_map.h"

namespace nibble::simt {

Status encodeTensorMap(const TensorMap &map, TensorMapBytes &bytes) {
  auto usage = [](const std::string &what) {
    return Status::usage("simt: tensor map: " + what + "; correct the map");
  };
  if (map.rank < 1 || map.rank > 5)
    return usage("rank " + std::to_string(map.rank) + " is not within 1..5");
  if (map.elementBytes != 1 && map.elementBytes != 2 && map.elementBytes != 4 &&
      map.elementBytes != 8)
    return usage("elements of " + std::to_string(map.elementBytes) +
                 " bytes; 1, 2, 4 or 8 are possible");
  if (map.address == 0 || map.address % 16 != 0)
    return usage("its address is not a multiple of 16");
  if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 &&
      map.swizzle != 128)
    return usage("a swizzle of " + std::to_string(map.swizzle) +
                 " bytes; 0, 32, 64 or 128 are possible");
  bytes = {};
  bytes.address = map.address;
  for (uint32_t i = 0; i < map.rank; ++i) {
    if (map.extents[i] == 0 || map.extents[i] > (uint64_t{1} << 32))
      return usage("extent " + std::to_string(i) + " is not within 1..2^32");
    if (map.box[i] == 0 || map.box[i] > 256)
      return usage("box " + std::to_string(i) + " of " +
                   std::to_string(map.box[i]) +
                   " elements; 1 to 256 are possible");
    bytes.extents[i] = map.extents[i];
    bytes.box[i] = static_cast<uint16_t>(map.box[i]);
    if (i > 0) {
      uint64_t stride = map.strides[i - 1];
      if (stride % 16 != 0 || stride >= (uint64_t{1} << 40))
        return usage("stride " + std::to_string(i - 1) + " of " +
                     std::to_string(stride) +
                     " bytes is not a multiple of 16 below 2^40");
      bytes.strides[i - 1] = stride;
    }
  }
  uint32_t inner = map.box[0] * map.elementBytes;
  if (inner % 16 != 0)
    return usage("the innermost box has " + std::to_string(inner) +
                 " bytes, which is not a multiple of 16");
  if (map.swizzle != 0 && inner > map.swizzle)
    return usage("the innermost box has " + std::to_string(inner) +
                 " bytes, more than the swizzle's " +
                 std::to_string(map.swizzle));
  bytes.elementBytes = static_cast<uint8_t>(map.elementBytes);
  bytes.rank = static_cast<uint8_t>(map.rank);
  bytes.swizzle = static_cast<uint16_t>(map.swizzle);
  return Status::ok();
}

} // namespace nibble::simt
