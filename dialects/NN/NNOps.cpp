// Verifiers of the nn ops: constraints between shapes and attributes.
#include "dialects/NN/NN.h"

#include "lib/Numerics/sampling.h"

#include "llvm/ADT/Twine.h"

using namespace mlir;
using namespace nibble::nn;

#define GET_OP_CLASSES
#include "dialects/NN/NNOps.cpp.inc"

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

// Extents agree when they are equal or one is known only at run time.
static bool agree(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

static LogicalResult requireExtent(Operation *op, StringRef what, Value value,
                                   int64_t dim, int64_t expected) {
  RankedTensorType type = typeOf(value);
  if (agree(type.getDimSize(dim), expected))
    return success();
  return op->emitOpError() << what << " " << type << " needs extent "
                           << expected << " in dimension " << dim;
}

static LogicalResult requireStatic(Operation *op, StringRef what, Value value,
                                   int64_t dim) {
  if (!typeOf(value).isDynamicDim(dim))
    return success();
  return op->emitOpError() << what << " " << typeOf(value)
                           << " must have a known extent in dimension " << dim;
}

static LogicalResult requireTokens(Operation *op, StringRef what, Value value,
                                   Value rows) {
  return requireExtent(op, what, value, 0, typeOf(rows).getDimSize(0));
}

LogicalResult EmbeddingOp::verify() {
  if (failed(requireTokens(*this, "y", getY(), getTokens())))
    return failure();
  return requireExtent(*this, "y", getY(), 1, typeOf(getTable()).getDimSize(1));
}

LogicalResult EmbeddingGradOp::verify() {
  if (failed(requireTokens(*this, "dy", getDy(), getTokens())))
    return failure();
  return requireExtent(*this, "dy", getDy(), 1,
                       typeOf(getInit()).getDimSize(1));
}

// Norms work on whole blocks of the row.
static LogicalResult verifyBlocks(Operation *op, Value x, Value weight) {
  if (failed(requireStatic(op, "x", x, 1)) ||
      failed(requireStatic(op, "weight", weight, 0)))
    return failure();
  int64_t features = typeOf(x).getDimSize(1);
  int64_t block = typeOf(weight).getDimSize(0);
  if (block == 0 || features % block != 0)
    return op->emitOpError() << "a row of " << features
                             << " is not a whole number of blocks of " << block;
  return success();
}

LogicalResult RMSNormOp::verify() {
  return verifyBlocks(*this, getX(), getWeight());
}

LogicalResult RMSNormGradOp::verify() {
  if (failed(verifyBlocks(*this, getX(), getWeight())))
    return failure();
  return requireExtent(*this, "init", getInit(), 0,
                       typeOf(getWeight()).getDimSize(0));
}

LogicalResult LinearOp::verify() {
  int64_t n = typeOf(getWeight()).getDimSize(0);
  int64_t k = typeOf(getWeight()).getDimSize(1);
  if (failed(requireStatic(*this, "weight", getWeight(), 0)) ||
      failed(requireStatic(*this, "weight", getWeight(), 1)) ||
      failed(requireExtent(*this, "x", getX(), 1, k)) ||
      failed(requireExtent(*this, "y", getY(), 1, n)) ||
      failed(requireTokens(*this, "y", getY(), getX())))
    return failure();
  if (getBias() && failed(requireExtent(*this, "bias", getBias(), 0, n)))
    return failure();
  if (getResidual() && getResidual().getType() != getY().getType())
    return emitOpError() << "residual " << getResidual().getType()
                         << " is not of y's type " << getY().getType();
  return success();
}

LogicalResult LinearInputGradOp::verify() {
  int64_t n = typeOf(getWeight()).getDimSize(0);
  int64_t k = typeOf(getWeight()).getDimSize(1);
  if (failed(requireExtent(*this, "dy", getDy(), 1, n)) ||
      failed(requireExtent(*this, "dx", getDx(), 1, k)))
    return failure();
  return requireTokens(*this, "dx", getDx(), getDy());
}

LogicalResult LinearWeightGradOp::verify() {
  int64_t n = typeOf(getInit()).getDimSize(0);
  int64_t k = typeOf(getInit()).getDimSize(1);
  if (failed(requireExtent(*this, "dy", getDy(), 1, n)) ||
      failed(requireExtent(*this, "x", getX(), 1, k)))
    return failure();
  return requireTokens(*this, "dy", getDy(), getX());
}

LogicalResult SumTokensOp::verify() {
  return requireExtent(*this, "x", getX(), 1, typeOf(getInit()).getDimSize(0));
}

LogicalResult RopeTableOp::verify() {
  // Each pair of elements of a head has one frequency.
  if (failed(requireExtent(*this, "cos", getCos(), 1,
                           getInverseFrequencies().size())))
    return failure();
  return requireTokens(*this, "cos", getCos(), getPositions());
}

LogicalResult RopeOp::verify() {
  if (failed(requireTokens(*this, "cos", getCos(), getX())) ||
      failed(requireStatic(*this, "x", getX(), 1)) ||
      failed(requireStatic(*this, "cos", getCos(), 1)))
    return failure();
  int64_t features = typeOf(getX()).getDimSize(1);
  int64_t half = typeOf(getCos()).getDimSize(1);
  if (half == 0 || features % (2 * half) != 0)
    return emitOpError() << "a row of " << features
                         << " is not a whole number of heads of " << 2 * half;
  return success();
}

LogicalResult LinearSwigluOp::verify() {
  if (failed(requireStatic(*this, "gate", getGate(), 0)) ||
      failed(requireStatic(*this, "gate", getGate(), 1)) ||
      failed(requireExtent(*this, "x", getX(), 1,
                           typeOf(getGate()).getDimSize(1))) ||
      failed(requireExtent(*this, "y", getY(), 1,
                           typeOf(getGate()).getDimSize(0))))
    return failure();
  return requireTokens(*this, "y", getY(), getX());
}

LogicalResult TakeRowsOp::verify() {
  if (failed(requireTokens(*this, "y", getY(), getRows())))
    return failure();
  return requireExtent(*this, "y", getY(), 1, typeOf(getX()).getDimSize(1));
}

// N14: the attributes that decide the order of attention's sums are in range
// and fit the shapes.
static LogicalResult verifyAttention(Operation *op, Value q, int64_t heads,
                                     int64_t kvHeads, int64_t kvBlock,
                                     int64_t window, int64_t kvFeatures) {
  if (heads <= 0 || kvHeads <= 0 || heads % kvHeads != 0)
    return op->emitOpError() << heads << " query heads are not a multiple of "
                             << kvHeads << " key/value heads";
  if (kvBlock <= 0 || kvBlock % 16 != 0)
    return op->emitOpError()
           << "N14: kv_block is a positive multiple of 16, not " << kvBlock;
  if (window < 0)
    return op->emitOpError()
           << "window is 0 (everything) or a number of positions, not "
           << window;
  int64_t features = typeOf(q).getDimSize(1);
  if (ShapedType::isDynamic(features) || features % heads != 0)
    return op->emitOpError()
           << "a row of " << typeOf(q) << " is not a whole number of " << heads
           << " heads";
  if (kvFeatures != features / heads * kvHeads)
    return op->emitOpError()
           << "keys have " << kvFeatures << " elements a token, not "
           << features / heads * kvHeads;
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(requireTokens(*this, "k", getK(), getQ())) ||
      failed(requireTokens(*this, "positions", getPositions(), getQ())) ||
      failed(requireTokens(*this, "lse", getLse(), getQ())) ||
      failed(requireExtent(*this, "lse", getLse(), 1, getHeads())))
    return failure();
  return verifyAttention(*this, getQ(), getHeads(), getKvHeads(), getKvBlock(),
                         getWindow(), typeOf(getK()).getDimSize(1));
}

