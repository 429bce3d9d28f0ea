//===- Passes.td - taking in linalg modules ----------------------------------===//

#ifndef NIBBLE_LIB_FRONTEND_LINALG_PASSES
#define NIBBLE_LIB_FRONTEND_LINALG_PASSES

include "mlir/Pass/PassBase.td"

def RecognizeLinearPass : Pass<"nibble-recognize-linear", "::mlir::ModuleOp"> {
  let summary = "Matmuls with a parameter to nn.linear, so that they can be quantized.";
  let description = [{
    A contraction `y[..., n] = sum_k x[..., k] w[n, k]` with a parameter on one side becomes `nn.linear`: its sum gets the order N11, which
    linalg leaves open, and nibble-quantize and nibble-differentiate know it. Contractions are linalg.matmul and contract, batched, vector
    and generic forms, the operands in either order, and an elementwise product with its sum behind it, as exporters write a matrix times a
    vector. The parameter is read directly or through any chain of transposes, broadcasts, widenings (bf16 to f32, which
    changes no product) and added extents of one. An argument of a private function is a parameter when every call passes one. Leading
    dimensions of x are collapsed into one, tokens. An initial value other than zero is added afterwards. Everything else stays linalg.

    A product with a weight that stays linalg is a warning with its place and the reason: the weight's element type or rank, open
    extents, memrefs, a constant or the value of a global instead of a parameter, what is done to the weight before, factors beside the two.
    A global that some op stores to is state, and no weight. A sum that does not run along the parameter is no such product. With `strict` it is an error.

    Weights of Nibble are [N out, K in], because a group of the grid runs along K. A parameter that the graph keeps as [K, N], as JAX
    does, is turned: with `layout=argument` (default) the argument itself becomes [N, K] and carries `nn.transposed`, so that it is
    a weight like any other (quantized, hoisted, packed, trained) and whoever binds it brings the transpose; other uses read it turned
    back. No tool turns what it binds: nibble-run takes the tensor of such an argument as [N, K]. The extents tell a mistake, except
    those of a square parameter, which is therefore a warning. With `layout=value` the signature stays and the weight is transposed at every call: it can be trained, but its quantization cannot leave
    the step.

    Parameters carry `nn.parameter`; `parameters=2:w1,3:w2` names arguments of `function` that come without. Its other arguments without a
    name get `nn.input = "arg<i>"`, its results `nn.output = "result<i>"`.

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
    Option<"layout", "layout", "std::string", /*default=*/"\"argument\"", "where a [K, N] parameter is turned: argument (whoever binds it brings the transpose) or value (at every call)">,
    Option<"strict", "strict", "bool", /*default=*/"false", "a product with a weight that stays linalg is an error, not a warning">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::nibble::nn::NNDialect"];
}

def CheckExtentsPass : Pass<"nibble-check-extents", "::mlir::ModuleOp"> {
  let summary = "Asserts what ops on tensors take for granted of their extents and indices.";
  let description = [{
    An exporter may write what its example input fulfilled and no other does: a `tensor.cast` from `?` to 1, a `linalg` op on two `?` that
    differ. Such a program would read and write outside of its buffers. This pass puts a `cf.assert` in front of every op of the tensor and
    linalg dialects, and of every elementwise op on tensors, whose extents or indices can be wrong when the program runs. nibble-run runs it
    on modules in text, and `nibble compile --program=none` does.

    What is known before needs no assertion: static extents, extents that are the same value, indices of a loop over the tensor, indices that the
    body asserts of itself. The extents of a `linalg` op are compared outside of it, and so is an index of its loops that reads an element;
    only an index that is computed in the body is compared there. Not checked are `linalg.pack`, `linalg.unpack`, and buffers.

    Example: `tensor.cast %x : tensor<?x?xf32> to tensor<?x1xf32>` gets
    `cf.assert %ok, "'tensor.cast' says that dimension 1 is 1, and it is not"` before it, of `tensor.dim %x, %c1` compared with 1.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::tensor::TensorDialect"];
}

#endif // NIBBLE_LIB_FRONTEND_LINALG_PASSES
