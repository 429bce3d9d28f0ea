// Builds the terms of a function's results from its ops and those of its
// callees.
#include "passes/Verify/Terms.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace nibble;

Term *TermBuilder::make(Term::Kind kind, StringRef name, Type type,
                        Operation *op, Location loc) {
  terms.push_back(
      Term{kind, name.str(), type, op, loc, 0, {}, {}, {}, false, false});
  return &terms.back();
}

static void addOperand(Term *term, const Term *operand) {
  term->operands.push_back(operand);
  term->someRows |= operand->someRows;
}

FailureOr<SmallVector<const Term *>>
TermBuilder::resultsOf(func::FuncOp function) {
  SmallVector<const Term *> arguments;
  for (BlockArgument argument : function.getArguments()) {
    std::string name = "argument " + std::to_string(argument.getArgNumber());
    for (StringRef attribute :
         {StringRef(nn::kParameterAttr), StringRef(nn::kInputAttr),
          StringRef(nn::kStateAttr)})
      if (auto text = function.getArgAttrOfType<StringAttr>(
              argument.getArgNumber(), attribute))
        name = text.str();
    arguments.push_back(make(Term::Kind::kArgument, name, argument.getType(),
                             nullptr, argument.getLoc()));
  }
  return evaluate(function, arguments);
}

FailureOr<SmallVector<const Term *>>
TermBuilder::evaluate(func::FuncOp function, ArrayRef<const Term *> arguments) {
  if (function.isDeclaration() || !function.getBody().hasOneBlock())
    return function.emitError("nibble-verify-consistency: '")
           << function.getSymName() << "' has no body of one block to compare";
  if (!open.insert(function).second)
    return function.emitError("nibble-verify-consistency: '")
           << function.getSymName() << "' calls itself";
  Environment values;
  for (auto [argument, term] : llvm::zip(function.getArguments(), arguments))
    values[argument] = term;
  Block &body = function.front();
  for (Operation &op : body.without_terminator())
    if (failed(evaluate(op, values)))
      return failure();
  open.erase(function);
  return llvm::map_to_vector(body.getTerminator()->getOperands(),
                             [&](Value value) { return values.lookup(value); });
}

// y = E(E(E(sum) + bias) + residual): the residual as the addition that it
// stands for.
const Term *TermBuilder::linear(Operation &op, const Term *x,
                                const Term *weight, const Term *bias,
                                const Term *residual) {
  Term *sum = make(Term::Kind::kOp, "nn.linear", op.getResult(0).getType(), &op,
                   op.getLoc());
  for (const Term *operand : {x, weight})
    addOperand(sum, operand);
  if (bias)
    addOperand(sum, bias);
  if (!residual)
    return sum;
  Term *added =
      make(Term::Kind::kOp, "arith.addf", sum->type, &op, op.getLoc());
  addOperand(added, sum);
  addOperand(added, residual);
  return added;
}

const Term *TermBuilder::decoded(Operation &op, const Term *weight,
                                 qat::SchemeAttr scheme, bool packed) {
  Term *term =
      make(Term::Kind::kDecoded, weight->name, weight->type, &op, op.getLoc());
  addOperand(term, weight);
  term->scheme = scheme;
  term->packed = packed;
  return term;
}

// Not how operands are counted, nor that an addition may do nothing but add.
static bool decidesBits(NamedAttribute attribute) {
  auto fastMath = dyn_cast<arith::FastMathFlagsAttr>(attribute.getValue());
  return attribute.getName() != "operandSegmentSizes" &&
         !(fastMath && fastMath.getValue() == arith::FastMathFlags::none);
}

LogicalResult TermBuilder::evaluate(Operation &op, Environment &values) {
  auto at = [&](Value value) { return value ? values.lookup(value) : nullptr; };
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!callee)
      return call.emitError("nibble-verify-consistency: there is no function '")
             << call.getCallee() << "' to compare";
    auto results = evaluate(
        callee, llvm::map_to_vector(call.getOperands(),
                                    [&](Value value) { return at(value); }));
    if (failed(results))
      return failure();
    for (auto [result, term] : llvm::zip(call.getResults(), *results))
      values[result] = term;
    return success();
  }
  if (auto fakeQuant = dyn_cast<qat::FakeQuantOp>(op)) {
    values[fakeQuant.getResult()] = decoded(
        op, at(fakeQuant.getWeight()), fakeQuant.getScheme(), /*packed=*/false);
    return success();
  }
  if (isa<qat::QuantizeOp, qat::RepackOp>(
          op)) { // a packed value is named by its weight; a layout decides no
                 // bits
    values[op.getResult(0)] = at(op.getOperand(0));
    return success();
  }
  if (auto dequantize = dyn_cast<qat::DequantizeOp>(op)) {
    values[dequantize.getWeight()] =
        decoded(op, at(dequantize.getPacked()),
                dequantize.getPacked().getType().getScheme(), true);
    return success();
  }
  if (auto plain = dyn_cast<nn::LinearOp>(op)) {
    values[plain.getY()] = linear(op, at(plain.getX()), at(plain.getWeight()),
                                  at(plain.getBias()), at(plain.getResidual()));
    return success();
  }
  if (auto packed = dyn_cast<qat::LinearOp>(op)) {
    const Term *weight =
        decoded(op, at(packed.getPacked()),
                packed.getPacked().getType().getScheme(), true);
    values[packed.getY()] =
        linear(op, at(packed.getX()), weight, at(packed.getBias()),
               at(packed.getResidual()));
    return success();
  }

  // Everything else is what it says, but for the two ops that only a rollout
  // has.
  Term *term = nullptr;
  for (OpResult result : op.getResults()) {
    term = make(Term::Kind::kOp, op.getName().getStringRef(), result.getType(),
                &op, op.getLoc());
    term->result = result.getResultNumber();
    for (NamedAttribute attribute : op.getAttrDictionary())
      if (decidesBits(attribute))
        term->attributes.push_back(attribute);
    for (Value operand : op.getOperands())
      addOperand(term, at(operand));
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegions(), captured);
    for (Value value : captured)
      if (const Term *known = values.lookup(value))
        addOperand(term, known);
    values[result] = term;
  }
  if (auto take = dyn_cast<nn::TakeRowsOp>(op)) {
    Term *rows = make(Term::Kind::kOp, "", {}, &op, op.getLoc());
    *rows = *at(take.getX());
    rows->someRows = true;
    values[take.getY()] = rows;
  }
  if (auto paged = dyn_cast<nn::PagedAttentionOp>(op)) {
    auto write = paged.getKeyCache().getDefiningOp<nn::CacheWriteOp>();
    if (!write || paged.getValueCache() != write.getNewValueCache() ||
        paged.getPages() != write.getPages())
      return paged.emitError("nibble-verify-consistency: its pages are not "
                             "what one nn.cache_write has just left");
    // What the cache holds from earlier calls was written by this same op.
    term->name = nn::AttentionOp::getOperationName().str();
    term->operands = {at(paged.getQ()), at(write.getK()), at(write.getV()),
                      at(paged.getPositions()), at(paged.getSequences())};
  }
  if (isa<nn::PagedAttentionOp, nn::AttentionOp>(op) && term->someRows)
    return op.emitError("nibble-verify-consistency: attention over some of the "
                        "rows reads other keys than over all");
  return success();
}
