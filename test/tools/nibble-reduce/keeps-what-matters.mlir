// The reducer removes what the script does not ask for and keeps the rest.
// RUN: printf '#!/bin/sh\ngrep -q nn.rms_norm "$1" && exit 1; exit 0\n' > %t.sh && chmod +x %t.sh
// RUN: nibble-reduce %s --reduction-tree="traversal-mode=0 test=%t.sh" | FileCheck %s

// CHECK-NOT: @other
// CHECK: nn.rms_norm
// CHECK-NOT: @other
func.func @kept(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @other(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = nn.swiglu %x, %x : tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}
