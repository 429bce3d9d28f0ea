// Which weights a recipe quantizes: the meaning of include and exclude, for the
// command line, configurations and passes.
//
// A weight is quantized when some include pattern matches its name (without
// include: always) and no exclude pattern does: where both match, exclude wins.
// Two patterns, lm_head and embed_tokens, are always among those of exclude,
// unless the default is switched off. A pattern that the user wrote and that
// has no effect is an error.
#pragma once

#include "lib/Names/pattern.h"

#include <array>
#include <string>
#include <vector>

namespace nibble::names {

// Heads and embeddings: they lose the most by four bits, and few serving
// engines read them packed.
inline constexpr std::array<std::string_view, 2> kDefaultExclude = {
    "lm_head", "embed_tokens"};

// "a, b, c and 5 more": the first names of many, for messages.
std::string firstOf(std::span<const std::string> names);

struct NamedWeight {
  std::string name;     // of the tensor
  bool canPack = false; // the weight of a linear
  std::string_view what =
      "not the weight of a linear"; // of one that cannot be packed, what it is
  bool isVector = false; // fewer than two dimensions: nobody expects it to be
                         // packed, so excluding it means nothing
};

class Selection {
public:
  // How the place that took the patterns spells them, for messages:
  // {"--include", "--exclude", "--no-default-exclude"}.
  struct Spelling {
    std::string include = "include", exclude = "exclude",
                noDefault = "default-exclude=false";
  };

  // Null with the reason in `problem`, one line, for a pattern that is none.
  static std::optional<Selection> parse(std::span<const std::string> include,
                                        std::span<const std::string> exclude,
                                        bool defaultExclude,
                                        const Spelling &spelling,
                                        std::string &problem);

  // A pattern that needs too many steps counts as no match; problemWith reports
  // it.
  bool chooses(std::string_view tensor) const;

  // Why the patterns do not fit these weights, all of a model's; empty when
  // they do. It is a pattern that matches nothing, an include pattern that
  // matches only what cannot be packed or what exclude leaves out, or patterns
  // that leave no weight. Exclude patterns may name a head that is tied to the
  // embedding and so has no tensor.
  std::string problemWith(std::span<const NamedWeight> weights) const;
  // What is not wrong but surely not meant: exclude patterns that match only
  // vectors, which are never packed. One line each.
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
