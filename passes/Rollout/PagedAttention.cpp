// Rewrites functions with attention to take a paged cache as arguments and
// results.
#include "passes/Rollout/PagedAttention.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/Weights/Weights.h"

using namespace mlir;
using namespace nibble;

bool PagedAttention::contains(func::FuncOp function,
                              function_ref<bool(Operation *)> what) {
  for (func::FuncOp inner : reachableFunctions(function, symbols_))
    if (inner
            .walk([&](Operation *op) {
              return what(op) ? WalkResult::interrupt() : WalkResult::advance();
            })
            .wasInterrupted())
      return true;
  return false;
}

bool PagedAttention::attends(func::FuncOp function) {
  return contains(function,
                  [](Operation *op) { return isa<nn::AttentionOp>(op); });
}

Operation *PagedAttention::lastAcrossTokens(func::FuncOp function) {
  Operation *last = nullptr;
  for (Operation &op : function.front()) {
    auto call = dyn_cast<func::CallOp>(op);
    auto callee =
        call ? symbols_.lookup<func::FuncOp>(call.getCallee()) : func::FuncOp();
    if (isa<nn::CacheWriteOp, nn::PagedAttentionOp>(op) ||
        (callee && contains(callee, [](Operation *inner) {
           return isa<nn::PagedAttentionOp>(inner);
         })))
      last = &op;
  }
  return last;
}

// The rollout's copy of a callee; null when the training function can be used
// unchanged.
FailureOr<PagedAttention::Copy *> PagedAttention::copyFor(func::CallOp call) {
  auto callee = symbols_.lookup<func::FuncOp>(call.getCallee());
  if (!callee || !contains(callee, [](Operation *op) {
        return isa<nn::AttentionOp, qat::FakeQuantOp>(op);
      }))
    return nullptr;
  if (auto it = copies_.find(callee); it != copies_.end())
    return &it->second;
  func::FuncOp function = callee.clone();
  function.setName((callee.getSymName() + "_rollout").str());
  function.setPrivate();
  symbols_.insert(function);
  FailureOr<SmallVector<CacheTypes>> caches =
      rewrite(function, function.getNumArguments());
  if (failed(caches))
    return failure();
  Copy &copy = copies_[callee];
  copy = {function, *caches};
  return &copy;
}

// Rewrites one function: its arguments, its results and the caches among them.
class PagedAttention::Rewriter {
public:
  Rewriter(PagedAttention &parent, func::FuncOp function, unsigned pagesIndex)
      : parent(parent), function(function), pagesIndex(pagesIndex) {}

  LogicalResult attend(nn::AttentionOp op);
  LogicalResult call(func::CallOp op);
  LogicalResult finish();

  SmallVector<CacheTypes> caches;

private:
  Value pages();
  std::pair<Value, Value> addCache(CacheTypes types, Location loc);

  PagedAttention &parent;
  func::FuncOp function;
  unsigned pagesIndex;
  BlockArgument pagesArgument;
  SmallVector<Value> updated; // alternating keys and values
};

Value PagedAttention::Rewriter::pages() {
  if (!pagesArgument) {
    auto type =
        RankedTensorType::get({ShapedType::kDynamic, ShapedType::kDynamic},
                              IntegerType::get(function.getContext(), 32));
    (void)function.insertArgument(pagesIndex, type,
                                  DictionaryAttr::get(function.getContext()),
                                  function.getLoc());
    pagesArgument = function.getArgument(pagesIndex);
  }
  return pagesArgument;
}

std::pair<Value, Value> PagedAttention::Rewriter::addCache(CacheTypes types,
                                                           Location loc) {
  pages(); // must come before every cache
  caches.push_back(types);
  for (Type type : {types.keys, types.values})
    (void)function.insertArgument(function.getNumArguments(), type,
                                  DictionaryAttr::get(function.getContext()),
                                  loc);
  unsigned count = function.getNumArguments();
  return {function.getArgument(count - 2), function.getArgument(count - 1)};
}