LogicalResult AttentionGradOp::verify() {
  if (failed(requireTokens(*this, "k", getK(), getQ())) ||
      failed(requireExtent(*this, "lse", getLse(), 1, getHeads())))
    return failure();
  return verifyAttention(*this, getQ(), getHeads(), getKvHeads(), getKvBlock(),
                         getWindow(), typeOf(getK()).getDimSize(1));
}

// The two caches have the same pages; the last two extents of the keys are
// swapped.
static LogicalResult verifyCaches(Operation *op, Value keys, Value values) {
  auto k = typeOf(keys).getShape();
  auto v = typeOf(values).getShape();
  for (int64_t dim = 1; dim < 4; ++dim)
    if (ShapedType::isDynamic(k[dim]) || ShapedType::isDynamic(v[dim]))
      return op->emitOpError()
             << "only the number of pages of a cache may be unknown";
  if (!agree(k[0], v[0]) || k[1] != v[1] || k[2] != v[3] || k[3] != v[2])
    return op->emitOpError()
           << "key cache " << typeOf(keys) << " and value cache "
           << typeOf(values)
           << " are not [pages, heads, D, B] and [pages, heads, B, D]";
  return success();
}

LogicalResult CacheWriteOp::verify() {
  if (failed(verifyCaches(*this, getKeyCache(), getValueCache())) ||
      failed(requireTokens(*this, "positions", getPositions(), getK())))
    return failure();
  auto cache = typeOf(getKeyCache()).getShape();
  return requireExtent(*this, "k", getK(), 1, cache[1] * cache[2]);
}

