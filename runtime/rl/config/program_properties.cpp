// Lists the parts of a configuration that a program depends on, and compares
// two lists.
#include "runtime/rl/config/program_properties.h"

#include <fmt/format.h>

namespace nibble {

Json programProperties(const Config &config, bool supervised,
                       std::string_view program) {
  bool trains = program == "train";
  Json properties = {
      {"program", program},
      {"dtype", config.model.dtype},
      {"scheme", trains ? config.quantize.train : config.quantize.rollout}};
  if (properties["scheme"] != "none") {
    properties["group_size"] = config.quantize.groupSize;
    properties["convention"] = config.quantize.convention;
    properties["include"] = config.quantize.include;
    properties["exclude"] = config.quantize.exclude;
    properties["default_exclude"] = config.quantize.defaultExclude;
    // It changes no program, but only a strict compilation refuses what it
    // refuses.
    if (config.quantize.strict)
      properties["strict"] = true;
  }
  if (trains) {
    properties["objective"] = supervised ? "sft" : config.rl.objective;
    if (!supervised)
      properties["constants"] = objectiveConstants(config.rl);
  }
  return properties;
}

Status checkProperties(const Json &found, const Json &wanted,
                       const std::string &where) {
  if (!found.is_object())
    return Status::usage(where + ": does not say what it was compiled for; "
                                 "compile it again with --config");
  auto compare = [&](const std::string &name, const Json &asked) -> Status {
    auto has = found.find(name);
    if (has != found.end() && *has == asked)
      return Status::ok();
    return Status::usage(fmt::format(
        "{}: has {}, the configuration asks for {} {}; compile it again with "
        "--config",
        where, has == found.end() ? "no " + name : name + " " + has->dump(),
        name, asked.dump()));
  };
  // The program and the scheme come first, because other differences follow
  // from them.
  for (const char *first : {"program", "scheme"})
    NIBBLE_TRY(compare(first, wanted.at(first)));
  for (const auto &[name, value] : wanted.items())
    NIBBLE_TRY(compare(name, value));
  for (const auto &[name, value] : found.items())
    if (!wanted.contains(name) && name != "strict")
      return Status::usage(
          fmt::format("{}: has {} {}, which the configuration does not ask "
                      "for; compile it again with "
                      "--config",
                      where, name, value.dump()));
  return Status::ok();
}

} // namespace nibble
