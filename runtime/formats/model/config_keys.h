// Keys of config.json that their reader does not know. One rule serves every
// object of the file, at any depth:
//
//   null or empty                             silent
//   what every supported model does:          silent; another value is bad
//     use_rope: true, norm_type: "rmsnorm"    input ("use_rope": false), see
//                                             config_properties.h
//   how something is computed:                warning when set
//     attn_implementation, use_flash_...
//   other mathematics:                        bad input when set, else silent
//     softcap, multiplier, window, ...        (false, 0 and "" are not set)
//   anything else                             warning
//
// The subject of a key follows from the words in its name and in the names of
// the enclosing unknown objects. "impl" inside "attn_config" says how attention
// is computed. An object or list below an unknown key is searched for
// mathematics as well. An object named after mathematics ("attn_config") may
// only say how something is computed, or be off.
#pragma once

#include "runtime/formats/json.h"

#include <span>

namespace nibble {

// A key as messages name it: "rope_scaling.factor". At the top of the file,
// where `path` is empty, it is the key alone.
std::string keyPath(const std::string &path, std::string_view key);

// The warning for an unknown and therefore ignored key. It suggests known keys
// with a close name.
std::string unknownKeyWarning(const std::string &file, const std::string &path,
                              std::string_view key,
                              std::span<const char *const> known);

// Applies the rule to every key of `object` that is not in `known`. `file` and
// `path` name the object in messages: config.json's path, and "" or
// "rope_scaling". `hasQkNorm` means that the model has an RMS norm for the
// heads of q and k. Warnings say how to silence them.
Status checkUnknownKeys(const Json &object, std::span<const char *const> known,
                        const std::string &file, const std::string &path,
                        std::vector<std::string> &warnings,
                        bool hasQkNorm = false);

} // namespace nibble
