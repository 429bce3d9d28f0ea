// A way out of generated code: when the machine has no memory left, or an
// assertion of the program does not hold.
//
// Generated code cannot return an error, so it is left with longjmp: back to
// the call that entered it. That is sound because nothing between the two has
// anything to clean up: generated code owns memory of the arena only, which
// takes it back at its next reset, and the kernels allocate before their
// parallel regions, not inside. Inside one (upstream's lowering of a foreign
// module may allocate there) other threads still run and libomp counts on every
// thread to come to the end; then there is no way out, and the process has to
// end.
#pragma once

#include <cstdint>

namespace nibble {

// Why generated code was left before its end; false when it was not.
struct EarlyEnd {
  int64_t bytes = 0; // of the block that could not be had
  const char *violated =
      nullptr; // the assertion, as the program's text says it: "<where>:
               // <what>"; lives as long as the program

  explicit operator bool() const { return bytes != 0 || violated; }
};

// Runs `entry(values)`. When it does not come to its end, state that the code
// updates in place is half updated, and blocks that it took are in use until
// the arena's next reset.
EarlyEnd callGuarded(void (*entry)(void **), void **values);

// Leaves the innermost callGuarded of this thread.
[[noreturn]] void leaveGuardedCall(EarlyEnd why);

// Called with the reason where there is no way out, once, by the first thread
// that gets there; must end the process. Without one, or when it returns,
// std::terminate does.
using NoWayOut = void (*)(EarlyEnd why);
void onNoWayOut(NoWayOut handler);

} // namespace nibble
