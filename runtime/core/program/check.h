// What the checks of a program (the check dialect) found: generated code calls
// the functions of ABI.h, whoever ran the program asks here.
#pragma once

#include <string>
#include <vector>

namespace nibble {

// Failures of checks since the last call, in the order they were found, each
// one line: "<where>: <what differs>". Thread-safe.
std::vector<std::string> takeCheckFailures();

} // namespace nibble
