// Reports the kernels of a device program, and the shortest time that their GPU
// could need for them.
#pragma once

#include "lib/KnownTargets/gpu.h"
#include "lib/Target/NVPTX/Assemble.h"
#include "runtime/bundle/device/device_program.h"
#include "runtime/core/status.h"

#include <string>

namespace nibble {

// A table as text. The first line names the memory and matrix rates of
// `target`, so that benchmarks/device_times.py can compute floors of its own.
//
// For each kernel the table gives:
// - tile, stages and splits;
// - threads and shared memory of a block;
// - registers of a thread and the bytes that it spills, when `assembly` holds
//   the output of ptxas.
//
// For the launches of each exported function, with every unknown extent set to
// `tokens`, it gives:
// - their number;
// - the bytes that they touch (bytesTouched) and the operations of the matrix
//   units;
// - the least time for both at the rates of `target`; "-" when the bytes are
//   known only at run time.
Result<std::string> kernelReport(const DeviceProgram &program,
                                 const nvptx::Assembly &assembly,
                                 const GpuTarget &target, int64_t tokens);

} // namespace nibble
