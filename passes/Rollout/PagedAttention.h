// Functions that attend over a paged cache instead of over their own keys and
// values.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace nibble {

// The two tensors that one nn.attention keeps between calls.
struct CacheTypes {
  mlir::RankedTensorType keys;   // [pages, kv_heads, D, page]
  mlir::RankedTensorType values; // [pages, kv_heads, page, D]
};

// Makes rollout functions out of training functions.
class PagedAttention {
public:
  PagedAttention(mlir::SymbolTable &symbols, int64_t pageSize)
      : symbols_(symbols), pageSize_(pageSize) {}

  // Rewrites the function in place: every attention reads and writes pages,
  // every function called on the way is replaced by its copy
  // "<name>_rollout" if it attends or quantizes. `pages` (i32 [S, max]) becomes
  // an argument at `pagesIndex` if anything attends; the caches become the last
  // arguments and the last results, keys before values, in the order of the
  // ops.
  mlir::FailureOr<llvm::SmallVector<CacheTypes>>
  rewrite(mlir::func::FuncOp function, unsigned pagesIndex);

  // The last op of the rewritten function that reads other tokens than its own;
  // null when none does.
  mlir::Operation *lastAcrossTokens(mlir::func::FuncOp function);

  // Whether the function attends, itself or in what it calls.
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
  std::map<mlir::Operation *, Copy> copies_; // by the training function
};

} // namespace nibble
