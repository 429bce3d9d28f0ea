// The failures of a program's checks (the check dialect). Generated code
// reports them through the functions of ABI.h; whoever ran the program takes
// them here.
#pragma once

#include <string>
#include <vector>

namespace nibble {

// The failures since the last call, in the order of detection. Each is one
// line: "<where>: <what differs>". Thread-safe.
std::vector<std::string> takeCheckFailures();

} // namespace nibble
