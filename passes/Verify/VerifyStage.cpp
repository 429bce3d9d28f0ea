// nibble-verify-stage: a table of what each stage guarantees.
#include "dialects/Kernel/Kernel.h"
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/Verify/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-verify-stage"

ALWAYS_ENABLED_STATISTIC(NumPromises, "promises that were kept");

namespace nibble {
#define GEN_PASS_DEF_VERIFYSTAGEPASS
#include "passes/Verify/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

// One guarantee. `check` returns an op that breaks it, or null. `blame` reports
// that op when the input program is at fault, not the stage. When it is null,
// the statement is the message.
struct Promise {
  StringLiteral stage;
  StringLiteral statement;
  Operation *(*check)(ModuleOp);
  void (*blame)(Operation *) = nullptr;
};

} // namespace

template <typename Predicate>
static Operation *findOp(Operation *root, Predicate broken) {
  Operation *found = nullptr;
  root->walk([&](Operation *op) {
    if (!broken(op))
      return WalkResult::advance();
    found = op;
    return WalkResult::interrupt();
  });
  return found;
}

static Operation *foreignDialect(ModuleOp module) {
  static constexpr StringLiteral kKnown[] = {
      "builtin", "func",  "nn",   "qat", "linalg",
      "tensor",  "arith", "math", "scf", "check"};
  return findOp(module, [](Operation *op) {
    // Exporters assert that indices are in range.
    return !isa<cf::AssertOp>(op) &&
           !llvm::is_contained(kKnown, op->getName().getDialectNamespace());
  });
}

static Operation *unnamedArgument(ModuleOp module) {
  return findOp(module, [](Operation *op) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function || !function.isPublic())
      return false;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (!function.getArgAttr(i, nn::kParameterAttr) &&
          !function.getArgAttr(i, nn::kInputAttr) &&
          !function.getArgAttr(i, nn::kStateAttr))
        return true;
    return false;
  });
}

static Operation *twoSchemes(ModuleOp module) {
  DenseMap<Value, qat::SchemeAttr> schemes;
  return findOp(module, [&](Operation *op) {
    auto fakeQuant = dyn_cast<qat::FakeQuantOp>(op);
    return fakeQuant &&
           schemes.try_emplace(fakeQuant.getWeight(), fakeQuant.getScheme())
                   .first->second != fakeQuant.getScheme();
  });
}

// Arguments of a function, keyed by "<attribute> <name>".
static llvm::StringMap<Type> argumentTypes(func::FuncOp function,
                                           StringRef attribute) {
  llvm::StringMap<Type> types;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto name = function.getArgAttrOfType<StringAttr>(i, attribute))
      types[name.getValue()] = function.getArgumentTypes()[i];
  return types;
}

static ArrayRef<int64_t> shapeOf(Type type, std::array<int64_t, 2> &storage) {
  if (auto packed = dyn_cast<qat::PackedType>(type)) {
    storage = {packed.getN(), packed.getK()};
    return storage;
  }
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.getShape() : ArrayRef<int64_t>();
}

static Operation *misshapenGradient(ModuleOp module) {
  return findOp(module, [](Operation *op) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function)
      return false;
    llvm::StringMap<Type> parameters =
        argumentTypes(function, nn::kParameterAttr);
    for (auto &[name, type] : argumentTypes(function, nn::kStateAttr)) {
      StringRef parameter = name;
      if (!parameter.consume_front("gradient:"))
        continue;
      auto gradient = dyn_cast<RankedTensorType>(type);
      if (!gradient || !gradient.getElementType().isF32())
        return true;
      std::array<int64_t, 2> storage;
      auto it = parameters.find(parameter);
      if (it != parameters.end() &&
          shapeOf(it->second, storage) != gradient.getShape())
        return true;
    }
    return false;
  });
}

// Walks the functions that `is` accepts and all functions that they call.
template <typename Predicate>
static Operation *findBelow(ModuleOp module, bool (*is)(func::FuncOp),
                            Predicate broken) {
  SymbolTable symbols(module);
  SmallVector<func::FuncOp> work;
  DenseSet<Operation *> seen;
  for (auto function : module.getOps<func::FuncOp>())
    if (is(function) && seen.insert(function).second)
      work.push_back(function);
  while (!work.empty()) {
    func::FuncOp function = work.pop_back_val();
    if (Operation *op = findOp(function, broken))
      return op;
    function.walk([&](func::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (callee && seen.insert(callee).second)
        work.push_back(callee);
    });
  }
  return nullptr;
}

static bool hasState(func::FuncOp function, StringRef kind) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto name = function.getArgAttrOfType<StringAttr>(i, nn::kStateAttr);
        name && name.getValue().starts_with(kind))
      return true;
  return false;
}

// Training does not write its weights, so a weight is the same in every
// microbatch, and only the update should quantize it.
static Operation *repeatedQuantization(ModuleOp module) {
  auto trains = [](func::FuncOp function) {
    return hasState(function, "gradient:") && !hasState(function, "master:");
  };
  return findBelow(module, trains, [](Operation *op) {
    auto fakeQuant = dyn_cast<qat::FakeQuantOp>(op);
    return fakeQuant && fakeQuant.getScheme().isExact() &&
           isa<BlockArgument>(fakeQuant.getWeight());
  });
}

static bool isRollout(func::FuncOp function) {
  return hasState(function, "key_cache:");
}

