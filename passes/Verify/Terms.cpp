// Builds the terms of a function's results from its ops and those of its
// callees.
#include "passes/Verify/Terms.h"

#include "dialects/NN/NN.h"
#include "passes/Verify/ExemptAttributes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace nibble;

static std::string quoted(StringRef name) { return "'" + name.str() + "'"; }

SmallVector<TermAttribute> nibble::attributesOf(Operation &op, StringRef owner,
                                                bool all) {
  StringRef name = op.getName().getStringRef();
  SmallVector<TermAttribute> attributes;
  auto add = [&](NamedAttribute attribute) {
    const ExemptAttribute *exempt = findExempt(name, attribute.getName());
    if (!exempt ||
        (all && exempt->why == ExemptAttribute::Why::kComparedOtherwise))
      attributes.push_back({(owner.empty() ? name : owner).str(), quoted(name),
                            attribute.getName(), attribute.getValue()});
  };
  // Inherent attributes are stored as properties, which need not be attributes.
  Attribute properties = op.getPropertiesAsAttribute();
  if (auto dictionary = dyn_cast_or_null<DictionaryAttr>(properties))
    llvm::for_each(dictionary, add);
  else if (properties)
    add(NamedAttribute(StringAttr::get(op.getContext(), "properties"),
                       properties));
  llvm::for_each(op.getRawDictionaryAttrs(), add);
  return attributes;
}

Term *TermBuilder::make(Term::Kind kind, StringRef name, Type type,
                        Operation *op, Location loc) {
  terms_.push_back(
      Term{kind, name.str(), type, op, loc, 0, {}, {}, {}, false, false});
  return &terms_.back();
}

void TermBuilder::hold(Term *term, Operation &op, StringRef owner) {
  llvm::append_range(term->attributes, attributesOf(op, owner));
  held_.insert(&op);
}

const Term *TermBuilder::handOn(const Term *term, Operation &op) {
  held_.insert(&op);
  if (!term || attributesOf(op).empty())
    return term;
  terms_.push_back(*term);
  terms_.back().loc = op.getLoc();
  hold(&terms_.back(), op, op.getName().getStringRef());
  return &terms_.back();
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
    Term *term = make(Term::Kind::kArgument, name, argument.getType(), nullptr,
                      argument.getLoc());
    if (DictionaryAttr given = function.getArgAttrDict(argument.getArgNumber()))
      for (NamedAttribute attribute : given)
        term->attributes.push_back({"argument", "argument " + quoted(name),
                                    attribute.getName(), attribute.getValue()});
    arguments.push_back(term);
  }
  return evaluate(function, arguments);
}

FailureOr<SmallVector<const Term *>>
TermBuilder::evaluate(func::FuncOp function, ArrayRef<const Term *> arguments) {
  if (function.isDeclaration() || !function.getBody().hasOneBlock())
    return function.emitError("nibble-verify-consistency: '")
           << function.getSymName() << "' has no body of one block to compare";
  if (!open_.insert(function).second)
    return function.emitError("nibble-verify-consistency: '")
           << function.getSymName() << "' calls itself";
  Environment values;
  for (auto [argument, term] : llvm::zip(function.getArguments(), arguments))
    values[argument] = term;
  Block &body = function.front();
  for (Operation &op : body.without_terminator())
    if (failed(evaluate(op, values)))
      return failure();
  open_.erase(function);
  Operation *end = body.getTerminator();
  return llvm::map_to_vector(end->getOperands(), [&](Value value) {
    return handOn(handOn(values.lookup(value), *end), *function);
  });
}

// y = E(E(E(sum) + bias) + residual). The residual becomes the addition that it
// stands for.
const Term *TermBuilder::linear(Operation &op, const Term *x,
                                const Term *weight, const Term *bias,
                                const Term *residual) {
  Term *sum = make(Term::Kind::kOp, nn::LinearOp::getOperationName(),
                   op.getResult(0).getType(), &op, op.getLoc());
  hold(sum, op, sum->name);
  for (const Term *operand : {x, weight})
    addOperand(sum, operand);
  if (bias)
    addOperand(sum, bias);
  if (!residual)
    return sum;
  Term *added = make(Term::Kind::kOp, arith::AddFOp::getOperationName(),
                     sum->type, &op, op.getLoc());
  // The attributes of an addition with default flags.
  added->attributes.push_back(
      {added->name, quoted(op.getName().getStringRef()),
       StringAttr::get(op.getContext(), "fastmath"),
       arith::FastMathFlagsAttr::get(op.getContext(),
                                     arith::FastMathFlags::none)});
  addOperand(added, sum);
  addOperand(added, residual);
  return added;
}

