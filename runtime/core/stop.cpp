// Handles SIGINT and SIGTERM by setting a flag.
#include "runtime/core/stop.h"

#include <atomic>
#include <csignal>

namespace nibble {

namespace {
std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "a signal handler may only use what cannot block");

void onSignal(int) { stop.store(true); }
} // namespace

void installStopSignals() {
  struct sigaction action = {};
  action.sa_handler = onSignal;
  sigemptyset(&action.sa_mask);
  // SA_RESETHAND restores the default action, so the second signal ends the
  // process.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stopRequested() { return stop.load(); }
void requestStop() { stop.store(true); }
void clearStop() { stop.store(false); }

} // namespace nibble