LogicalResult RopeCacheWriteOp::verify() {
  if (failed(verifyCaches(*this, getKeyCache(), getValueCache())))
    return failure();
  auto cache = typeOf(getKeyCache()).getShape();
  int64_t size = cache[2];
  for (auto [what, value] : {std::pair<StringRef, Value>{"k", getK()},
                             {"cos", getCos()},
                             {"positions", getPositions()}})
    if (failed(requireTokens(*this, what, value, getQ())))
      return failure();
  if (failed(requireStatic(*this, "q", getQ(), 1)) ||
      failed(requireExtent(*this, "k", getK(), 1, cache[1] * size)) ||
      failed(requireStatic(*this, "cos", getCos(), 1)))
    return failure();
  if (size != 2 * typeOf(getCos()).getDimSize(1))
    return emitOpError() << "heads of " << size
                         << " elements are not rotated by "
                         << getCos().getType();
  if (typeOf(getQ()).getDimSize(1) % size != 0)
    return emitOpError() << "a row of " << typeOf(getQ()).getDimSize(1)
                         << " is not a whole number of heads of " << size;
  if (!getNorms().empty() && getNorms().size() != 2)
    return emitOpError()
           << "norms are those of queries and keys, two or none, not "
           << getNorms().size();
  for (Value norm : getNorms())
    if (failed(requireStatic(*this, "norm", norm, 0)) ||
        failed(requireExtent(*this, "norm", norm, 0, size)))
      return failure();
  return success();
}

LogicalResult PagedAttentionOp::verify() {
  if (failed(verifyCaches(*this, getKeyCache(), getValueCache())) ||
      failed(requireTokens(*this, "positions", getPositions(), getQ())))
    return failure();
  auto cache = typeOf(getKeyCache()).getShape();
  if (getKvBlock() > 0 && cache[3] % getKvBlock() != 0)
    return emitOpError() << "N14: a page of " << cache[3]
                         << " slots is not a whole number of blocks of "
                         << getKvBlock();
  return verifyAttention(*this, getQ(), getHeads(), getKvHeads(), getKvBlock(),
                         getWindow(), cache[1] * cache[2]);
}

LogicalResult LogProbabilityOp::verify() {
  if (failed(requireTokens(*this, "targets", getTargets(), getLogits())) ||
      failed(requireStatic(*this, "logits", getLogits(), 1)))
    return failure();
  return requireTokens(*this, "temperature", getTemperature(), getLogits());
}

LogicalResult LogProbabilityGradOp::verify() {
  if (failed(requireTokens(*this, "targets", getTargets(), getLogits())) ||
      failed(requireStatic(*this, "logits", getLogits(), 1)))
    return failure();
  return requireTokens(*this, "temperature", getTemperature(), getLogits());
}

LogicalResult SampleOp::verify() {
  if (failed(requireStatic(*this, "logits", getLogits(), 1)))
    return failure();
  if (int64_t tokens = typeOf(getLogits()).getDimSize(1);
      tokens < 1 || tokens > nibble::numerics::kMostTokens)
    return emitOpError() << "N16: logits of " << tokens
                         << " tokens; masses add up exactly for 1 to "
                         << nibble::numerics::kMostTokens;
  for (auto [name, value] :
       {std::pair<StringRef, Value>{"temperature", getTemperature()},
        {"bits", getBits()},
        {"token", getToken()}})
    if (failed(requireTokens(*this, name, value, getLogits())))
      return failure();
  return requireTokens(*this, "top_p", getTopP(), getFiltered());
}

OpFoldResult SquareSumOp::fold(FoldAdaptor) {
  return getXs().empty() ? OpFoldResult(getInit()) : OpFoldResult();
}

LogicalResult AdamWOp::verify() {
  if (typeOf(getWeight()).getShape() != typeOf(getMaster()).getShape())
    return emitOpError() << "weight " << getWeight().getType() << " and master "
                         << getMaster().getType() << " differ in shape";
  return requireExtent(*this, "hyper", getHyper(), 0, 8);
}
