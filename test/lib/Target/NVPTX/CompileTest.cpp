// Modules become PTX and commands. Refusals have a clear message.
#include "lib/Target/NVPTX/Compile.h"
#include "include/nibble/InitAll.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble;
using testing::HasSubstr;

namespace {

struct CompileTest : testing::Test {
  CompileTest() : context(registry()) { context.loadAllAvailableDialects(); }
  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry all;
    registerAllDialects(all);
    return all;
  }
  // The message from compiling a module of these kernels; empty on success.
  std::string kernels(const std::string &text) {
    std::string said;
    mlir::ScopedDiagnosticHandler handler(&context,
                                          [&](mlir::Diagnostic &diagnostic) {
                                            said += diagnostic.str() + "\n";
                                            return mlir::success();
                                          });
    auto module = mlir::parseSourceString<mlir::ModuleOp>(
        "module attributes {kernel.target = #hopper.target<\"h200\">} {"
        "gpu.module @kernels {" +
            text + "}}",
        &context);
    DeviceProgram program;
    bool compiled =
        module && succeeded(nvptx::compileKernels(*module, program));
    EXPECT_EQ(compiled, said.empty()) << said;
    EXPECT_EQ(compiled, !program.image.ptx.empty());
    return said;
  }
  mlir::MLIRContext context;
};

TEST_F(CompileTest, WritesAKernel) {
  EXPECT_EQ(
      kernels("llvm.func @nothing() attributes {nvvm.kernel} { llvm.return }"),
      "");
}

TEST_F(CompileTest, SaysWhatThePassesRefuse) {
  EXPECT_THAT(kernels("gpu.func @size(%x: !llvm.ptr<1>) kernel { gpu.return }"),
              HasSubstr("has no integer 'hopper.threads'"));
}

// The contract of the last stage is checked whenever a program is compiled, not
// only when stages are printed.
TEST_F(CompileTest, KeepsTheContractOfTheLastStage) {
  EXPECT_THAT(kernels("llvm.func @k() attributes {nvvm.kernel} {"
                      "  vector.print str \"a kernel cannot\""
                      "  llvm.return"
                      "}"),
              HasSubstr("stage lower-to-hopper leaves nothing but commands "
                        "over buffers and kernels of llvm and nvvm"));
}

// Without our handler LLVM would print this and end the process.
TEST_F(CompileTest, SaysWhatTheBackendRefuses) {
  EXPECT_THAT(kernels("llvm.func @never() attributes {nvvm.kernel} {"
                      "  %0 = llvm.inline_asm has_side_effects \"mov $0, 1;\", "
                      "\"=&{xyz}\" : () -> i32"
                      "  llvm.return"
                      "}"),
              HasSubstr("the NVPTX backend refuses the kernels: couldn't "
                        "allocate output register"));
}

} // namespace
