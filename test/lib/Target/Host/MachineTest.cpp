// The CPU and the features that a module is compiled for.
#include "lib/Target/Host/Machine.h"

#include "dialects/Host/Host.h"
#include "dialects/Kernel/Kernel.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace nibble::host;

namespace {

struct MachineTest : testing::Test {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
};

// Stages give the module its target before code is generated. The machine may
// lack features that the name of its CPU implies.
TEST_F(MachineTest, ASecondCallHasTheFeaturesOfTheMachineToo) {
  std::string features = describeCpu("host").features;
  ASSERT_NE(features.find('+'), std::string::npos);
  for (int call = 0; call < 2; ++call) {
    auto cpu = setTarget(*module, "host");
    ASSERT_TRUE(mlir::succeeded(cpu));
    EXPECT_EQ(cpu->features, features) << "call " << call;
  }
}

TEST_F(MachineTest, ATargetOfTheModuleIsKept) {
  nibble::CpuTarget facts = nibble::kAvx2;
  facts.l2Bytes = 12345;
  context.getOrLoadDialect<HostDialect>();
  (*module)->setAttr(nibble::kernel::kTargetAttr,
                     TargetAttr::get(&context, facts));
  auto cpu = setTarget(*module, "host");
  ASSERT_TRUE(mlir::succeeded(cpu));
  EXPECT_EQ(cpu->target, facts);
  EXPECT_EQ(cpu->features, describeCpu("x86-64-v3").features);
}

} // namespace
