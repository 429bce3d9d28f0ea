// Keys of config.json that their reader does not know: one rule for every
// object of the file, however deep it lies.
//
//   null or empty                                 silent
//   what every supported model does:              silent; bad input for another
//   value ("use_rope": false), see
//     use_rope: true, norm_type: "rmsnorm"          config_properties.h
//   "how": attn_implementation, use_flash_...     warning when set: it says how
//   something is computed, not what mathematics: softcap, multiplier, window,
//   ... bad input when set (anything but false, 0 and ""), silent when not
//   anything else                                 warning
//
// What a key is about follows from the words in its name and in the names of
// the unknown objects around it: "impl" inside "attn_config" says how attention
// is computed. An object or list below a key that is not known is searched for
// mathematics as well. An object named after mathematics ("attn_config") may
// hold only what says how, or is off.
#pragma once

#include "runtime/formats/json.h"

#include <span>

namespace nibble {

// A key as messages name it: "rope_scaling.factor"; at the top of the file,
// where `path` is empty, the key alone.
std::string keyPath(const std::string &path, std::string_view key);

// The warning of a key that is ignored because nobody knows it, with those of
// the known keys that are close to it.
std::string unknownKeyWarning(const std::string &file, const std::string &path,
                              std::string_view key,
                              std::span<const char *const> known);

// Applies the rule to every key of `object` that is not in `known`. `file` and
// `path` say in messages where the object stands: config.json's path, and "" or
// "rope_scaling". `hasQkNorm`: the model has an RMS norm of the heads of q and
// k. Warnings say how to silence them.
Status checkUnknownKeys(const Json &object, std::span<const char *const> known,
                        const std::string &file, const std::string &path,
                        std::vector<std::string> &warnings,
                        bool hasQkNorm = false);

} // namespace nibble
