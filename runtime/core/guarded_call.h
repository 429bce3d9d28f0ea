// A way out of generated code when the machine has no memory left or an
// assertion of the program does not hold.
//
// Generated code cannot return an error, so longjmp leads back to the call that
// entered it. That is sound because no frame in between needs cleaning up.
// Generated code owns memory of the arena only, which the arena's next reset
// releases. Kernels allocate before their parallel regions, not inside them.
//
// Upstream's lowering of a foreign module may allocate inside a parallel
// region. Then other threads still run, and libomp waits for every thread to
// reach the end. In that case there is no way out and the process has to end.
#pragma once

#include <cstdint>

namespace nibble {

// Why generated code ended early. Converts to false when it did not.
struct EarlyEnd {
  int64_t bytes = 0; // size of the block that could not be allocated
  // Text of the assertion, "<where>: <what>"; lives as long as the program.
  const char *violated = nullptr;

  explicit operator bool() const { return bytes != 0 || violated; }
};

// Runs `entry(values)`. After an early end, state that the code updates in
// place is half updated. Blocks that it allocated stay in use until the arena's
// next reset.
EarlyEnd callGuarded(void (*entry)(void **), void **values);

// Leaves the innermost callGuarded of this thread.
[[noreturn]] void leaveGuardedCall(EarlyEnd why);

// The handler for an early end that has no way out. The first thread that gets
// there calls it once with the reason. It must end the process; std::terminate
// follows when it is missing or returns.
using NoWayOut = void (*)(EarlyEnd why);
void onNoWayOut(NoWayOut handler);

} // namespace nibble
