// Replaces fake-quantized weights by packed ones, through calls and callees.
#include "passes/Weights/Weights.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace nibble;

static void collect(func::FuncOp function, SymbolTable &symbols,
                    llvm::SetVector<Operation *> &done,
                    DenseSet<Operation *> &open) {
  if (function.isDeclaration() || done.contains(function) ||
      !open.insert(function).second)
    return;
  function.walk([&](func::CallOp call) {
    if (auto callee = symbols.lookup<func::FuncOp>(call.getCallee()))
      collect(callee, symbols, done, open);
  });
  done.insert(function);
}

SmallVector<func::FuncOp>
nibble::reachableFunctions(ArrayRef<func::FuncOp> entries,
                           SymbolTable &symbols) {
  llvm::SetVector<Operation *> done;
  DenseSet<Operation *> open;
  for (func::FuncOp entry : entries)
    collect(entry, symbols, done, open);
  return llvm::map_to_vector(
      done, [](Operation *op) { return cast<func::FuncOp>(op); });
}

void nibble::dropFakeQuant(ArrayRef<func::FuncOp> functions) {
  for (func::FuncOp function : functions)
    function.walk([](qat::FakeQuantOp op) {
      op.replaceAllUsesWith(op.getWeight());
      op.erase();
    });
}

namespace {

// Rewrites functions; callees must have been rewritten before.
class WeightPacker {
public:
  WeightPacker(ArrayRef<func::FuncOp> entries, SymbolTable &symbols,
               StringRef pass, function_ref<bool(qat::FakeQuantOp)> accept)
      : entries_(entries), symbols_(symbols), pass_(pass.str()),
        accept_(accept) {}
  LogicalResult run();

private:
  // What happened to the arguments of a function: the type of each packed one,
  // null where the argument stays, and whether the plain one is gone.
  struct Packed {
    SmallVector<qat::PackedType> types;
    SmallVector<bool> plainGone;
  };

  void separateFromOthers(ArrayRef<func::FuncOp> functions);
  FailureOr<qat::PackedType> packedTypeOf(BlockArgument argument);
  LogicalResult pack(func::FuncOp function);
  LogicalResult rewriteCalls(func::FuncOp function,
                             DenseMap<Value, Value> &packedOf);
  static bool isPackedCallOperand(OpOperand &use,
                                  const DenseMap<StringAttr, Packed> &done);

  bool packs(Operation *op) {
    auto fakeQuant = dyn_cast<qat::FakeQuantOp>(op);
    return fakeQuant && (!accept_ || accept_(fakeQuant));
  }

  ArrayRef<func::FuncOp> entries_;
  SymbolTable &symbols_;
  std::string pass_;
  function_ref<bool(qat::FakeQuantOp)> accept_;
  DenseMap<StringAttr, Packed> done_; // by symbol name
};

} // namespace

// Copies functions that will change but have other callers, for the use of
// these entries.
void WeightPacker::separateFromOthers(ArrayRef<func::FuncOp> functions) {
  llvm::SetVector<Operation *> ours; // a copy replaces its original here
  for (func::FuncOp function : functions)
    ours.insert(function);
  auto hasOtherCallers = [&](func::FuncOp function) {
    auto uses = SymbolTable::getSymbolUses(function, symbols_.getOp());
    return !uses || llvm::any_of(*uses, [&](SymbolTable::SymbolUse use) {
      return !ours.contains(use.getUser()->getParentOfType<func::FuncOp>());
    });
  };
  // Start at the entries: a copied caller needs no copied callee unless the
  // callee is shared, too.
  for (func::FuncOp function : llvm::reverse(functions)) {
    bool changes = false;
    for (func::FuncOp inner : reachableFunctions(function, symbols_))
      changes |= inner
                     .walk([&](Operation *op) {
                       return packs(op) ? WalkResult::interrupt()
                                        : WalkResult::advance();
                     })
                     .wasInterrupted();
    if (llvm::is_contained(entries_, function) || !changes ||
        (function.isPrivate() && !hasOtherCallers(function)))
      continue;
    func::FuncOp copy = function.clone();
    copy.setPrivate();
    symbols_.insert(copy);
    ours.remove(function);
    for (Operation *caller : ours)
      (void)SymbolTable::replaceAllSymbolUses(function, copy.getSymNameAttr(),
                                              caller);
    ours.insert(copy);
  }
}

bool WeightPacker::isPackedCallOperand(
    OpOperand &use, const DenseMap<StringAttr, Packed> &done) {
  auto call = dyn_cast<func::CallOp>(use.getOwner());
  if (!call)
    return false;
  auto it = done.find(call.getCalleeAttr().getAttr());
  return it != done.end() && it->second.types[use.getOperandNumber()];
}