Term *TermBuilder::decoded(Operation &op, const Term *weight,
                           qat::SchemeAttr scheme, bool packed) {
  Term *term =
      make(Term::Kind::kDecoded, weight->name, weight->type, &op, op.getLoc());
  addOperand(term, weight);
  term->scheme = scheme;
  term->packed = packed;
  return term;
}

LogicalResult TermBuilder::call(func::CallOp op, Environment &values) {
  auto callee = symbols_.lookup<func::FuncOp>(op.getCallee());
  if (!callee)
    return op.emitError("nibble-verify-consistency: there is no function '")
           << op.getCallee() << "' to compare";
  auto results =
      evaluate(callee, llvm::map_to_vector(op.getOperands(), [&](Value value) {
                 return values.lookup(value);
               }));
  if (failed(results))
    return failure();
  for (auto [result, term] : llvm::zip(op.getResults(), *results))
    values[result] = handOn(term, *op);
  return success();
}

LogicalResult TermBuilder::evaluate(Operation &op, Environment &values) {
  if (failed(makeTerms(op, values)))
    return failure();
  if (op.getNumResults() == 0 || held_.contains(&op))
    return success();
  return op.emitError("nibble-verify-consistency: the attributes of '")
         << op.getName() << "' are not compared";
}

LogicalResult TermBuilder::makeTerms(Operation &op, Environment &values) {
  auto at = [&](Value value) { return value ? values.lookup(value) : nullptr; };
  if (auto called = dyn_cast<func::CallOp>(op))
    return call(called, values);
  if (auto fakeQuant = dyn_cast<qat::FakeQuantOp>(op)) {
    Term *term = decoded(op, at(fakeQuant.getWeight()), fakeQuant.getScheme(),
                         /*packed=*/false);
    hold(term, op, op.getName().getStringRef());
    values[fakeQuant.getResult()] = term;
    return success();
  }
  // A packed value is represented by its weight; a layout decides no bits.
  if (isa<qat::QuantizeOp, qat::RepackOp>(op)) {
    values[op.getResult(0)] = handOn(at(op.getOperand(0)), op);
    return success();
  }
  if (auto dequantize = dyn_cast<qat::DequantizeOp>(op)) {
    Term *term = decoded(op, at(dequantize.getPacked()),
                         dequantize.getPacked().getType().getScheme(),
                         /*packed=*/true);
    hold(term, op, qat::FakeQuantOp::getOperationName());
    values[dequantize.getWeight()] = term;
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
                packed.getPacked().getType().getScheme(), /*packed=*/true);
    values[packed.getY()] =
        linear(op, at(packed.getX()), weight, at(packed.getBias()),
               at(packed.getResidual()));
    return success();
  }
  if (auto take = dyn_cast<nn::TakeRowsOp>(op)) {
    // The kept rows have the same values as all rows.
    Term *rows = make(Term::Kind::kOp, "", {}, &op, op.getLoc());
    *rows = *at(take.getX());
    rows->someRows = true;
    values[take.getY()] = handOn(rows, op);
    return success();
  }
  return makePlainTerms(op, values);
}

// The term is the op itself, except for a paged attention.
LogicalResult TermBuilder::makePlainTerms(Operation &op, Environment &values) {
  auto at = [&](Value value) { return values.lookup(value); };
  auto paged = dyn_cast<nn::PagedAttentionOp>(op);
  StringRef name =
      paged ? nn::AttentionOp::getOperationName() : op.getName().getStringRef();
  Term *term = nullptr;
  for (OpResult result : op.getResults()) {
    term = make(Term::Kind::kOp, name, result.getType(), &op, op.getLoc());
    term->result = result.getResultNumber();
    hold(term, op, name);
    for (Value operand : op.getOperands())
      addOperand(term, at(operand));
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegions(), captured);
    for (Value value : captured)
      if (const Term *known = values.lookup(value))
        addOperand(term, known);
    values[result] = term;
  }
  if (paged) {
    auto write = paged.getKeyCache().getDefiningOp<nn::CacheWriteOp>();
    if (!write || paged.getValueCache() != write.getNewValueCache() ||
        paged.getPages() != write.getPages())
      return paged.emitError("nibble-verify-consistency: its pages are not "
                             "what one nn.cache_write has just left");
    // The same op wrote what the cache holds from earlier calls.
    hold(term, *write, write->getName().getStringRef());
    term->operands = {at(paged.getQ()), at(write.getK()), at(write.getV()),
                      at(paged.getPositions()), at(paged.getSequences())};
  }
  if (isa<nn::PagedAttentionOp, nn::AttentionOp>(op) && term->someRows)
    return op.emitError("nibble-verify-consistency: attention over some of the "
                        "rows reads other keys than over all");
  return success();
}
