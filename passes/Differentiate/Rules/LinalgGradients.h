// Differentiates a structured linalg op by its body and its indexing maps.
#pragma once

#include "passes/Differentiate/Gradients.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nibble {

// The op computes y[out(i)] = body(x1[in1(i)], x2[in2(i)], ...), summed or
// maximized over the reduction dimensions. The gradient of x1 is a
// linalg.generic over the same iterations with the output map in1. Dimensions
// that are not results of in1 by themselves become reductions. Its body is the
// op's body, followed by the reverse sweep of that body. An input map may be
// any affine map, such as the window of a convolution. The output map of a
// result consists of distinct dimensions, and of constants where an extent of 1
// is broadcast.
//
// The body may read float scalars from outside, which count as inputs with one
// element. It may also read tensors from outside by tensor.extract at computed
// indices (a gather). The gradient of such a tensor is a sequential loop nest
// over the same iterations, which adds each element's gradient at its position.
class StructuredGradient {
public:
  StructuredGradient(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder,
                     Gradients &gradients)
      : op_(op), builder_(builder), gradients_(gradients) {}

  llvm::LogicalResult build();

private:
  // How a result follows from the body.
  enum class Kind {
    Map, // the yielded value, once for each element
    Sum, // out + f
    // The larger or the smaller of out and f. Terms equal to the winner share
    // the gradient.
    Shared,
    // The same, or any choice between out and f. One term, at a known place,
    // has the gradient.
    Selected,
  };
  // An integer result of the op that says which term was chosen, and the
  // current term's number in the body.
  struct Place {
    mlir::Value chosen, inBody;
  };
  struct Result {
    unsigned number;
    Kind kind;
    // In the op's body: the yielded value (Map, Sum), or f.
    mlir::Value term;
    // The places of a Selected that the op itself returns.
    llvm::SmallVector<Place, 1> places;
    // The gradient that arrived.
    mlir::Value gradient;
    // Values of the result's shape. Shared has two: the result, and the number
    // of terms equal to it. Selected has the place of the chosen term, or, if
    // `isNumbered`, its iteration number among the reduction loops.
    llvm::SmallVector<mlir::Value, 2> further;
    bool isNumbered = false;
  };
  // A value that the body reads: an operand of the op, or a float scalar from
  // outside.
  struct Read {
    mlir::Value value;
    mlir::AffineMap map;
    mlir::Value inBody; // null if the body has no argument for it
  };
  // An operand that one or more of the reads access through the same map.
  struct Target {
    mlir::Value value;
    mlir::AffineMap map;
    llvm::SmallVector<unsigned> reads;
  };

  llvm::LogicalResult classify();
  llvm::LogicalResult classifyResult(unsigned number, mlir::Value gradient);
  // The results of the op that give the places of the terms that `out` chose.
  llvm::SmallVector<Place, 1> findPlaces(mlir::Value out);
  // Whether the place alone identifies the iteration, because it is the index
  // of the only reduction loop.
  bool namesIteration(const Place &place);
  llvm::LogicalResult collectReads();
  void collectTargets();
  // Whether a value of the body depends on the result of an earlier iteration
  // of a reduction, in `out` or in any out.
  bool dependsOn(mlir::Value value, mlir::Value out);
  bool dependsOnOuts(mlir::Value value) { return dependsOn(value, {}); }
  // Whether `value` is `out` plus something that does not depend on it.
  bool isSumWith(mlir::Value value, mlir::Value out);
  // Whether one element of an input may contribute to several elements of a
  // result, at places that the maps or the body compute, as in the window of a
  // pooling.
  bool readsWindows();
  // Computes the extents of the loops as index values.
  void collectExtents();
  // The number of an iteration among the reduction loops; the last loop is
  // fastest. `loops` is as in cloneBody.
  mlir::Value iterationNumber(mlir::OpBuilder &nested, mlir::Location where,
                              mlir::ValueRange loops);
  // Computes init[out(i)] = combine(term, winner, init[out(i)]) over all
  // iterations. `isMine` tells `combine` whether the result's places are those
  // of the term.
  mlir::Value reduceTerms(
      const Result &result, mlir::Value init,
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                     mlir::Value isMine, mlir::Value out)>
          combine);
  mlir::Value countTies(const Result &result);
  mlir::Value findFirst(const Result &result);
  bool namesEveryDimension(mlir::AffineMap map);
  // Clones the body at the insertion point of `nested`, with `arguments` in
  // place of the reads. `loops` replace linalg.index; they are empty inside a
  // linalg op, where linalg.index stays.
  llvm::SmallVector<mlir::Operation *> cloneBody(mlir::OpBuilder &nested,
                                                 mlir::ValueRange arguments,
                                                 mlir::ValueRange loops,
                                                 mlir::IRMapping &mapping);
  // Collects every value that a gradient is computed from, with its indexing
  // map: the reads, then the gradients that arrived at the results.
  void collectInputs(llvm::SmallVectorImpl<mlir::Value> &inputs,
                     llvm::SmallVectorImpl<mlir::AffineMap> &maps);
  // Builds the body and its reverse sweep, with `arguments` in place of the
  // inputs. Afterwards `inner` has the requested gradients.
  llvm::LogicalResult sweepBody(mlir::OpBuilder &nested, mlir::Location where,
                                mlir::ValueRange arguments,
                                mlir::ValueRange loops, Gradients &inner);
  // Builds one generic that computes the gradients of `targets`. With `sum`
  // each gradient is added to its out.
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
  // Outside tensors that need a gradient.
  llvm::SmallVector<mlir::Value> tables_;
  // The extents of the loops, once they are needed.
  llvm::SmallVector<mlir::Value> extents_;
};

} // namespace nibble
