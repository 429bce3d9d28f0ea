// Stops work in good order. After the first SIGINT or SIGTERM the work stops at
// its next safe point and saves. The second signal ends the process at once.
#pragma once

namespace nibble {

// Call once, from main.
void installStopSignals();
// Whether a signal came or requestStop was called.
bool stopRequested();
// Does what a signal does. Tests and front ends with other ways to ask use it.
void requestStop();
void clearStop();

} // namespace nibble
