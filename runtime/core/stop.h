// Stopping in good order: the first SIGINT or SIGTERM asks, and the work stops
// at its next safe point and saves; the second one ends the process at once.
#pragma once

namespace nibble {

// Call once, from main.
void installStopSignals();
// Whether a signal came, or requestStop was called.
bool stopRequested();
// What a signal does; for tests and for front ends that have another way to
// ask.
void requestStop();
void clearStop();

} // namespace nibble
