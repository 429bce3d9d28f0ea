// The commands of the tool. Each adds itself to the command line and puts its
// result into `status`.
#pragma once

#include "runtime/core/status.h"

namespace CLI {
class App;
}

namespace nibble {

using AddCommand = void (*)(CLI::App &app, Status &status);

// Checks whether this machine is suitable.
void addDoctor(CLI::App &app, Status &status);
// Prints the content of a checkpoint.
void addInspect(CLI::App &app, Status &status);
// Turns a checkpoint into a module.
void addImport(CLI::App &app, Status &status);
// Runs a module or a checkpoint through the stages.
void addCompile(CLI::App &app, Status &status);
// Makes a checkpoint of random weights.
void addCreate(CLI::App &app, Status &status);
// Prints the logits of given tokens.
void addLogits(CLI::App &app, Status &status);
// Generates text from prompts.
void addGenerate(CLI::App &app, Status &status);
// Prints the keys of a run's configuration.
void addConfig(CLI::App &app, Status &status);
// Adds sft and rl, the training loops.
void addTrain(CLI::App &app, Status &status);
// Turns a checkpoint into an INT4 checkpoint.
void addQuantize(CLI::App &app, Status &status);
// Compares an INT4 checkpoint with its source.
void addVerify(CLI::App &app, Status &status);
// Turns metrics into report.html.
void addReport(CLI::App &app, Status &status);

inline constexpr AddCommand kCommands[] = {
    addDoctor,   addInspect, addCreate, addImport,   addCompile, addLogits,
    addGenerate, addConfig,  addTrain,  addQuantize, addVerify,  addReport};

} // namespace nibble
