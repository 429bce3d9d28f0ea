// The commands of the tool. Each adds itself to the command line and leaves
// what became of it in `status`.
#pragma once

#include "runtime/core/status.h"

namespace CLI {
class App;
}

namespace nibble {

using AddCommand = void (*)(CLI::App &app, Status &status);

void addDoctor(CLI::App &app, Status &status);  // is this machine fit?
void addInspect(CLI::App &app, Status &status); // what is in a checkpoint
void addImport(CLI::App &app, Status &status);  // checkpoint -> module
void addCompile(CLI::App &app,
                Status &status); // module or checkpoint through the stages
void addCreate(CLI::App &app, Status &status); // a checkpoint of random weights
void addLogits(CLI::App &app, Status &status); // logits of given tokens
void addGenerate(CLI::App &app, Status &status); // text from prompts
void addConfig(CLI::App &app,
               Status &status); // the keys of a run's configuration
void addTrain(CLI::App &app, Status &status); // sft, rl: the training loops
void addQuantize(CLI::App &app,
                 Status &status); // checkpoint -> INT4 checkpoint
void addVerify(CLI::App &app,
               Status &status); // INT4 checkpoint against its source
void addReport(CLI::App &app, Status &status); // metrics -> report.html

inline constexpr AddCommand kCommands[] = {
    addDoctor,   addInspect, addCreate, addImport,   addCompile, addLogits,
    addGenerate, addConfig,  addTrain,  addQuantize, addVerify,  addReport};

} // namespace nibble
