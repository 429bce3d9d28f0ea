// A compiled program as one file (.nbl), which runs without a compiler.
// Little-endian:
//
//     0   8 bytes  "nibble\r\n"
//     8   u32      NIBBLE_ABI_VERSION of the compiler
//    12   u32      number of sections
//    16   16 bytes target: host, simt or cuda, padded with zeros
//    32   64 bytes for each section: name (16 bytes, padded with zeros),
//                  u64 offset, u64 size, XXH3-128 (32 hexadecimal digits)
//    ..   32 bytes XXH3-128 of everything before, hexadecimal
//    ..   the sections, each at a multiple of 64 bytes
//
// A program that was compiled for a run's configuration has the section
// `properties` (JSON, runtime/rl/config/program_properties.h). The other
// sections depend on the target:
//
//    device  `manifest`  JSON from toJson
//    device  `image`     JSON: its name and architecture
//    device  `ptx`       and `cubin` when it was assembled
//    host    `manifest`  JSON: the CPU and the features that it needs
//    host    `library`   ELF shared library, exports the table `nibble_program`
#pragma once

#include "runtime/bundle/device/device_program.h"
#include "runtime/core/status.h"
#include "runtime/formats/json.h"

#include <map>
#include <string>

namespace nibble {

struct Bundle {
  std::string target;                          // host, simt or cuda
  std::map<std::string, std::string> sections; // by name (at most 15 bytes)
};

// Replaces the file as a whole. Environment error when it cannot be written.
Status writeBundle(const std::string &path, const Bundle &bundle);
// Reads a bundle. Bad input when the file is no bundle, has another interface
// version, is cut short, or is damaged (naming the section).
Result<Bundle> readBundle(const std::string &path);
// Whether the file begins with the magic bytes of a bundle.
bool isBundle(const std::string &path);

// Writes a program for `target`: cuda, or simt, which runs the same kernels.
// `properties` is JSON about what the program was compiled for, or empty.
Status writeBundle(const std::string &path, const DeviceProgram &program,
                   const std::string &target = "cuda",
                   const std::string &properties = "");
// The `properties` section; null when the bundle has none. Bad input when it is
// broken.
Result<Json> propertiesOf(const Bundle &bundle, const std::string &path);
// The device program in the bundle. Bad input when a section is missing or the
// program is invalid. Messages name `path`.
Result<DeviceProgram> deviceProgramOf(const Bundle &bundle,
                                      const std::string &path);

} // namespace nibble
