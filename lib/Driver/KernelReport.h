// What the kernels of a device program are, and how fast an H200 could run them.
#pragma once

#include "lib/Target/NVPTX/Assemble.h"
#include "runtime/bundle/device_program.h"
#include "runtime/core/status.h"

#include <string>

namespace nibble {

// A table in text. For each kernel: tile, stages and splits, threads and shared memory of a block; registers of a thread and bytes that it spills,
// where ptxas was there (`assembly` holds them); and, of the launches of every exported function with all unknown extents `tokens`:
// how many, the bytes of what they are given, operations of the matrix units, and the floor of their time: bytes over 4.3 TB/s or
// operations over 790 TFLOP/s, the rates measured on an H200, whichever is longer.
Result<std::string> kernelReport(const DeviceProgram &program, const nvptx::Assembly &assembly, int64_t tokens);

} // namespace nibble
