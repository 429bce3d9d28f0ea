// Maps the tensor names that wrappers produce to the standard names.
#include "runtime/formats/checkpoint/tensor_names.h"

#include "runtime/formats/io.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>

namespace nibble {

namespace {

constexpr std::string_view kModel = "model.",
                           kEmbedding = "embed_tokens.weight",
                           kHead = "lm_head.";

// Wrappers of modules, which may stand anywhere in a name: torch.compile, fully
// sharded training, activation checkpointing.
constexpr std::array<std::string_view, 3> kWrappers = {
    "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."};

std::string unwrapped(std::string name) {
  for (std::string_view wrapper : kWrappers)
    for (size_t at = name.find(wrapper); at != std::string::npos;
         at = name.find(wrapper, at))
      if (at == 0 || name[at - 1] == '.')
        name.erase(at, wrapper.size());
      else
        ++at;
  return name;
}

// Whether a name without its prefix belongs to a decoder.
bool isOfDecoder(std::string_view name) {
  constexpr std::array<std::string_view, 4> parts = {"embed_tokens.", "layers.",
                                                     "norm.", "rotary_emb."};
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) {
    return name.starts_with(part);
  });
}

// The prefix before `part` in the one name that ends with it as whole
// components. nullopt when no name or several names do.
std::optional<std::string>
prefixOf(const std::map<std::string, std::string> &names,
         std::string_view part) {
  std::optional<std::string> prefix;
  for (const auto &[stored, name] : names) {
    if (!name.ends_with(part))
      continue;
    std::string before = name.substr(0, name.size() - part.size());
    if (!before.empty() && before.back() != '.')
      continue;
    if (prefix)
      return std::nullopt;
    prefix = before;
  }
  return prefix;
}

} // namespace

Result<StandardNames> standardNames(const std::vector<std::string> &stored) {
  StandardNames names;
  for (const std::string &name : stored)
    names.byStored[name] = unwrapped(name);
  bool hasStandard = false;
  for (const auto &[name, plain] : names.byStored)
    hasStandard |= plain == std::string(kModel) + std::string(kEmbedding);
  if (std::optional<std::string> body =
          hasStandard ? std::string(kModel)
                      : prefixOf(names.byStored, kEmbedding)) {
    // A packed head has no ".weight" of its own.
    std::optional<std::string> head;
    for (const auto &[name, plain] : names.byStored)
      if (size_t at = plain.find(kHead); at != std::string::npos &&
                                         (at == 0 || plain[at - 1] == '.') &&
                                         body->starts_with(plain.substr(0, at)))
        head = plain.substr(0, at);
    for (auto &[name, plain] : names.byStored) {
      if (head && plain.starts_with(*head + std::string(kHead)))
        plain.erase(0, head->size());
      else if (plain.starts_with(*body) &&
               isOfDecoder(std::string_view(plain).substr(body->size())))
        plain.replace(0, body->size(), kModel);
    }
  }
  std::map<std::string, std::string> back;
  for (const auto &[name, standard] : names.byStored) {
    auto [other, isNew] = back.emplace(standard, name);
    if (!isNew)
      return Status::badInput(fmt::format(
          "tensors \"{}\" and \"{}\" are both \"{}\"; remove one",
          printable(other->second), printable(name), printable(standard)));
    if (names.example.empty() && name != standard)
      names.example = name;
  }
  return names;
}

} // namespace nibble