LogicalResult PagedAttention::Rewriter::attend(nn::AttentionOp op) {
  if (!op.getLse().use_empty())
    return op.emitError("nibble-derive-rollout: its lse is used; derive the "
                        "rollout from a forward, before differentiating");
  if (parent.pageSize_ <= 0 ||
      parent.pageSize_ % static_cast<int64_t>(op.getKvBlock()) != 0)
    return op.emitError("nibble-derive-rollout: N14: page-size = ")
           << parent.pageSize_
           << " is not a whole number of blocks of kv_block = "
           << op.getKvBlock();
  auto keys = cast<RankedTensorType>(op.getK().getType());
  int64_t kvHeads = op.getKvHeads();
  int64_t headDim = keys.getDimSize(1) / kvHeads;
  CacheTypes types{RankedTensorType::get({ShapedType::kDynamic, kvHeads,
                                          headDim, parent.pageSize_},
                                         keys.getElementType()),
                   RankedTensorType::get({ShapedType::kDynamic, kvHeads,
                                          parent.pageSize_, headDim},
                                         keys.getElementType())};
  auto [keyCache, valueCache] = addCache(types, op.getLoc());
  OpBuilder b(op);
  auto write = nn::CacheWriteOp::create(
      b, op.getLoc(), types.keys, types.values, op.getK(), op.getV(), keyCache,
      valueCache, op.getPositions(), op.getSequences(), pages());
  auto paged = nn::PagedAttentionOp::create(
      b, op.getLoc(), op.getY().getType(), op.getQ(), write.getNewKeyCache(),
      write.getNewValueCache(), op.getPositions(), op.getSequences(), pages(),
      op.getHeadsAttr(), op.getKvHeadsAttr(), op.getScaleAttr(),
      op.getKvBlockAttr(), op.getWindowAttr());
  paged->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  updated.append({write.getNewKeyCache(), write.getNewValueCache()});
  op.getY().replaceAllUsesWith(paged.getY());
  op.erase();
  return success();
}

LogicalResult PagedAttention::Rewriter::call(func::CallOp op) {
  FailureOr<Copy *> copy = parent.copyFor(op);
  if (failed(copy))
    return failure();
  if (!*copy)
    return success();
  SmallVector<Value> operands(op.getOperands());
  if (!(*copy)->caches.empty())
    operands.push_back(pages());
  for (CacheTypes types : (*copy)->caches) {
    auto [keyCache, valueCache] = addCache(types, op.getLoc());
    operands.append({keyCache, valueCache});
  }
  OpBuilder b(op);
  auto replacement =
      func::CallOp::create(b, op.getLoc(), (*copy)->function, operands);
  updated.append(replacement.result_begin() + op.getNumResults(),
                 replacement.result_end());
  op.replaceAllUsesWith(
      replacement.getResults().take_front(op.getNumResults()));
  op.erase();
  return success();
}

// Returns the updated caches.
LogicalResult PagedAttention::Rewriter::finish() {
  Operation *terminator = function.front().getTerminator();
  for (Value value : updated) {
    (void)function.insertResult(function.getNumResults(), value.getType(),
                                DictionaryAttr::get(function.getContext()));
    terminator->insertOperands(terminator->getNumOperands(), value);
  }
  return success();
}

FailureOr<SmallVector<CacheTypes>>
PagedAttention::rewrite(func::FuncOp function, unsigned pagesIndex) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("nibble-derive-rollout: '")
           << function.getSymName() << "' has more than one block";
  SmallVector<Operation *> ops;
  function.walk([&](Operation *op) {
    if (isa<nn::AttentionOp, func::CallOp>(op))
      ops.push_back(op);
  });
  Rewriter rewriter(*this, function, pagesIndex);
  for (Operation *op : ops) {
    if (isa<nn::AttentionOp>(op) && op->getBlock() != &function.front())
      return op->emitError("nibble-derive-rollout: attention inside '")
             << op->getParentOp()->getName() << "' has no cache of its own";
    auto call = dyn_cast<func::CallOp>(op);
    if (failed(call ? rewriter.call(call)
                    : rewriter.attend(cast<nn::AttentionOp>(op))))
      return failure();
  }
  if (failed(rewriter.finish()))
    return failure();
  return rewriter.caches;
}
