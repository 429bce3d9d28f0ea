// A pattern on the names of weights, and the names that are close to one that
// matches nothing.
//
// There is one kind of regular expression everywhere: Python's syntax, run by
// Oniguruma with bounded work, because lists of patterns come from files and
// command lines that we did not write.
#pragma once

#include "lib/Names/expression.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::names {

// "model.layers.0.mlp.up_proj.weight" is a tensor's name,
// "model.layers.0.mlp.up_proj" its module's: the name without
// ".weight". Other names are their own module's.
std::string_view moduleOf(std::string_view tensor);

class Pattern {
public:
  // What --include, --exclude and their like take: "re:" and an expression that
  // must match the module's name from its start, as entries of
  // compressed-tensors' ignore lists do (Python's re.match); without "re:" an
  // expression that is searched anywhere in the tensor's name. Null with the
  // reason in `problem` when the expression is empty, has white space at an
  // end, or does not compile.
  static std::optional<Pattern> parse(std::string_view text,
                                      std::string &problem);
  // An entry of a `targets` or `ignore` list in a file: "re:" as above,
  // anything else is the whole name of a module.
  static std::optional<Pattern> parseModule(std::string_view text,
                                            std::string &problem);

  // Null when the expression needs more steps than any that is meant for names.
  std::optional<bool> matches(std::string_view tensor) const;
  // What the pattern is held against: the tensor's name where it is searched,
  // else the module's.
  std::string_view subjectOf(std::string_view tensor) const;

  const std::string &text() const { return text_; }
  // Anchored at the module's start: "re:".
  bool isAnchored() const { return kind_ == Kind::kModuleStart; }
  // Whether the expression of an anchored pattern is found somewhere in a
  // tensor's name.
  bool isFoundIn(std::string_view tensor) const;

private:
  enum class Kind { kSearch, kModuleStart, kModule };
  Pattern(std::string_view text, Kind kind) : text_(text), kind_(kind) {}
  static std::optional<Pattern> compile(std::string_view text, Kind kind,
                                        std::string_view expression,
                                        std::string &problem);

  std::string text_;
  Kind kind_;
  Expression regex_; // null: the whole name of a module
};

// Up to three of these tensors whose modules hold a text close to the longest
// literal part of the pattern, as what the pattern is held against; the closest
// first, equally close ones in the order given; one for all layers that differ
// by numbers only. Empty when none is close.
std::vector<std::string> closeNames(const Pattern &pattern,
                                    std::span<const std::string> tensors);

} // namespace nibble::names
