// What stands beside the weights of a checkpoint and goes along when they are
// written anew: tokenizer, generation_config, ...
#pragma once

#include "runtime/formats/io.h"

namespace nibble {

struct CompanionFiles {
  std::vector<std::string> copied, skipped; // names
};

// Copies every plain file of folder `source` into `target` but those in
// `written`, weights of any format and links that leave the folder.
Result<CompanionFiles>
copyCompanionFiles(const std::string &source, const AtomicFolder &target,
                   const std::vector<std::string> &written);

} // namespace nibble
