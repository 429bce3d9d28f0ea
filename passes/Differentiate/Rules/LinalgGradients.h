// How a structured linalg op is differentiated: by its body and its indexing
// maps.
#pragma once

#include "passes/Differentiate/Gradients.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nibble {

// y[out(i)] = body(x1[in1(i)], x2[in2(i)], ...), summed or maximized over the
// reduction dimensions. The gradient of x1 is a linalg.generic over the same
// iterations whose output map is in1: dimensions that in1 does not name by
// themselves become reductions, and its body is the op's body followed by that
// body's own reverse sweep. An input map may be any affine map (the window of a
// convolution); the output map of a result names distinct dimensions, or
// constants where an extent of 1 is broadcast.
//
// The body may read float scalars from outside, which are inputs of one
// element, and tensors from outside by tensor.extract at indices that it
// computes (a gather). The gradient of such a tensor is a loop nest over the
// same iterations that adds each element's gradient at its place, one after the
// other.
class StructuredGradient {
public:
  StructuredGradient(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder,
                     Gradients &gradients)
      : op_(op), builder_(builder), gradients_(gradients) {}

  llvm::LogicalResult build();

private:
  // How a result comes of the body.
  enum class Kind {
    Map,    // the yielded value, once for each element
    Sum,    // out + f
    Shared, // the larger, or the smaller, of out and f; terms that are equal to
            // the winner share the gradient
    Selected, // the same, or any choice between out and f; one term has the
              // gradient, the one at a known place
  };
  // An integer result of the op that says which term was taken, and in the body
  // the present term's own.
  struct Place {
    mlir::Value chosen, inBody;
  };
  struct Result {
    unsigned number;
    Kind kind;
    // In the op's body: what is yielded (Map, Sum), or f.
    mlir::Value term;
    // Where the op itself returns them; only a Selected has these.
    llvm::SmallVector<Place, 1> places;
    // What arrived.
    mlir::Value gradient;
    // Values of the result's shape. Shared: the result, and how many terms are
    // equal to it. Selected: the place of the term that was taken, or where
    // `isNumbered` its iteration number among the reduction loops.
    llvm::SmallVector<mlir::Value, 2> further;
    bool isNumbered = false;
  };
  // What the body reads: the op's operand, or a float scalar from outside.
  struct Read {
    mlir::Value value;
    mlir::AffineMap map;
    mlir::Value inBody; // null where the body has no argument for it
  };
  // An operand value read through one map, by one or more of the reads.
  struct Target {
    mlir::Value value;
    mlir::AffineMap map;
    llvm::SmallVector<unsigned> reads;
  };

  llvm::LogicalResult classify();
  llvm::LogicalResult classifyResult(unsigned number, mlir::Value gradient);
  // The places that the op returns of the terms that `out` took.
  llvm::SmallVector<Place, 1> findPlaces(mlir::Value out);
  // True when the place alone says which iteration it was: the index of the
  // only reduction loop.
  bool namesIteration(const Place &place);
  llvm::LogicalResult collectReads();
  void collectTargets();
  // True when a value of the body depends on what an earlier iteration of a
  // reduction left, in `out` or in any out.
  bool dependsOn(mlir::Value value, mlir::Value out);
  bool dependsOnOuts(mlir::Value value) { return dependsOn(value, {}); }
  // True when `value` is `out` plus something that does not depend on it.
  bool isSumWith(mlir::Value value, mlir::Value out);
  // True when one element of an input may be read for several elements of a
  // result, at places that the maps or the body compute: the window of a
  // pooling.
  bool readsWindows();
  // The extents of the loops, as index values.
  void collectExtents();
  // The number of an iteration among the reduction loops, the last one fastest.
  // `loops` as in cloneBody.
  mlir::Value iterationNumber(mlir::OpBuilder &nested, mlir::Location where,
                              mlir::ValueRange loops);
  // init[out(i)] = combine(term, winner, init[out(i)]) over all iterations;
  // `isMine` tells it whether the result's places are those of the term.
  mlir::Value reduceTerms(
      const Result &result, mlir::Value init,
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                     mlir::Value isMine, mlir::Value out)>
          combine);
  mlir::Value countTies(const Result &result);
  mlir::Value findFirst(const Result &result);
  bool namesEveryDimension(mlir::AffineMap map);
  // Clones the body to where `nested` stands; `arguments` stand for the reads.
  // `loops` stand for linalg.index; empty inside a linalg op, where it stays.
  llvm::SmallVector<mlir::Operation *> cloneBody(mlir::OpBuilder &nested,
                                                 mlir::ValueRange arguments,
                                                 mlir::ValueRange loops,
                                                 mlir::IRMapping &mapping);
  // Every value that a gradient is computed from, and how it is indexed: the
  // reads, then what arrived at each result.
  void collectInputs(llvm::SmallVectorImpl<mlir::Value> &inputs,
                     llvm::SmallVectorImpl<mlir::AffineMap> &maps);
  // The body and its reverse sweep; `arguments` stand for the inputs. What is
  // wanted of `inner` has arrived afterwards.
  llvm::LogicalResult sweepBody(mlir::OpBuilder &nested, mlir::Location where,
                                mlir::ValueRange arguments,
                                mlir::ValueRange loops, Gradients &inner);
  // One generic that computes the gradients of `targets`; where `sum`, each is
  // added to its out.
  llvm::FailureOr<mlir::linalg::GenericOp>
  buildGeneric(llvm::ArrayRef<Target> targets, llvm::ArrayRef<mlir::Value> outs,
               bool sum);
  // `init` plus the gradient of a tensor that the body gathers from.
  llvm::FailureOr<mlir::Value> scatter(mlir::Value table, mlir::Value init);

  mlir::linalg::LinalgOp op_;
  mlir::OpBuilder &builder_;
  Gradients &gradients_;
  llvm::SmallVector<Result> results_;
  llvm::SmallVector<Read> reads_;
  llvm::SmallVector<Target> targets_;
  // Tensors from outside that need a gradient.
  llvm::SmallVector<mlir::Value> tables_;
  // The loops' values, where they are needed.
  llvm::SmallVector<mlir::Value> extents_;
};

} // namespace nibble
