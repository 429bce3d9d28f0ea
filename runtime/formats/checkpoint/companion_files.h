// The files beside a checkpoint's weights, such as tokenizer and
// generation_config. They are copied when the weights are written anew.
#pragma once

#include "runtime/formats/io.h"

namespace nibble {

struct CompanionFiles {
  std::vector<std::string> copied, skipped; // file names
};

// Copies every plain file of folder `source` into `target`. It skips the files
// in `written`, weights of any format, and links that leave the folder.
Result<CompanionFiles>
copyCompanionFiles(const std::string &source, const AtomicFolder &target,
                   const std::vector<std::string> &written);

} // namespace nibble
