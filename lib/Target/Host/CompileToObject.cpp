// Compiles a module to an object file.
#include "lib/Target/Host/Compile.h"

#include "lib/Target/Host/GenerateCode.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace nibble::host;

FailureOr<ObjectFile>
nibble::host::compileToObject(ModuleOp module, const CompileOptions &options) {
  FailureOr<Code> code = generate(module, options);
  if (failed(code))
    return failure();
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (code->machine->addPassesToEmitFile(passes, stream, nullptr,
                                         llvm::CodeGenFileType::ObjectFile))
    return module.emitError()
           << "code generation failed: this target writes no object files";
  passes.run(*code->module);
  if (failed(reportRefusal(module, *code->refused)))
    return failure();
  ObjectFile object;
  object.bytes = bytes.str().str();
  object.cpu = code->cpu.target.name;
  // Features that the CPU's name implies count too.
  const llvm::MCSubtargetInfo *subtarget = code->machine->getMCSubtargetInfo();
  for (const llvm::SubtargetFeatureKV &feature :
       subtarget->getAllProcessorFeatures())
    if (subtarget->getFeatureBits().test(feature.Value))
      object.features.push_back(feature.Key);
  return object;
}
