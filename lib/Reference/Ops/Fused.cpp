// Ops that fuse several others: those ops run one after another, as each is
// defined.
#include "lib/Reference/Interpreter.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// Temporary ops outside of any block. They are run, and erased when the fused
// op has its results.
class Steps {
public:
  explicit Steps(Call &call) : call_(call), builder_(call.op->getContext()) {}
  Steps(const Steps &) = delete;
  Steps &operator=(const Steps &) = delete;
  ~Steps() {
    for (Operation *op : llvm::reverse(ops_)) {
      for (mlir::Value result : op->getResults())
        call_.environment.erase(result);
      op->erase();
    }
  }

  // Creates and runs an op; its results are in the environment afterwards. Null
  // after an error.
  template <typename Op, typename... Arguments>
  Op run(Arguments &&...arguments) {
    auto op = Op::create(builder_, call_.op->getLoc(),
                         std::forward<Arguments>(arguments)...);
    ops_.push_back(op);
    Call inner(call_.interpreter, call_.environment, op);
    return succeeded(kernelTable().find(Op::getOperationName())(inner)) ? op
                                                                        : Op();
  }

private:
  Call &call_;
  OpBuilder builder_;
  SmallVector<Operation *> ops_;
};

LogicalResult ropeCacheWrite(nn::RopeCacheWriteOp op, Call &call) {
  Steps steps(call);
  mlir::Value rotated[] = {op.getQ(), op.getK()};
  for (auto [i, x] : llvm::enumerate(rotated)) {
    if (!op.getNorms().empty()) {
      auto norm = steps.run<nn::RMSNormOp>(x.getType(), x, op.getNorms()[i],
                                           op.getEpsilonAttr());
      if (!norm)
        return failure();
      x = norm.getY();
    }
    auto rope = steps.run<nn::RopeOp>(x.getType(), x, op.getCos(), op.getSin(),
                                      UnitAttr());
    if (!rope)
      return failure();
    x = rope.getY();
  }
  auto write = steps.run<nn::CacheWriteOp>(
      op.getKeyCache().getType(), op.getValueCache().getType(), rotated[1],
      op.getV(), op.getKeyCache(), op.getValueCache(), op.getPositions(),
      op.getSequences(), op.getPages());
  if (!write)
    return failure();
  call.set(op.getRotated(), call.handle(rotated[0]));
  call.set(op.getNewKeyCache(), call.handle(write.getNewKeyCache()));
  call.set(op.getNewValueCache(), call.handle(write.getNewValueCache()));
  return success();
}

template <typename Op, typename Linear>
LogicalResult linearSwiglu(Op op, Call &call) {
  Steps steps(call);
  Type type = op.getY().getType();
  auto gate = steps.run<Linear>(type, op.getX(), op.getGate(), mlir::Value(),
                                mlir::Value());
  auto up = gate ? steps.run<Linear>(type, op.getX(), op.getUp(), mlir::Value(),
                                     mlir::Value())
                 : Linear();
  auto y = up ? steps.run<nn::SwigluOp>(type, gate.getY(), up.getY())
              : nn::SwigluOp();
  if (!y)
    return failure();
  call.set(op.getY(), call.handle(y.getY()));
  return success();
}

} // namespace

void reference::addFusedKernels(KernelTable &table) {
  table.add<&ropeCacheWrite>();
  table.add<&linearSwiglu<nn::LinearSwigluOp, nn::LinearOp>>();
  table.add<&linearSwiglu<qat::LinearSwigluOp, qat::LinearOp>>();
}
