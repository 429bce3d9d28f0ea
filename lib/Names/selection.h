// Which weights a recipe quantizes. The command line, configurations and passes
// share this meaning of include and exclude.
//
// A weight is quantized when some include pattern matches its name and no
// exclude pattern does. Without include patterns every name is included. Two
// patterns, lm_head and embed_tokens, are always excluded, unless the default
// is switched off. A pattern that the user wrote and that has no effect is an
// error.
#pragma once

#include "lib/Names/pattern.h"

#include <array>
#include <string>
#include <vector>

namespace nibble::names {

// Heads and embeddings lose the most accuracy with four bits, and few serving
// engines read them packed.
inline constexpr std::array<std::string_view, 2> kDefaultExclude = {
    "lm_head", "embed_tokens"};

// "a, b, c and 5 more": the first names of many, for messages.
std::string firstOf(std::span<const std::string> names);

struct NamedWeight {
  std::string name;     // of the tensor
  bool canPack = false; // the weight of a linear
  // For messages: what a tensor is that cannot be packed.
  std::string_view what = "not the weight of a linear";
  // Has fewer than two dimensions. Nobody expects it to be packed, so excluding
  // it means nothing.
  bool isVector = false;
};

class Selection {
public:
  // The user's spelling of these options, for messages: {"--include",
  // "--exclude", "--no-default-exclude"}.
  struct Spelling {
    std::string include = "include", exclude = "exclude",
                noDefault = "default-exclude=false";
  };

  // Null with the reason in `problem`, one line, for a malformed pattern.
  static std::optional<Selection> parse(std::span<const std::string> include,
                                        std::span<const std::string> exclude,
                                        bool defaultExclude,
                                        const Spelling &spelling,
                                        std::string &problem);

  // A pattern that needs too many steps counts as no match; problemWith reports
  // it.
  bool chooses(std::string_view tensor) const;

  // Why the patterns do not fit `weights`, which are all weights of a model;
  // empty when they fit. Problems are a pattern that matches nothing, an
  // include pattern that matches only what is excluded or cannot be packed, and
  // no weight left. An exclude pattern may name a head that is tied to the
  // embedding and so has no tensor.
  std::string problemWith(std::span<const NamedWeight> weights) const;
  // Warnings, one line each, about exclude patterns that match only vectors.
  // Vectors are never packed, so such a pattern is surely not meant.
  std::vector<std::string>
  warningsWith(std::span<const NamedWeight> weights) const;

private:
  bool isExcluded(std::string_view tensor) const;
  std::string problemOfInclude(const Pattern &pattern,
                               std::span<const NamedWeight> weights) const;
  std::string unmatched(const std::string &option, const Pattern &pattern,
                        std::span<const NamedWeight> weights) const;

  std::vector<Pattern> include_, exclude_, defaults_;
  Spelling spelling_;
};

} // namespace nibble::names
