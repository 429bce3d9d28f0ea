//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_DIFFERENTIATE_PASSES
#define NIBBLE_PASSES_DIFFERENTIATE_PASSES

include "mlir/Pass/PassBase.td"

def DifferentiatePass : Pass<"nibble-differentiate", "::mlir::ModuleOp"> {
  let summary = "Builds the training step of a forward function, by reverse mode.";
  let description = [{
    Makes `@train_step`: the forward function, followed by the gradients of its first result, a float scalar. Each op
    on the way from the arguments in `wrt` to the loss provides its gradients through GradientOpInterface. An op
    without a rule is an error that names it. Ops that do not depend on `wrt` are left alone.

    For each parameter `p`, an argument with `nn.parameter`, the step takes an accumulator `nn.state = "gradient:p"`,
    float32 with the parameter's shape. It returns the accumulator with this batch's gradient added in place, by ops
    that continue a sum. Splitting a batch into microbatches therefore does not change a bit. Other arguments in `wrt`
    get a plain result `nn.output = "gradient:<name>"`. The gradient of a bf16 activation is a bf16 tensor.
    `qat.fake_quant` and `qat.straight_through` pass their gradient on unchanged (N8).

    A call of a private function is differentiated as one call of `@callee_backward`. All like calls share that
    function, so depth costs no code. With `recompute=layer` the function recomputes the forward from the call's
    operands, and only those are kept between forward and backward. With `recompute=none` the forward becomes
    `@callee_forward`, which also returns what the backward needs. Calls of public functions are inlined.

    Structured linalg ops, named or generic, are differentiated by their bodies and indexing maps. That covers
    contractions, convolutions (strides, dilations, groups, depth-wise), poolings, elementwise ops and reductions. A
    reduction is a sum, or a maximum or minimum, alone or with the index of the chosen term as an integer result. A
    body may read tensors from outside by `tensor.extract` at computed indices (embedding, index_select, gather);
    their gradients are loops that add at the index that was read. `tensor` ops that move elements, and `linalg.pack`
    and `linalg.unpack`, move their gradients back. This covers what torch-mlir (`linalg-on-tensors`) and JAX write
    for linears, attention, norms, losses, poolings and convolutions.

    Where a function has no derivative the gradient is PyTorch's:

    - Equal terms of a plain maximum share the gradient. In a window the first term has it. With an index result the
      term at that index has it.
    - Two equal operands of `arith.maximumf` share it. If only one of them needs a gradient, it has all of it, as a
      clamp at its bound.
    - A power's gradient at 0 is 0 where the exponent makes it so.
    - Roundings (`math.floor`, `math.roundeven`, ...) have the gradient 0, with a warning.

    A maximum that cancels out has no gradient: softmax, log_softmax, logsumexp and ops built from them do not depend
    on the maximum that they subtract. The pass proves this from the ops that the maximum flows into
    (passes/Differentiate/ShiftInvariance.h), and the gradient with respect to the maximum is then exactly 0. Without
    a proof it is computed.

    Errors name op and location. They are an op without a rule, an unsupported reduction (a product), and an output
    map that writes an element twice.

    Example: `--nibble-differentiate="function=loss"` turns

    ```mlir
    func.func @loss(%x: tensor<?x8xf32>, %w: tensor<4x8xf32> {nn.parameter = "w"}) -> tensor<f32>
    ```

    into a second function

    ```mlir
    func.func @train_step(%x: tensor<?x8xf32>, %w: tensor<4x8xf32> {nn.parameter = "w"},
                          %g: tensor<4x8xf32> {nn.state = "gradient:w"})
        -> (tensor<f32>, tensor<4x8xf32> {nn.output = "gradient:w"})
    ```
  }];
  let options = [
    Option<"function", "function", "std::string", /*default=*/"\"loss\"", "the forward function">,
    Option<"wrt", "wrt", "std::string", /*default=*/"\"parameters\"", "the arguments to differentiate with respect to: 'parameters', or 'args=<numbers>' as in args=0,2">,
    Option<"resultFunction", "result-function", "std::string", /*default=*/"\"train_step\"", "name of the new function">,
    Option<"recompute", "recompute", "std::string", /*default=*/"\"layer\"", "'layer': backward functions recompute their forward; 'none': the forward returns what they need">,
    Option<"seed", "seed", "std::string", /*default=*/"\"one\"", "'one': the first result's gradient is 1; 'arguments': the gradient of each float result is an argument">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::nibble::nn::NNDialect"];
}

def AttachObjectivePass : Pass<"nibble-attach-objective", "::mlir::ModuleOp"> {
  let summary = "Builds a function that returns the loss of an objective from one that returns logits.";
  let description = [{
    Makes `@loss`: the body of the logits function, `nn.log_probability` of the targets under the temperature, the
    objective of each token, and the sum of `objective * mask * weight`. An objective is a file with `func.func
    @objective`, differentiated like everything else. The files of lib/Objectives are built in under their names
    (`grpo`); any other value is a path.

    `@objective` works on `f32`, which is one token. When a token's loss depends on its neighbours, it works on
    `tensor<?xf32>`, all tokens of the batch. Its arguments are named by `nn.input`:

    - `logp` and `entropy` are computed.
    - The name of an input of the logits function (`sequences`, ...) stands for that argument.
    - Every other name (`advantage`, `old_logp`, `reference_logp`, ...) becomes an input of `@loss`, [T].

    `@loss` also takes `targets` (i32), `temperature`, `mask` and `weight` (float32), all [T]. Inputs must be finite
    even for tokens that the mask leaves out. The first result of `@objective` is the loss. The others are metrics
    named by `nn.output`, summed in the same way. `options=` sets an `arith.constant` with `option = "clip_low"`.

    `@loss` returns `loss`, `logp` [T], `entropy` [T], then the metrics. The pass also makes `@log_probability` for
    the same op on the same logits, without a loss. It takes the inputs of the logits function, `targets` and
    `temperature`, and returns `logp` and `entropy`.

    Example: `--nibble-attach-objective="objective=grpo options=clip_high=0.28,kl=0.001"`.
  }];
  let options = [
    Option<"objective", "objective", "std::string", /*default=*/"\"sft\"", "a built-in objective, or the path of a file with @objective">,
    Option<"function", "function", "std::string", /*default=*/"\"logits\"", "the function that returns the logits">,
    Option<"settings", "options", "std::string", /*default=*/"\"\"", "constants of the objective, as in clip_low=0.2,kl=0.001">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect", "::nibble::nn::NNDialect"];
}

def BuildUpdatePass : Pass<"nibble-build-update", "::mlir::ModuleOp"> {
  let summary = "Builds the optimizer update and the gradient norm of a training step.";
  let description = [{
    For every parameter `p` whose gradient the step accumulates, `@update(hyper, ...)` takes the states `master:p`,
    `moment1:p`, `moment2:p` and `gradient:p`, and runs `nn.adamw`. The state `weight:p` receives the new weight. If
    the step or a callee quantizes the parameter, `packed:p` receives `qat.quantize` of the new weight. Both training
    (nibble-hoist-quantize) and rollout read it from then on. `@gradient_norm` returns `norm`, the square root of the
    sum of squares of all gradients.

    Run it after nibble-differentiate and before nibble-hoist-quantize, which removes the weight from the step's
    arguments.

    Errors: a weight that is read under two schemes; a step without gradients.

    Example: a step with `%w: tensor<64x32xbf16> {nn.parameter = "w"}` that it quantizes gets

    ```mlir
    func.func @update(%hyper: tensor<8xf32> {nn.input = "hyper"}, %master: tensor<64x32xf32> {nn.state = "master:w"}, ...) -> (...) {
      %p, %m, %v, %w = nn.adamw %master, %moment1, %moment2, %gradient, %hyper : tensor<64x32xf32>, tensor<8xf32> -> tensor<64x32xbf16>
      %q = qat.quantize %w : tensor<64x32xbf16> -> !qat.packed<64x32, #int4, host>
      return %p, %m, %v, %w, %q : ...
    ```
  }];
  let options = [
    Option<"functionName", "function", "std::string", /*default=*/"\"train_step\"", "the training step">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::math::MathDialect", "::nibble::nn::NNDialect",
                           "::nibble::qat::QATDialect"];
}

def HoistQuantizePass : Pass<"nibble-hoist-quantize", "::mlir::ModuleOp"> {
  let summary = "Quantizes in the update, once per step, instead of in every forward and backward.";
  let description = [{
    The pass works on the step, on `@log_probability` beside it and on the functions they call. Where they read
    `qat.fake_quant` of a weight argument, they read a packed argument under the parameter's name instead, by
    definition with the same bits. An argument with other readers stays beside the packed one. After nibble-fuse the
    linears and their input gradients read the packed weight directly.

    Before it changes anything, the pass proves two things. The step gets its weights as arguments and contains no
    update, so they are the same at every use until `@update` runs. `@update`, if the module has it, writes each
    packed weight that the step reads, in the same type.

    Two kinds of `qat.fake_quant` stay, with a remark. One has a convention that is not exact (`slime`), so that the
    weight trained on differs from the packed one. The other rounds a weight that is computed inside the step.

    Example:

    ```mlir
    %w4 = qat.fake_quant %w {scheme = #int4} : tensor<64x32xbf16>
    ```

    becomes, with `%w: !qat.packed<64x32, #int4, host>`,

    ```mlir
    %w4 = qat.dequantize %w : !qat.packed<64x32, #int4, host> -> tensor<64x32xbf16>
    ```
  }];
  let options = [
    Option<"functionNames", "function", "std::string", /*default=*/"\"train_step,log_probability\"",
           "the training step and, where the module has them, functions that read the same weights">,
    Option<"updateName", "update", "std::string", /*default=*/"\"update\"", "the optimizer update">
  ];
  let dependentDialects = ["::nibble::qat::QATDialect"];
}

#endif // NIBBLE_PASSES_DIFFERENTIATE_PASSES
