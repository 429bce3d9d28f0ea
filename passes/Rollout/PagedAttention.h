// Turns functions that attend over their own keys and values into ones that
// attend over a paged cache.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace nibble {

// The two tensors that an nn.attention keeps between calls.
struct CacheTypes {
  mlir::RankedTensorType keys;   // [pages, kv_heads, D, page]
  mlir::RankedTensorType values; // [pages, kv_heads, page, D]
};

// Makes rollout functions from training functions.
class PagedAttention {
public:
  PagedAttention(mlir::SymbolTable &symbols, int64_t pageSize)
      : symbols_(symbols), pageSize_(pageSize) {}

  // Rewrites the function in place. Every attention reads and writes pages.
  // Every callee that attends or quantizes is replaced by its copy
  // "<name>_rollout". If anything attends, `pages` (i32 [S, max]) becomes an
  // argument at `pagesIndex`. The caches become the last arguments and the last
  // results, in the order of the ops, keys before values.
  mlir::FailureOr<llvm::SmallVector<CacheTypes>>
  rewrite(mlir::func::FuncOp function, unsigned pagesIndex);

  // The last op of the rewritten function that reads tokens other than its own;
  // null when there is none.
  mlir::Operation *lastAcrossTokens(mlir::func::FuncOp function);

  // Whether the function or one of its callees attends.
  bool attends(mlir::func::FuncOp function);

private:
  struct Copy {
    mlir::func::FuncOp function;
    llvm::SmallVector<CacheTypes> caches;
  };
  class Rewriter;

  bool contains(mlir::func::FuncOp function,
                llvm::function_ref<bool(mlir::Operation *)> what);
  mlir::FailureOr<Copy *> copyFor(mlir::func::CallOp call);

  mlir::SymbolTable &symbols_;
  int64_t pageSize_;
  std::map<mlir::Operation *, Copy> copies_; // keyed by training function
};

} // namespace nibble
