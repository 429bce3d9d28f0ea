// The sum of each row, in a form for which an H200 has no kernel.
#row = affine_map<(i, j) -> (i)>
#all = affine_map<(i, j) -> (i, j)>
func.func @sums(%x: tensor<?x64xf32> {nn.input = "x"}, %y: tensor<?xf32> {nn.input = "y"}) -> (tensor<?xf32> {nn.output = "sums"}) {
  %sums = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x64xf32>) outs(%y : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  return %sums : tensor<?xf32>
}
