// A compiled program as one file (.nbl) that runs where there is no compiler.
// Little-endian:
//
//     0   8 bytes  "nibble\r\n"
//     8   u32      NIBBLE_ABI_VERSION of the compiler
//    12   u32      sections
//    16   16 bytes target: host, simt or cuda, padded with zeros
//    32   64 bytes of each section: name (16 bytes, padded with zeros), u64
//    offset, u64 size, XXH3-128 (32 hexadecimal digits)
//    ..   32 bytes XXH3-128 of everything before, hexadecimal
//    ..   the sections, each at a multiple of 64 bytes
//
// Section of any program that was compiled for a configuration of a run:
// `properties` (JSON, runtime/rl/config/program_properties.h). Sections of a
// device program: `manifest` (JSON of toJson), `image` (JSON: its name and
// architecture), `ptx`, and `cubin` when it was assembled. Of a host program:
// `manifest` (JSON: the CPU and the features that it needs), `library` (an ELF
// shared library that exports the table `nibble_program`).
#pragma once

#include "runtime/bundle/device/device_program.h"
#include "runtime/core/status.h"
#include "runtime/formats/json.h"

#include <map>
#include <string>

namespace nibble {

struct Bundle {
  std::string target;                          // host, simt, cuda
  std::map<std::string, std::string> sections; // by name, at most 15 bytes
};

// Replaces the file as a whole. Environment error when it cannot be written.
Status writeBundle(const std::string &path, const Bundle &bundle);
// Bad input in one line when the file is no bundle, of another interface
// version, cut, or damaged (naming the section).
Result<Bundle> readBundle(const std::string &path);
// Whether the file begins like a bundle.
bool isBundle(const std::string &path);

// A program for `target` (cuda, or simt: the same kernels). `properties`: JSON
// of what it was compiled for, or empty.
Status writeBundle(const std::string &path, const DeviceProgram &program,
                   const std::string &target = "cuda",
                   const std::string &properties = "");
// That JSON; null when the bundle has none. Bad input when it is broken.
Result<Json> propertiesOf(const Bundle &bundle, const std::string &path);
// Bad input when a section is missing or the program in it is not sound. `path`
// stands in messages.
Result<DeviceProgram> deviceProgramOf(const Bundle &bundle,
                                      const std::string &path);

} // namespace nibble
