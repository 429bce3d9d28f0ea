// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @embedding_rows(%tokens: tensor<3xi32>, %table: tensor<96x64xbf16>) -> tensor<4x64xbf16> {
  // expected-error @+1 {{'nn.embedding' op y 'tensor<4x64xbf16>' needs extent 3 in dimension 0}}
  %y = nn.embedding %tokens, %table : tensor<3xi32>, tensor<96x64xbf16> -> tensor<4x64xbf16>
  return %y : tensor<4x64xbf16>
}

// -----

func.func @embedding_features(%tokens: tensor<?xi32>, %table: tensor<96x64xbf16>) -> tensor<?x32xbf16> {
  // expected-error @+1 {{'nn.embedding' op y 'tensor<?x32xbf16>' needs extent 64 in dimension 1}}
  %y = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// -----

func.func @embedding_grad_rows(%dy: tensor<4x64xbf16>, %tokens: tensor<3xi32>, %init: tensor<96x64xf32>) -> tensor<96x64xf32> {
  // expected-error @+1 {{'nn.embedding_grad' op dy 'tensor<4x64xbf16>' needs extent 3 in dimension 0}}
  %d = nn.embedding_grad %dy, %tokens, %init : tensor<4x64xbf16>, tensor<3xi32>, tensor<96x64xf32>
  return %d : tensor<96x64xf32>
}

// -----

func.func @embedding_grad_features(%dy: tensor<?x32xbf16>, %tokens: tensor<?xi32>, %init: tensor<96x64xf32>) -> tensor<96x64xf32> {
  // expected-error @+1 {{'nn.embedding_grad' op dy 'tensor<?x32xbf16>' needs extent 64 in dimension 1}}
  %d = nn.embedding_grad %dy, %tokens, %init : tensor<?x32xbf16>, tensor<?xi32>, tensor<96x64xf32>
  return %d : tensor<96x64xf32>
}

// -----

func.func @rms_norm_blocks(%x: tensor<?x64xbf16>, %w: tensor<48xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rms_norm' op a row of 64 is not a whole number of blocks of 48}}
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<48xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @rms_norm_open(%x: tensor<?x?xbf16>, %w: tensor<48xbf16>) -> tensor<?x?xbf16> {
  // expected-error @+1 {{'nn.rms_norm' op x 'tensor<?x?xbf16>' must have a known extent in dimension 1}}
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x?xbf16>, tensor<48xbf16>
  return %y : tensor<?x?xbf16>
}

// -----

func.func @rms_norm_empty(%x: tensor<?x64xbf16>, %w: tensor<0xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rms_norm' op a row of 64 is not a whole number of blocks of 0}}
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<0xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @rms_norm_grad_init(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>, %init: tensor<32xf32>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rms_norm_grad' op init 'tensor<32xf32>' needs extent 64 in dimension 0}}
  %dx, %dw = nn.rms_norm_grad %x, %x, %w, %init {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>, tensor<32xf32>
  return %dx : tensor<?x64xbf16>
}

// -----

func.func @linear_weight(%x: tensor<?x64xbf16>, %w: tensor<?x64xbf16>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'nn.linear' op weight 'tensor<?x64xbf16>' must have a known extent in dimension 0}}
  %y = nn.linear %x, %w : tensor<?x64xbf16>, tensor<?x64xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @linear_x(%x: tensor<?x32xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'nn.linear' op x 'tensor<?x32xbf16>' needs extent 64 in dimension 1}}
  %y = nn.linear %x, %w : tensor<?x32xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @linear_y(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.linear' op y 'tensor<?x64xbf16>' needs extent 128 in dimension 1}}
  %y = nn.linear %x, %w : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @linear_bias(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>, %b: tensor<64xbf16>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'nn.linear' op bias 'tensor<64xbf16>' needs extent 128 in dimension 0}}
  %y = nn.linear %x, %w bias(%b : tensor<64xbf16>) : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @linear_residual(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>, %r: tensor<?x128xf32>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'nn.linear' op residual 'tensor<?x128xf32>' is not of y's type 'tensor<?x128xbf16>'}}
  %y = nn.linear %x, %w residual(%r : tensor<?x128xf32>) : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @linear_input_grad_dy(%dy: tensor<?x64xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.linear_input_grad' op dy 'tensor<?x64xbf16>' needs extent 128 in dimension 1}}
  %dx = nn.linear_input_grad %dy, %w : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x64xbf16>
  return %dx : tensor<?x64xbf16>
}

// -----

func.func @linear_input_grad_dx(%dy: tensor<?x128xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'nn.linear_input_grad' op dx 'tensor<?x128xbf16>' needs extent 64 in dimension 1}}
  %dx = nn.linear_input_grad %dy, %w : tensor<?x128xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  return %dx : tensor<?x128xbf16>
}

// -----

func.func @linear_weight_grad_dy(%dy: tensor<?x64xbf16>, %x: tensor<?x64xbf16>, %init: tensor<128x64xf32>) -> tensor<128x64xf32> {
  // expected-error @+1 {{'nn.linear_weight_grad' op dy 'tensor<?x64xbf16>' needs extent 128 in dimension 1}}
  %dw = nn.linear_weight_grad %dy, %x, %init : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<128x64xf32>
  return %dw : tensor<128x64xf32>
}

// -----

func.func @linear_weight_grad_rows(%dy: tensor<3x128xbf16>, %x: tensor<4x64xbf16>, %init: tensor<128x64xf32>) -> tensor<128x64xf32> {
  // expected-error @+1 {{'nn.linear_weight_grad' op dy 'tensor<3x128xbf16>' needs extent 4 in dimension 0}}
  %dw = nn.linear_weight_grad %dy, %x, %init : tensor<3x128xbf16>, tensor<4x64xbf16>, tensor<128x64xf32>
  return %dw : tensor<128x64xf32>
}

// -----

func.func @sum_tokens(%x: tensor<?x64xbf16>, %init: tensor<128xf32>) -> tensor<128xf32> {
  // expected-error @+1 {{'nn.sum_tokens' op x 'tensor<?x64xbf16>' needs extent 128 in dimension 1}}
  %s = nn.sum_tokens %x, %init : tensor<?x64xbf16>, tensor<128xf32>
  return %s : tensor<128xf32>
}

// -----

func.func @rope_table_frequencies(%positions: tensor<?xi32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'nn.rope_table' op cos 'tensor<?x4xf32>' needs extent 2 in dimension 1}}
  %cos, %sin = nn.rope_table %positions {inverse_frequencies = array<f32: 1.0, 0.01>, attention_factor = 1.0 : f32} : tensor<?xi32> -> tensor<?x4xf32>
  return %cos : tensor<?x4xf32>
}

