//===- NNBase.td - constraints shared by the op files -----------------------===//

#ifndef NIBBLE_DIALECTS_NN_NNBASE
#define NIBBLE_DIALECTS_NN_NNBASE

include "dialects/NN/NNDialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

// Results that reuse an operand's buffer: pairs of an operand's number and its result's number ("0, 0, 1, 1").
class NN_InPlace<string pairs> : ParamNativeOpTrait<"InPlace", pairs> {
  let cppNamespace = "::nibble::nn";
}

class NN_Op<string name, list<Trait> traits = []> : Op<NN_Dialect, name, !listconcat([Pure], traits)>;

// [T, features], the activations of a program: bf16, or float32 with --dtype float32.
def NN_Rows : 2DTensorOf<[BF16, F32]>;
// [N out, K in]
def NN_Weight : 2DTensorOf<[BF16, F32]>;
def NN_Vector : 1DTensorOf<[BF16, F32]>;
def NN_FloatVector : 1DTensorOf<[F32]>;
def NN_FloatMatrix : 2DTensorOf<[F32]>;
def NN_IndexVector : 1DTensorOf<[I32]>;
def NN_BitsVector : 1DTensorOf<[I64]>;
def NN_DoubleVector : 1DTensorOf<[F64]>;
def NN_IndexMatrix : 2DTensorOf<[I32]>;
def NN_FloatScalar : 0DTensorOf<[F32]>;
// Gradient accumulators and optimizer state: float32 of the parameter's own shape.
def NN_FloatTensor : RankedTensorOf<[F32]>;
def NN_Parameter : RankedTensorOf<[BF16, F32]>;
def NN_Cache : 4DTensorOf<[BF16, F32]>;

#endif // NIBBLE_DIALECTS_NN_NNBASE
