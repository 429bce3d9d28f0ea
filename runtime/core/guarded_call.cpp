// Calls generated code so that it can be left with longjmp.
#include "runtime/core/guarded_call.h"

#include "include/nibble/ABI.h"

#include <atomic>
#include <chrono>
#include <csetjmp>
#include <exception>
#include <thread>

// Null in a program without OpenMP, which has no parallel regions.
extern "C" __attribute__((weak)) int omp_get_level();

namespace nibble {

namespace {

struct Guard {
  std::jmp_buf place;
  // Copied into EarlyEnd: written before longjmp, read after it.
  volatile int64_t bytes = 0;
  const char *volatile violated = nullptr;
  int level = 0; // number of parallel regions open around the call
  Guard *outer = nullptr;
};

// Null on threads that a parallel region started.
thread_local Guard *innermost = nullptr;
std::atomic<NoWayOut> noWayOut{nullptr};

int openRegions() { return omp_get_level ? omp_get_level() : 0; }

} // namespace

EarlyEnd callGuarded(void (*entry)(void **), void **values) {
  // longjmp is safe here: nothing has a destructor, and only `innermost`
  // changes between setjmp and longjmp.
  Guard guard;
  guard.level = openRegions();
  guard.outer = innermost;
  innermost = &guard;
  if (setjmp(guard.place) == 0)
    entry(values);
  innermost = guard.outer;
  return {guard.bytes, guard.violated};
}

void leaveGuardedCall(EarlyEnd why) {
  if (Guard *guard = innermost; guard && guard->level == openRegions()) {
    guard->bytes = why.bytes;
    guard->violated = why.violated;
    std::longjmp(guard->place, 1);
  }
  // The threads of one region fail together. The first one reports and ends the
  // process; the others wait for that.
  static std::atomic_flag isEnding;
  while (isEnding.test_and_set())
    std::this_thread::sleep_for(std::chrono::seconds(1));
  if (NoWayOut handler = noWayOut.load())
    handler(why);
  std::terminate();
}

void onNoWayOut(NoWayOut handler) { noWayOut.store(handler); }

} // namespace nibble

extern "C" void nibble_assert_failed(const char *text) {
  nibble::leaveGuardedCall({0, text});
}
