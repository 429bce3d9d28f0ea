// nibble config: prints every key of a configuration with its meaning.
#include "tools/nibble/Commands.h"

#include "runtime/rl/config/config.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace nibble {

namespace {

struct ConfigArguments {
  std::string file;
  std::vector<std::string> set;
};

// All of `config` as a TOML file. A comment above each key has its meaning and
// its range or choices, and the default when the value differs from it. JSON
// writes texts, numbers, flags and lists like TOML.
std::string tomlOf(const Config &config) {
  Json values = toJson(config);
  std::string text, section;
  for (const ConfigKey &key : configKeys()) {
    if (key.section != section)
      text += fmt::format("{}[{}]\n", section.empty() ? "" : "\n", key.section);
    section = key.section;
    const Json &value = values[key.section][key.key];
    std::string otherwise =
        value.dump() == key.defaultValue ? "" : "; default " + key.defaultValue;
    text += fmt::format("# {} ({}{})\n{} = {}\n", key.meaning, key.type,
                        otherwise, key.key, value.dump());
  }
  return text;
}

Status show(const ConfigArguments &arguments) {
  auto config = arguments.file.empty()
                    ? parseConfig("", "defaults", arguments.set)
                    : loadConfig(arguments.file, arguments.set);
  if (!config.isOk())
    return std::move(config).takeStatus();
  fmt::print("{}", tomlOf(*config));
  return Status::ok();
}

} // namespace

void addConfig(CLI::App &app, Status &status) {
  auto *command =
      app.add_subcommand("config", "Print every key of a configuration with "
                                   "its value, range and meaning, as TOML.");
  auto arguments = std::make_shared<ConfigArguments>();
  command->add_option(
      "config", arguments->file,
      "TOML file whose values to show; default: the default of every key");
  command
      ->add_option("--set", arguments->set,
                   "section.key=value, over the file; may be given again")
      ->allow_extra_args(false);
  command->callback([arguments, &status] { status = show(*arguments); });
}

} // namespace nibble
