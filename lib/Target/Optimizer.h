// What LLVM's optimizer needs for one module and one machine.
#pragma once

#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"

namespace nibble {

// A builder of pass pipelines with the analyses that they ask for. Code of
// straight lines is not vectorized: kernels are written in vectors.
class Optimizer {
public:
  Optimizer(llvm::TargetMachine &machine, bool vectorizeLoops)
      : builder(&machine, tuningOf(vectorizeLoops)) {
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(graph_);
    builder.registerFunctionAnalyses(functions_);
    builder.registerLoopAnalyses(loops_);
    builder.crossRegisterProxies(loops_, functions_, graph_, modules);
  }

private:
  static llvm::PipelineTuningOptions tuningOf(bool vectorizeLoops) {
    llvm::PipelineTuningOptions tuning;
    tuning.LoopVectorization = vectorizeLoops;
    tuning.SLPVectorization = false;
    return tuning;
  }

  llvm::LoopAnalysisManager loops_;
  llvm::FunctionAnalysisManager functions_;
  llvm::CGSCCAnalysisManager graph_;

public:
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder;
};

} // namespace nibble
