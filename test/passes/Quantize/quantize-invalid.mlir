// RUN: nibble-opt %s --nibble-quantize --split-input-file --verify-diagnostics
// RUN: not nibble-opt %s --nibble-quantize --split-input-file 2>&1 | FileCheck %s --check-prefix=PLACE --implicit-check-not=builtin.module
// RUN: not nibble-opt %s --nibble-quantize=scheme=int3 2>&1 | FileCheck %s --check-prefix=SCHEME
// RUN: not nibble-opt %s --nibble-quantize=convention=ours 2>&1 | FileCheck %s --check-prefix=CONVENTION
// RUN: not nibble-opt %s --nibble-quantize=function=nosuch 2>&1 | FileCheck %s --check-prefix=FUNCTION --implicit-check-not="current operation"
// RUN: not nibble-opt %s --nibble-quantize=function=layer 2>&1 | FileCheck %s --check-prefix=CALLED
// RUN: not nibble-opt %s --nibble-quantize=group-size=48 2>&1 | FileCheck %s --check-prefix=GROUP
// RUN: not nibble-opt %s --nibble-quantize="scheme=int8 convention=slime" 2>&1 | FileCheck %s --check-prefix=KIND
// RUN: not nibble-opt %s --nibble-quantize="include=(" 2>&1 | FileCheck %s --check-prefix=REGEX
// RUN: not nibble-opt %s --nibble-quantize="exclude=[" 2>&1 | FileCheck %s --check-prefix=REGEX2
// RUN: not nibble-opt %s --nibble-quantize="exclude=re:.*up_prj" 2>&1 | FileCheck %s --check-prefix=UNMATCHED
// RUN: not nibble-opt %s --nibble-quantize="include=re:up_proj" 2>&1 | FileCheck %s --check-prefix=ANCHORED
// RUN: not nibble-opt %s --nibble-quantize="exclude=re:" 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not nibble-opt %s --nibble-quantize="exclude=''" 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not nibble-opt %s --nibble-quantize="include=" 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not nibble-opt %s --nibble-quantize="scheme=none include={}" 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not nibble-opt %s --nibble-quantize="scheme=none exclude=zz" 2>&1 | FileCheck %s --check-prefix=NONE

// SCHEME: nibble-quantize: scheme 'int3' is not one; there are int4, int8, fp8{{.*}} and none
// CONVENTION: nibble-quantize: convention 'ours' is not one; there are nibble, slime and compressed-tensors
// PLACE: error: nibble-quantize: nothing can be quantized: no parameter is the weight of a linear
// FUNCTION: error: nibble-quantize: there is no function @nosuch; there are @f{{$}}
// CALLED: nibble-quantize: @layer is called by others, which it is quantized with; there are @f
// GROUP: nibble-quantize: N2: group_size is 16, 32, 64, 128 or 0 for the whole row, not 48
// KIND: nibble-quantize: convention slime exists for int4 only, not for int8
// REGEX: nibble-quantize: include '(' is no regular expression
// REGEX2: nibble-quantize: exclude '[' is no regular expression
// UNMATCHED: nibble-quantize: exclude 're:.*up_prj' matches no weight of this model; close names: layers.7.up_proj
// ANCHORED: nibble-quantize: include 're:up_proj' matches no weight of this model; re: matches from the start of the module's name
// NOTHING: nibble-quantize: {{in|ex}}clude '' is an empty expression, which would match every name
// NONE: nibble-quantize: exclude 'zz' matches no weight of this model; names are such as layers.7.up_proj.weight
// EMPTY: nibble-quantize: exclude 're:' is an empty expression, which would match every name; leave it out, or write default-exclude=false

// N2, with the tensor's name in the checkpoint.
func.func private @layer(%x: tensor<?x100xbf16>, %w: tensor<64x100xbf16> {nn.parameter = "up_proj.weight"}) -> tensor<?x64xbf16> {
  // expected-error @below {{N2: parameter 'layers.7.up_proj.weight' has K = 100, which does not divide by group_size = 32; exclude it or choose another group size}}
  %y = nn.linear %x, %w : tensor<?x100xbf16>, tensor<64x100xbf16> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}
func.func @f(%x: tensor<?x100xbf16> {nn.input = "x"}, %w: tensor<64x100xbf16> {nn.parameter = "layers.7.up_proj.weight"}) -> tensor<?x64xbf16> {
  %y = call @layer(%x, %w) : (tensor<?x100xbf16>, tensor<64x100xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

// expected-error @below {{nibble-quantize: nothing is left to quantize: lm_head and embed_tokens are left out by default; write default-exclude=false}}
module {
  func.func @f(%x: tensor<?x64xbf16> {nn.input = "x"}, %w: tensor<96x64xbf16> {nn.parameter = "lm_head.weight"}) -> tensor<?x96xf32> {
    %y = nn.linear %x, %w : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    return %y : tensor<?x96xf32>
  }
}

// -----

// Without any linear, the message names the first function with parameters and some of them.
module {
  func.func @none(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
    return %x : tensor<4x64xf32>
  }
  // expected-error @below {{nibble-quantize: nothing can be quantized: no parameter is the weight of a linear (there are a, b, c, d and 1 more); nibble-recognize-linear makes linears of products in linalg}}
  func.func @f(%a: tensor<4x64xf32> {nn.parameter = "a"}, %b: tensor<4x64xf32> {nn.parameter = "b"}, %c: tensor<4xf32> {nn.parameter = "c"},
               %d: tensor<4xf32> {nn.parameter = "d"}, %e: tensor<4xf32> {nn.parameter = "e"}) -> tensor<4x64xf32> {
    return %a : tensor<4x64xf32>
  }
}

// -----

module {
  // expected-error @below {{nibble-quantize: nothing can be quantized: there are no parameters; nibble-recognize-linear}}
  func.func @f(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
    return %x : tensor<4x64xf32>
  }
}

