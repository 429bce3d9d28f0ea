// nibble-opt: runs passes over textual IR, both upstream's and ours.
#include "include/nibble/InitAll.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

static mlir::LogicalResult fail(const llvm::Twine &message) {
  llvm::errs() << "nibble-opt: " << message << "\n";
  return mlir::failure();
}

static mlir::LogicalResult run(int argc, char **argv) {
  mlir::DialectRegistry registry;
  nibble::registerAllDialects(registry);
  nibble::registerAllPasses();
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "Nibble's modular optimizer\n", registry);
  mlir::MlirOptMainConfig config =
      mlir::MlirOptMainConfig::createFromCLOptions();
  // MLIR's release build leaves out its own statistics. Ours always count.
  bool statistics = llvm::cl::getRegisteredOptions()
                        .lookup("mlir-pass-statistics")
                        ->getNumOccurrences() > 0;
  if (statistics)
    llvm::EnableStatistics(/*DoPrintOnExit=*/false);
  if (config.shouldShowDialects() || config.shouldListPasses())
    return mlir::MlirOptMain(argc, argv, input, output, registry);
  std::string error;
  auto buffer = mlir::openInputFile(input, &error);
  if (!buffer)
    return fail(error);
  // The bytecode reader of this MLIR release aborts on damaged input; the text
  // parser does not.
  if (mlir::isBytecode(*buffer))
    return fail(input + ": is MLIR bytecode, which is not read; print it as "
                        "text with mlir-opt first");
  auto file = mlir::openOutputFile(output, &error);
  if (!file)
    return fail(error);
  if (failed(
          mlir::MlirOptMain(file->os(), std::move(buffer), registry, config)))
    return mlir::failure();
  if (statistics)
    llvm::PrintStatistics(llvm::errs());
  file->keep();
  return mlir::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  return mlir::asMainReturnCode(run(argc, argv));
}
