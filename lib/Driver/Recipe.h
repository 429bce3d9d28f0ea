// What is quantized and how: the recipe that the command line, a run's configuration and the quantize pass share.
#pragma once

#include "lib/Numerics/scheme.h"
#include "passes/Quantize/Passes.h"
#include "runtime/core/status.h"
#include "runtime/formats/model_config.h"

#include <string>
#include <vector>

namespace nibble {

struct Recipe {
  std::string scheme = "int4"; // int4, int8, fp8, none
  int64_t groupSize = 32;      // 16, 32, 64, 128; 0: the whole row
  std::string convention = "nibble";
  // POSIX extended regular expressions on parameter names. A linear weight is quantized when include finds a match and exclude
  // none; an empty exclude finds none.
  std::string include = ".*";
  std::string exclude = "lm_head|embed_tokens";

  bool quantizes() const { return scheme != "none"; }
  // Usage error for a scheme, group size or convention that there is not.
  Result<numerics::Scheme> numericsScheme() const;
  // These options of nibble-quantize.
  QuantizePassOptions passOptions() const;
};

Result<numerics::Convention> parseConvention(const std::string &text);

// The linear weights of a model that the recipe names. Usage error for a broken regular expression, or when it names none.
Result<std::vector<std::string>> selectTensors(const Recipe &recipe, const ModelConfig &config);

} // namespace nibble
