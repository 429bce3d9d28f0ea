// Determines each cell of the table.
#include "test/integration/completeness/table/OpTable.h"

#include "dialects/Hopper/Hopper.h"
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "lib/Driver/Session.h"
#include "lib/Reference/Reference.h"
#include "passes/Differentiate/GradientOpInterface.h"
#include "test/integration/completeness/table/Examples.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

using namespace mlir;

namespace nibble::test {

namespace {

// The lines in the dialects' tests that expect an error.
std::vector<std::string> expectedErrors() {
  std::vector<std::string> lines;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(
           NIBBLE_TEST_DATA "/dialects"))
    if (llvm::StringRef(entry.path().string()).ends_with("invalid.mlir")) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);)
        if (line.find("expected-error") != std::string::npos)
          lines.push_back(line);
    }
  return lines;
}

std::string textOf(ModuleOp module, bool generic) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().printGenericOpForm(generic));
  return text;
}

bool makesRoundTrip(Session &session, ModuleOp module) {
  for (bool generic : {false, true}) {
    std::string text = textOf(module, generic);
    auto again = session.parseText(text, "printed");
    if (!again.isOk() || textOf(**again, generic) != text)
      return false;
  }
  return true;
}

// Adds the ops that have a folder of their own.
template <typename... Ops> void addFolding(std::set<std::string> &names) {
  auto add = [&]<typename Op>() {
    if constexpr (requires(Op op, typename Op::FoldAdaptor adaptor) {
                    op.fold(adaptor);
                  })
      names.insert(Op::getOperationName().str());
  };
  (add.template operator()<Ops>(), ...);
}

std::set<std::string> foldingOps() {
  std::set<std::string> names;
  addFolding<
#define GET_OP_LIST
#include "dialects/NN/NNOps.cpp.inc"
      >(names);
  addFolding<
#define GET_OP_LIST
#include "dialects/QAT/QATOps.cpp.inc"
      >(names);
  return names;
}

// The module after a pipeline, or null when the pipeline refuses it.
OwningOpRef<ModuleOp> lowered(Session &session, ModuleOp module,
                              const std::string &pipeline) {
  OwningOpRef<ModuleOp> copy = module.clone();
  if (!session.run(*copy, pipeline).isOk())
    return {};
  return copy;
}

// Whether no op of nn or qat is left, because each has become a kernel.compute
// or its decomposition.
bool isOverBuffers(ModuleOp module) {
  return !module
              .walk([](Operation *op) {
                return isa<nn::NNDialect, qat::QATDialect>(op->getDialect())
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

bool usesMatrixUnits(Operation *kernel) {
  return kernel
      ->walk([](Operation *op) {
        return isa<hopper::WgmmaOp, NVVM::MmaOp>(op) ? WalkResult::interrupt()
                                                     : WalkResult::advance();
      })
      .wasInterrupted();
}

// Whether every launch states how many bytes it touches and how many
// matrix-unit operations it uses.
bool tellsItsCost(ModuleOp module) {
  SymbolTableCollection symbols;
  return !module
              .walk([&](hopper::LaunchOp launch) {
                Operation *kernel =
                    symbols.lookupNearestSymbolFrom(launch, launch.getKernel());
                bool bytes = !launch.getPartly() || launch.getTouches();
                bool operations = launch.getOperations() ||
                                  !(kernel && usesMatrixUnits(kernel));
                return bytes && operations ? WalkResult::advance()
                                           : WalkResult::interrupt();
              })
              .wasInterrupted();
}

} // namespace

std::vector<OpRow> makeOpTable() {
  Session session;
  MLIRContext &context = session.context();
  std::vector<std::string> ops = allOps(context);
  std::vector<std::string> errors = expectedErrors();
  std::set<std::string> folding = foldingOps();
  OwningOpRef<ModuleOp> examples = parseExamples(context);
  std::vector<OpRow> table;
  for (const std::string &op : ops) {
    OpRow &row = table.emplace_back();
    row.op = op;
    auto set = [&](Column column, bool filled) {
      row.filled[static_cast<size_t>(column)] = filled;
    };
    set(Column::kVerifier, llvm::any_of(errors, [&](const std::string &line) {
          return line.find("'" + op + "' op ") != std::string::npos;
        }));
    set(Column::kFold, folding.count(op) != 0);
    set(Column::kReference, referenceKnows(op));
    set(Column::kGradient,
        OperationName(op, &context).hasInterface<GradientOpInterface>());
    OwningOpRef<ModuleOp> example =
        examples ? exampleOf(*examples, op) : OwningOpRef<ModuleOp>();
    if (!example || !findOp(*example, op))
      continue;
    set(Column::kRoundTrip, makesRoundTrip(session, *example));
    OwningOpRef<ModuleOp> buffers =
        lowered(session, *example, "nibble-bufferize");
    set(Column::kBufferization, buffers && isOverBuffers(*buffers));
    set(Column::kHostKernel,
        static_cast<bool>(lowered(session, *example, "nibble-host-loops")));
    OwningOpRef<ModuleOp> device =
        lowered(session, *example, "nibble-hopper-kernels");
    set(Column::kDeviceKernel, static_cast<bool>(device));
    set(Column::kCost, device && tellsItsCost(*device));
  }
  return table;
}

} // namespace nibble::test
