// A way out of generated code when the machine has no memory left.
//
// Generated code cannot return an error, so it is left with longjmp: back to the call that entered it. That is sound
// because nothing between the two has anything to clean up: generated code owns memory of the arena only, which takes
// it back at its next reset, and the kernels allocate before their parallel regions, not inside. Inside one (upstream's
// lowering of a foreign module may allocate there) other threads still run and libomp counts on every thread to come to
// the end; then there is no way out, and the process has to end.
#pragma once

#include <cstdint>

namespace nibble {

// Runs `entry(values)`. 0 when it came to its end; else the bytes of the block that could not be had. State that the
// code updates in place is then half updated, and blocks that it took are in use until the arena's next reset.
int64_t callGuarded(void (*entry)(void **), void **values);

// Leaves the innermost callGuarded of this thread.
[[noreturn]] void leaveGuardedCall(int64_t bytes);

// Called with the bytes where there is no way out; must end the process. Without one, or when it returns,
// std::terminate does.
using NoWayOut = void (*)(int64_t bytes);
void onNoWayOut(NoWayOut handler);

} // namespace nibble