static Operation *fakeQuantInRollout(ModuleOp module) {
  return findBelow(module, isRollout,
                   [](Operation *op) { return isa<qat::FakeQuantOp>(op); });
}

static Operation *keysOfItsOwn(ModuleOp module) {
  return findBelow(module, isRollout,
                   [](Operation *op) { return isa<nn::AttentionOp>(op); });
}

static Operation *dequantizedLinear(ModuleOp module) {
  return findOp(module, [](Operation *op) {
    return isa<nn::LinearOp, nn::LinearInputGradOp>(op) &&
           op->getOperand(1).getDefiningOp<qat::DequantizeOp>();
  });
}

// Finds an op with an operand or result type that `broken` accepts.
template <typename Predicate>
static Operation *findValue(ModuleOp module, Predicate broken) {
  return findOp(module, [&](Operation *op) {
    if (llvm::any_of(op->getResultTypes(), broken))
      return true;
    return llvm::any_of(op->getRegions(), [&](Region &region) {
      return llvm::any_of(region, [&](Block &block) {
        return llvm::any_of(block.getArgumentTypes(), broken);
      });
    });
  });
}

static Operation *hostLayout(ModuleOp module) {
  return findValue(module, [](Type type) {
    auto packed = dyn_cast<qat::PackedType>(type);
    return packed && packed.getLayout() == qat::Layout::Host;
  });
}

static Operation *notBuffers(ModuleOp module) {
  return findValue(
      module, [](Type type) { return isa<TensorType, qat::PackedType>(type); });
}

static Operation *unwrittenKernel(ModuleOp module) {
  return findOp(module, [](Operation *op) {
    return isa<kernel::ComputeOp, linalg::LinalgOp>(op);
  });
}

static bool isOfDialect(Operation *op, ArrayRef<StringLiteral> dialects) {
  return llvm::is_contained(dialects, op->getName().getDialectNamespace());
}

// Threads stay OpenMP regions until the translation to LLVM IR. Lowering leaves
// an op without a pattern in place; the op is more informative than the cast
// that is left beside it.
static Operation *notLLVM(ModuleOp module) {
  Operation *left = nullptr;
  module.walk([&](Operation *op) {
    if (isa<ModuleOp>(op) || isOfDialect(op, {"llvm", "omp"}))
      return;
    if (!left || isa<UnrealizedConversionCastOp>(left))
      left = op;
  });
  return left;
}

static void blameOnCpu(Operation *op) {
  InFlightDiagnostic diagnostic = op->emitError();
  diagnostic << "'" << op->getName() << "'";
  if (op->getNumOperands() > 0)
    diagnostic << " of " << op->getOperandTypes();
  if (op->getNumResults() > 0)
    diagnostic << " to " << op->getResultTypes();
  diagnostic << " has no form on a CPU";
}

static Operation *notCommands(ModuleOp module) {
  return findOp(module, [](Operation *op) {
    if (op->getParentOfType<gpu::GPUModuleOp>())
      return !isOfDialect(op, {"llvm", "nvvm"});
    return !isa<ModuleOp>(op) &&
           !isOfDialect(op, {"func", "memref", "arith", "hopper", "gpu"});
  });
}

static constexpr Promise kPromises[] = {
    {"import", "has only ops that later stages know", foreignDialect},
    {"import",
     "names every argument of a public function (nn.input, nn.parameter or "
     "nn.state)",
     unnamedArgument},
    {"quantize", "reads every weight under one scheme", twoSchemes},
    {"differentiate",
     "accumulates each gradient in float32 in the shape of its parameter",
     misshapenGradient},
    {"hoist",
     "leaves no fake_quant of an argument in training, where it would be the "
     "same for every microbatch",
     repeatedQuantization},
    {"rollout", "leaves no fake_quant in functions with a cache",
     fakeQuantInRollout},
    {"rollout", "attends over pages in functions with a cache", keysOfItsOwn},
    {"fuse", "leaves no dequantized weight that feeds a linear",
     dequantizedLinear},
    {"hopper-tensors", "leaves no packed weight in the order of a CPU",
     hostLayout},
    {"bufferize", "leaves no value that is a tensor or a packed weight",
     notBuffers},
    {"hopper-kernels", "leaves no kernel.compute and no linalg op",
     unwrittenKernel},
    {"lower-to-hopper",
     "leaves nothing but commands over buffers and kernels of llvm and nvvm",
     notCommands},
    {"host-loops", "leaves no kernel.compute and no linalg op",
     unwrittenKernel},
    {"lower-to-host", "leaves nothing but the LLVM dialect and OpenMP", notLLVM,
     blameOnCpu},
};

namespace {

class VerifyStagePass final
    : public nibble::impl::VerifyStagePassBase<VerifyStagePass> {
public:
  using VerifyStagePassBase::VerifyStagePassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    bool known = false;
    for (const Promise &promise : kPromises) {
      if (promise.stage != stage)
        continue;
      known = true;
      if (Operation *op = promise.check(getOperation())) {
        if (promise.blame)
          promise.blame(op);
        else
          op->emitError() << "stage " << stage << " " << promise.statement
                          << "; this breaks it";
        return signalPassFailure();
      }
      ++NumPromises;
    }
    if (known)
      return;
    getOperation().emitError()
        << "nibble-verify-stage: there is no stage '" << stage << "'";
    signalPassFailure();
  }
};

} // namespace
