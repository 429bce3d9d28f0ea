// A pattern on the names of weights, and suggestions for a pattern that matches
// nothing.
//
// Every regular expression has Python's syntax. Oniguruma runs it with bounded
// work, because patterns come from files and command lines that others wrote.
#pragma once

#include "lib/Names/expression.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::names {

// The name of the module that owns a tensor: "model.layers.0.mlp.up_proj" for
// "model.layers.0.mlp.up_proj.weight". A name without ".weight" is its own
// module's.
std::string_view moduleOf(std::string_view tensor);

class Pattern {
public:
  // Parses a value of --include, --exclude and the like. "re:" is followed by
  // an expression that must match the module's name from its start (Python's
  // re.match), as in the ignore lists of compressed-tensors. Without "re:" the
  // expression is searched anywhere in the tensor's name. Null with the reason
  // in `problem` when the expression is empty, has white space at an end, or
  // does not compile.
  static std::optional<Pattern> parse(std::string_view text,
                                      std::string &problem);
  // Parses an entry of a `targets` or `ignore` list in a file. "re:" means the
  // same as above; anything else is the whole name of a module.
  static std::optional<Pattern> parseModule(std::string_view text,
                                            std::string &problem);

  // Null when the match needs more steps than any sensible pattern on names.
  std::optional<bool> matches(std::string_view tensor) const;
  // The text that the pattern is matched against: the tensor's name if it is
  // searched, else the module's.
  std::string_view subjectOf(std::string_view tensor) const;

  const std::string &text() const { return text_; }
  // Starts with "re:", so it must match from the start of the module's name.
  bool isAnchored() const { return kind_ == Kind::kModuleStart; }
  // Whether the expression of an anchored pattern occurs anywhere in a tensor's
  // name.
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

// Up to three suggestions for a pattern that matches nothing, in the form that
// the pattern is matched against. They are tensors whose modules contain a text
// close to the longest literal part of the pattern. The closest come first, and
// ties keep the order given. Layers that differ only by numbers give one
// suggestion. Empty when none is close.
std::vector<std::string> closeNames(const Pattern &pattern,
                                    std::span<const std::string> tensors);

} // namespace nibble::names
