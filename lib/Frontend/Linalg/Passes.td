//===- Passes.td - taking in linalg modules ----------------------------------===//

#ifndef NIBBLE_LIB_FRONTEND_LINALG_PASSES
#define NIBBLE_LIB_FRONTEND_LINALG_PASSES

include "mlir/Pass/PassBase.td"

def RecognizeLinearPass : Pass<"nibble-recognize-linear", "::mlir::ModuleOp"> {
  let summary = "Turns matmuls with a parameter into nn.linear, so that they can be quantized.";
  let description = [{
    A contraction `y[..., n] = sum_k x[..., k] w[n, k]` with a parameter on one side becomes `nn.linear`. Linalg
    leaves the order of the sum open; nn.linear gives it the order N11. nibble-quantize and nibble-differentiate handle
    nn.linear.

    Contractions are linalg.matmul and linalg.contract, in batched, vector and generic forms, with the operands in
    either order. They include an elementwise product followed by its sum, which is how exporters write a
    matrix-vector product. The parameter is read directly or through any chain of transposes, broadcasts, unit
    dimensions and widenings (bf16 to f32, which changes no product). An argument of a private function is a parameter
    when every call passes one. Leading dimensions of x are collapsed into one, tokens. An initial value other than
    zero is added afterwards. Everything else stays linalg.

    A product with a weight that stays linalg is a warning with its location and the reason; with `strict` it is an
    error. Reasons are:

    - the weight's element type, rank, dynamic extents or memref type;
    - a constant or the value of a global in place of a parameter;
    - what is done to the weight before the product;
    - further factors beside the two.

    A global that some op stores to is state, not a weight. A sum that does not run along the parameter is not such a
    product.

    Weights of Nibble are [N out, K in], because a group of the grid runs along K. The option `layout` says what
    happens to a parameter that the graph keeps as [K, N], as JAX does.

    - `layout=argument` (default): the argument itself becomes [N, K] and carries `nn.transposed`. It is then a weight
      like any other: it can be quantized, hoisted, packed and trained. Other users read it through a transpose. The
      caller must bind the transpose, because no tool transposes what it binds: nibble-run takes such an argument as
      [N, K]. Wrong extents reveal a mistake. A square parameter cannot reveal one and is therefore a warning.
    - `layout=value`: the signature stays, and the weight is transposed at every call. It can be trained, but its
      quantization cannot be hoisted out of the step.

    Parameters carry `nn.parameter`. `parameters=2:w1,3:w2` names arguments of `function` that have no name. Its other
    unnamed arguments get `nn.input = "arg<i>"`, its results `nn.output = "result<i>"`.

    Example:

    ```mlir
    func.func @main(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nn.parameter = "w"}) -> tensor<8x32xf32> {
      %y = linalg.matmul ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%zero : tensor<8x32xf32>) -> tensor<8x32xf32>
    ```

    becomes

    ```mlir
    func.func @main(%x: tensor<8x64xf32>, %w: tensor<32x64xf32> {nn.parameter = "w", nn.transposed}) -> tensor<8x32xf32> {
      %y = nn.linear %x, %w : tensor<8x64xf32>, tensor<32x64xf32> -> tensor<8x32xf32>
    ```
  }];
  let options = [
    Option<"functionName", "function", "std::string", /*default=*/"\"main\"", "the function whose arguments are named">,
    Option<"parameters", "parameters", "std::string", /*default=*/"\"\"", "arguments that are parameters: 2:w1,3:w2">,
    Option<"layout", "layout", "std::string", /*default=*/"\"argument\"", "where a [K, N] parameter is transposed: argument (the caller binds the transpose) or value (at every call)">,
    Option<"strict", "strict", "bool", /*default=*/"false", "makes a product with a weight that stays linalg an error instead of a warning">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::nibble::nn::NNDialect"];
}

def CheckExtentsPass : Pass<"nibble-check-extents", "::mlir::ModuleOp"> {
  let summary = "Asserts what ops on tensors assume about their extents and indices.";
  let description = [{
    An exported program may assume what held only for its example input: a `tensor.cast` from `?` to 1, a `linalg` op
    on two `?` that differ. On other inputs it would read and write outside of its buffers. This pass puts a
    `cf.assert` in front of each op whose extents or indices can be wrong at run time. It handles all ops of the
    tensor and linalg dialects and elementwise ops on tensors. nibble-run uses it on textual modules, and so does
    `nibble compile --program=none`.

    What is known at compile time needs no assertion: static or identical extents, indices of a loop over the tensor,
    and indices that the body itself asserts. The extents of a `linalg` op are compared outside
    of it. So is an index of its loops that reads an element; only an index that the body computes is compared in the
    body. `linalg.pack`, `linalg.unpack` and buffers are not checked.

    Example: `tensor.cast %x : tensor<?x?xf32> to tensor<?x1xf32>` gets `cf.assert %ok, "'tensor.cast' says that
    dimension 1 is 1, and it is not"` before it, where `%ok` compares `tensor.dim %x, %c1` with 1.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::tensor::TensorDialect"];
}

#endif // NIBBLE_LIB_FRONTEND_LINALG_PASSES
