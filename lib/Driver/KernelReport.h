// What the kernels of a device program are, and how fast an H200 could run
// them.
#pragma once

#include "lib/Target/NVPTX/Assemble.h"
#include "runtime/bundle/device/device_program.h"
#include "runtime/core/status.h"

#include <string>

namespace nibble {

// What an H200 reached on random data: bytes/s copied (read plus written), and
// operations/s of the matrix units on bf16.
constexpr double kCopyRate = 4.3e12;
constexpr double kMatrixRate = 790e12;

// A table in text. For each kernel: tile, stages and splits, threads and shared
// memory of a block; registers of a thread and bytes that it spills, where
// ptxas was there (`assembly` holds them); and, of the launches of every
// exported function with all unknown extents `tokens`: how many, the bytes that
// they touch (bytesTouched), operations of the matrix units, and the floor of
// their time: bytes over kCopyRate or operations over kMatrixRate, whichever is
// longer; "-" where what they touch is not known before they run. The first
// line names both rates, for whoever computes floors of its own
// (benchmarks/device_times.py).
Result<std::string> kernelReport(const DeviceProgram &program,
                                 const nvptx::Assembly &assembly,
                                 int64_t tokens);

} // namespace nibble
