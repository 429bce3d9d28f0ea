// RUN: nibble-opt %s -split-input-file -verify-diagnostics --nibble-differentiate

// An op on the gradient path without a rule is named at its place.
func.func @loss(%w: tensor<4xf32> {nn.parameter = "w"}) -> tensor<f32> {
  // expected-error @below {{'math.sincos' op is on the gradient path and has no gradient rule; write it with ops that have one, or wrap it in qat.straight_through}}
  %s, %c = math.sincos %w : tensor<4xf32>
  %loss = nn.sum %s : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// The same inside a linalg body.
#id = affine_map<(d0) -> (d0)>
func.func @loss(%w: tensor<4xf32> {nn.parameter = "w"}) -> tensor<f32> {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%w : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %out: f32):
    // expected-error @below {{'math.sincos' op is on the gradient path and has no gradient rule}}
    %s, %c = math.sincos %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %loss = nn.sum %r : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// The gradient of a rounding is 0, which is seldom intended, so a warning appears.
func.func @loss(%w: tensor<4xf32> {nn.parameter = "w"}) -> tensor<f32> {
  // expected-warning @below {{'math.roundeven' has the gradient 0 everywhere, so nothing before it is trained through it; wrap it in qat.straight_through}}
  %r = math.roundeven %w : tensor<4xf32>
  %loss = nn.sum %r : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// expected-error @below {{nibble-differentiate: there is no function @loss; name one with function=}}
module {
}

// -----

// expected-error @below {{nibble-differentiate: no argument of @loss carries nn.parameter; mark the parameters, or name arguments with wrt=args=0,2}}
func.func @loss(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// expected-error @below {{'func.func' op @loss cannot be differentiated: it calls itself}}
func.func @loss(%x: tensor<f32> {nn.parameter = "x"}) -> tensor<f32> {
  %y = call @loss(%x) : (tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// The steps of a function are created only once.
// expected-error @below {{nibble-differentiate: @train_step exists already; choose another name with result-function=}}
module {
  func.func @train_step() {
    return
  }
  func.func @loss(%x: tensor<f32> {nn.parameter = "x"}) -> tensor<f32> {
    return %x : tensor<f32>
  }
}

// -----

func.func @loss(%x: tensor<2x3xf32>, %w: tensor<4x3xf32> {nn.parameter = "w"}) -> tensor<2x4xf32> {
  // expected-error @-1 {{nibble-differentiate: the first result of @loss must be a float scalar, the loss; give the gradients of the results yourself with seed=arguments}}
  %y = nn.linear %x, %w : tensor<2x3xf32>, tensor<4x3xf32> -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// Two iterations write one element of a result. Its gradient would be that of the last iteration only.
#i = affine_map<(i, j) -> (i, j)>
#sum = affine_map<(i, j) -> (i + j)>
func.func @loss(%x: tensor<3x2xf32> {nn.parameter = "x"}) -> tensor<f32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @below {{'linalg.generic' op has no gradient with indexing map affine_map<(d0, d1) -> (d0 + d1)> of result 0: it must name each dimension by itself}}
  %y = linalg.generic {indexing_maps = [#i, #sum], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<3x2xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %out: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %loss = nn.sum %y : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// A body may read a tensor from outside by tensor.extract only.
#id = affine_map<(d0) -> (d0)>
func.func @loss(%x: tensor<4xf32> {nn.parameter = "x"}) -> tensor<f32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%e : tensor<4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    // expected-error @below {{'tensor.extract_slice' op reads a tensor from outside the body that needs a gradient, which only tensor.extract may do; pass the tensor as an operand of the linalg op}}
    %s = tensor.extract_slice %x[%i] [1] [1] : tensor<4xf32> to tensor<f32>
    %v = tensor.extract %s[] : tensor<f32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %loss = nn.sum %y : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// A choice, a loop and a generated tensor. The messages say what to write instead.
func.func @loss(%x: tensor<4xf32> {nn.parameter = "x"}, %b: i1) -> tensor<f32> {
  // expected-error @below {{'scf.if' op is on the gradient path and has no gradient rule; compute both sides and choose between them with arith.select}}
  %y = scf.if %b -> tensor<4xf32> {
    %e = math.exp %x : tensor<4xf32>
    scf.yield %e : tensor<4xf32>
  } else {
    scf.yield %x : tensor<4xf32>
  }
  %loss = nn.sum %y : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

func.func @loss(%x: tensor<4xf32> {nn.parameter = "x"}) -> tensor<f32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  // expected-error @below {{'scf.for' op is on the gradient path and has no gradient rule; unroll the loop, or write it as linalg ops, whose bodies may read tensors by tensor.extract}}
  %y = scf.for %i = %zero to %four step %one iter_args(%a = %x) -> tensor<4xf32> {
    %p = arith.mulf %a, %x : tensor<4xf32>
    scf.yield %p : tensor<4xf32>
  }
  %loss = nn.sum %y : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

func.func @loss(%x: tensor<4xf32> {nn.parameter = "x"}) -> tensor<f32> {
  // expected-error @below {{'tensor.generate' op is on the gradient path and has no gradient rule; write it as a linalg.generic, with linalg.index for the indices and tensor.extract for what it reads}}
  %y = tensor.generate {
  ^bb0(%i: index):
    %v = tensor.extract %x[%i] : tensor<4xf32>
    tensor.yield %v : f32
  } : tensor<4xf32>
  %loss = nn.sum %y : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

func.func @loss(%x: tensor<4xf32> {nn.parameter = "x"}, %s: tensor<f32> {nn.parameter = "s"}) -> tensor<f32> {
  %v = tensor.extract %s[] : tensor<f32>
  // expected-error @below {{'tensor.pad' op has no gradient for the value that it pads with; fill a tensor with that value and put the rest into it by tensor.insert_slice}}
  %y = tensor.pad %x low[1] high[0] {
  ^bb0(%i: index):
    tensor.yield %v : f32
  } : tensor<4xf32> to tensor<5xf32>
  %loss = nn.sum %y : tensor<5xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// A reduction by product has no rule.
func.func @loss(%x: tensor<4x8xf32> {nn.parameter = "x"}) -> tensor<f32> {
  %one = arith.constant dense<1.0> : tensor<4xf32>
  // expected-error @below {{'linalg.reduce' op has a gradient only when its reduction is a sum, a maximum or a minimum of result 0 and a value that does not depend on it}}
  %y = linalg.reduce {arith.mulf} ins(%x : tensor<4x8xf32>) outs(%one : tensor<4xf32>) dimensions = [1]
  %loss = nn.sum %y : tensor<4xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

func.func @loss(%x: tensor<?x8xf32>, %cos: tensor<?x4xf32> {nn.parameter = "c"}, %sin: tensor<?x4xf32>, %targets: tensor<?xi32>,
                %temperature: tensor<?xf32>) -> tensor<f32> {
  // expected-error @below {{'nn.rope' op has no gradient for its rotation, which depends on what is differentiated}}
  %y = nn.rope %x, %cos, %sin : tensor<?x8xf32>, tensor<?x4xf32>
  %logp, %lse, %entropy = nn.log_probability %y, %targets, %temperature : tensor<?x8xf32>, tensor<?xi32>, tensor<?xf32>
  %loss = nn.sum %logp : tensor<?xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

func.func @loss(%x: tensor<?x8xf32> {nn.parameter = "x"}, %targets: tensor<?xi32>, %temperature: tensor<?xf32>) -> tensor<f32> {
  // expected-error @below {{'nn.log_probability' op has no gradient for its result 'lse'}}
  %logp, %lse, %entropy = nn.log_probability %x, %targets, %temperature : tensor<?x8xf32>, tensor<?xi32>, tensor<?xf32>
  %loss = nn.sum %lse : tensor<?xf32> -> tensor<f32>
  return %loss : tensor<f32>
}