// -----

func.func @rope_table_rows(%positions: tensor<3xi32>) -> tensor<4x2xf32> {
  // expected-error @+1 {{'nn.rope_table' op cos 'tensor<4x2xf32>' needs extent 3 in dimension 0}}
  %cos, %sin = nn.rope_table %positions {inverse_frequencies = array<f32: 1.0, 0.01>, attention_factor = 1.0 : f32} : tensor<3xi32> -> tensor<4x2xf32>
  return %cos : tensor<4x2xf32>
}

// -----

func.func @rope_heads(%x: tensor<?x48xbf16>, %c: tensor<?x16xf32>) -> tensor<?x48xbf16> {
  // expected-error @+1 {{'nn.rope' op a row of 48 is not a whole number of heads of 32}}
  %y = nn.rope %x, %c, %c : tensor<?x48xbf16>, tensor<?x16xf32>
  return %y : tensor<?x48xbf16>
}

// -----

func.func @rope_rows(%x: tensor<3x64xbf16>, %c: tensor<4x16xf32>) -> tensor<3x64xbf16> {
  // expected-error @+1 {{'nn.rope' op cos 'tensor<4x16xf32>' needs extent 3 in dimension 0}}
  %y = nn.rope %x, %c, %c : tensor<3x64xbf16>, tensor<4x16xf32>
  return %y : tensor<3x64xbf16>
}

// -----

func.func @swiglu(%x: tensor<64xbf16>) -> tensor<64xbf16> {
  // expected-error @+1 {{'nn.swiglu' op operand #0 must be 2D tensor}}
  %y = nn.swiglu %x, %x : tensor<64xbf16>
  return %y : tensor<64xbf16>
}

// -----

func.func @swiglu_types(%x: tensor<?x64xbf16>, %u: tensor<?x32xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.swiglu' op requires the same type for all operands and results}}
  %y = "nn.swiglu"(%x, %u) : (tensor<?x64xbf16>, tensor<?x32xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @swiglu_grad(%x: tensor<?x64xi32>) -> tensor<?x64xi32> {
  // expected-error @+1 {{'nn.swiglu_grad' op operand #0 must be 2D tensor}}
  %g, %u = nn.swiglu_grad %x, %x, %x : tensor<?x64xi32>
  return %g : tensor<?x64xi32>
}

// -----

func.func @take_rows_features(%x: tensor<?x64xbf16>, %rows: tensor<?xi32>) -> tensor<?x32xbf16> {
  // expected-error @+1 {{'nn.take_rows' op y 'tensor<?x32xbf16>' needs extent 64 in dimension 1}}
  %y = nn.take_rows %x, %rows : tensor<?x64xbf16>, tensor<?xi32> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// -----

func.func @take_rows_rows(%x: tensor<?x64xbf16>, %rows: tensor<3xi32>) -> tensor<4x64xbf16> {
  // expected-error @+1 {{'nn.take_rows' op y 'tensor<4x64xbf16>' needs extent 3 in dimension 0}}
  %y = nn.take_rows %x, %rows : tensor<?x64xbf16>, tensor<3xi32> -> tensor<4x64xbf16>
  return %y : tensor<4x64xbf16>
}