// The packed type under which the function and its callees read the argument;
// null when none reads it packed.
FailureOr<qat::PackedType> WeightPacker::packedTypeOf(BlockArgument argument) {
  qat::PackedType found;
  for (OpOperand &use : argument.getUses()) {
    qat::PackedType type;
    if (packs(use.getOwner())) {
      auto fakeQuant = cast<qat::FakeQuantOp>(use.getOwner());
      auto weight = cast<RankedTensorType>(argument.getType());
      if (!weight.hasStaticShape())
        return fakeQuant.emitError(
                   pass_ + ": a packed weight needs known extents, not ")
               << weight;
      type = qat::PackedType::get(argument.getContext(), weight.getDimSize(0),
                                  weight.getDimSize(1), fakeQuant.getScheme(),
                                  qat::Layout::Host);
    } else if (isPackedCallOperand(use, done_)) {
      type = done_[cast<func::CallOp>(use.getOwner()).getCalleeAttr().getAttr()]
                 .types[use.getOperandNumber()];
    }
    if (type && found && type != found)
      return use.getOwner()->emitError(
                 pass_ + ": one weight is read under two schemes, ")
             << found << " and " << type;
    found = type ? type : found;
  }
  return found;
}

// Passes packed values to callees that take them now. `packedOf` maps plain
// arguments of this function to packed ones.
LogicalResult WeightPacker::rewriteCalls(func::FuncOp function,
                                         DenseMap<Value, Value> &packedOf) {
  SmallVector<func::CallOp> calls;
  function.walk([&](func::CallOp call) { calls.push_back(call); });
  for (func::CallOp call : calls) {
    auto it = done_.find(call.getCalleeAttr().getAttr());
    if (it == done_.end())
      continue;
    SmallVector<Value> operands;
    for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
      if (!it->second.plainGone[i])
        operands.push_back(operand);
      if (!it->second.types[i])
        continue;
      Value packed = packedOf.lookup(operand);
      if (!packed)
        return call.emitError(pass_ + ": operand ")
               << i << " is read as a packed weight but is no argument of '"
               << function.getSymName() << "'";
      operands.push_back(packed);
    }
    call->setOperands(operands);
  }
  return success();
}

LogicalResult WeightPacker::pack(func::FuncOp function) {
  Packed packed;
  DenseMap<Value, Value> packedOf;
  SmallVector<BlockArgument> plain(function.getArguments());
  for (BlockArgument argument : plain) {
    FailureOr<qat::PackedType> type = packedTypeOf(argument);
    if (failed(type))
      return failure();
    bool other = llvm::any_of(argument.getUses(), [&](OpOperand &use) {
      return !packs(use.getOwner()) && !isPackedCallOperand(use, done_);
    });
    // A call that takes both forms keeps the plain argument alive.
    for (OpOperand &use : argument.getUses())
      if (isPackedCallOperand(use, done_))
        other |=
            !done_[cast<func::CallOp>(use.getOwner()).getCalleeAttr().getAttr()]
                 .plainGone[use.getOperandNumber()];
    packed.types.push_back(*type);
    packed.plainGone.push_back(*type && !other);
  }

  // The packed argument follows the plain one and has the same attributes.
  for (auto [argument, type] : llvm::zip(plain, packed.types)) {
    if (!type)
      continue;
    unsigned index = argument.getArgNumber();
    if (failed(function.insertArgument(index + 1, type,
                                       function.getArgAttrDict(index),
                                       argument.getLoc())))
      return failure();
    packedOf[argument] = function.getArgument(index + 1);
  }
  SmallVector<qat::FakeQuantOp> fakeQuants;
  function.walk([&](qat::FakeQuantOp op) {
    if (packs(op))
      fakeQuants.push_back(op);
  });
  for (qat::FakeQuantOp op : fakeQuants) {
    Value argument = packedOf.lookup(op.getWeight());
    if (!argument)
      return op.emitError(pass_ +
                          ": fake_quant of a value that is no argument of '")
             << function.getSymName() << "'";
    OpBuilder b(op);
    op.replaceAllUsesWith(
        qat::DequantizeOp::create(b, op.getLoc(), op.getType(), argument)
            .getResult());
    op.erase();
  }
  if (failed(rewriteCalls(function, packedOf)))
    return failure();
  for (int64_t i = static_cast<int64_t>(plain.size()) - 1; i >= 0; --i)
    if (packed.plainGone[i] &&
        failed(function.eraseArgument(plain[i].getArgNumber())))
      return failure();
  done_[function.getSymNameAttr()] = std::move(packed);
  return success();
}

LogicalResult WeightPacker::run() {
  separateFromOthers(reachableFunctions(entries_, symbols_));
  for (func::FuncOp function : reachableFunctions(entries_, symbols_))
    if (failed(pack(function)))
      return failure();
  return success();
}

LogicalResult nibble::packWeights(ArrayRef<func::FuncOp> entries,
                                  SymbolTable &symbols, StringRef pass,
                                  function_ref<bool(qat::FakeQuantOp)> accept) {
  return WeightPacker(entries, symbols, pass, accept).run();
}
