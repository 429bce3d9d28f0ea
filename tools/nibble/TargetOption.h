// The option --target.
#pragma once

#include <CLI/CLI.hpp>

namespace nibble {

inline void addTargetOption(CLI::App &command, std::string &target) {
  command
      .add_option("--target", target,
                  "where the program runs: host, cuda (an H200), or simt (its "
                  "kernels on the CPU)")
      ->check(CLI::IsMember({"host", "cuda", "simt"}))
      ->capture_default_str();
}

} // namespace nibble
