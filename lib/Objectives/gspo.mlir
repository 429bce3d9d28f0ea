// GSPO (Zheng et al. 2025): GRPO with one ratio for a whole sequence, which is the geometric mean of the ratios of its tokens in the mask.
// Every token of a sequence has the sequence's loss; the weights divide by its length.
#token = affine_map<(s, t) -> (t)>
#sequence = affine_map<(s, t) -> (s)>
#of_token = affine_map<(t, s) -> (t)>
#of_sequence = affine_map<(t, s) -> (s)>
#each = affine_map<(t) -> (t)>
#one = affine_map<(s) -> (s)>
func.func @objective(%logp: tensor<?xf32> {nn.input = "logp"}, %old_logp: tensor<?xf32> {nn.input = "old_logp"},
                     %advantage: tensor<?xf32> {nn.input = "advantage"}, %mask: tensor<?xf32> {nn.input = "mask"},
                     %sequences: tensor<?xi32> {nn.input = "sequences"})
    -> (tensor<?xf32>, tensor<?xf32> {nn.output = "clip_fraction"}) {
  %clip_low = arith.constant {option = "clip_low", key = "clip_low", least = 0.0, most = 1.0,
                              meaning = "ratio is held above 1 minus this"} 3.0e-4 : f32
  %clip_high = arith.constant {option = "clip_high", key = "clip_high", least = 0.0, most = 1.0e9,
                              meaning = "ratio is held below 1 plus this"} 4.0e-4 : f32
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %low = arith.subf %one, %clip_low : f32
  %high = arith.addf %one, %clip_high : f32

  // Sequence s has tokens begin[s] to end[s] - 1.
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %tokens = tensor.dim %logp, %c0 : tensor<?xf32>
  %bounds = tensor.dim %sequences, %c0 : tensor<?xi32>
  %count = arith.subi %bounds, %c1 : index
  %begin = tensor.extract_slice %sequences[0] [%count] [1] : tensor<?xi32> to tensor<?xi32>
  %end = tensor.extract_slice %sequences[1] [%count] [1] : tensor<?xi32> to tensor<?xi32>

  // The sum of log ratios and the number of tokens of each sequence.
  %empty_s = tensor.empty(%count) : tensor<?xf32>
  %zeros_s = linalg.fill ins(%zero : f32) outs(%empty_s : tensor<?xf32>) -> tensor<?xf32>
  %total, %length = linalg.generic
      {indexing_maps = [#token, #token, #token, #sequence, #sequence, #sequence, #sequence], iterator_types = ["parallel", "reduction"]}
      ins(%logp, %old_logp, %mask, %begin, %end : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xi32>)
      outs(%zeros_s, %zeros_s : tensor<?xf32>, tensor<?xf32>) {
  ^bb0(%new: f32, %old: f32, %m: f32, %b: i32, %e: i32, %sum: f32, %n: f32):
    %index = linalg.index 1 : index
    %t = arith.index_cast %index : index to i32
    %behind = arith.cmpi sge, %t, %b : i32
    %before = arith.cmpi slt, %t, %e : i32
    %inside = arith.andi %behind, %before : i1
    %counted = arith.select %inside, %m, %zero : f32
    %log_ratio = arith.subf %new, %old : f32
    %term = arith.mulf %log_ratio, %counted : f32
    %sum1 = arith.addf %sum, %term : f32
    %n1 = arith.addf %n, %counted : f32
    linalg.yield %sum1, %n1 : f32, f32
  } -> (tensor<?xf32>, tensor<?xf32>)

  %ratio = linalg.generic {indexing_maps = [#one, #one, #one], iterator_types = ["parallel"]}
      ins(%total, %length : tensor<?xf32>, tensor<?xf32>) outs(%empty_s : tensor<?xf32>) {
  ^bb0(%sum: f32, %n: f32, %out: f32):
    %at_least_one = arith.maximumf %n, %one : f32
    %mean = arith.divf %sum, %at_least_one : f32
    %r = math.exp %mean : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>

  // The ratio of the token's own sequence.
  %empty_t = tensor.empty(%tokens) : tensor<?xf32>
  %zeros_t = linalg.fill ins(%zero : f32) outs(%empty_t : tensor<?xf32>) -> tensor<?xf32>
  %own = linalg.generic {indexing_maps = [#of_sequence, #of_sequence, #of_sequence, #of_token], iterator_types = ["parallel", "reduction"]}
      ins(%ratio, %begin, %end : tensor<?xf32>, tensor<?xi32>, tensor<?xi32>) outs(%zeros_t : tensor<?xf32>) {
  ^bb0(%r: f32, %b: i32, %e: i32, %out: f32):
    %index = linalg.index 0 : index
    %t = arith.index_cast %index : index to i32
    %behind = arith.cmpi sge, %t, %b : i32
    %before = arith.cmpi slt, %t, %e : i32
    %inside = arith.andi %behind, %before : i1
    %mine = arith.select %inside, %r, %zero : f32
    %sum = arith.addf %out, %mine : f32
    linalg.yield %sum : f32
  } -> tensor<?xf32>

  %loss, %clipped = linalg.generic {indexing_maps = [#each, #each, #each, #each], iterator_types = ["parallel"]}
      ins(%own, %advantage : tensor<?xf32>, tensor<?xf32>) outs(%empty_t, %empty_t : tensor<?xf32>, tensor<?xf32>) {
  ^bb0(%r: f32, %a: f32, %out0: f32, %out1: f32):
    %at_least = arith.maximumf %r, %low : f32
    %between = arith.minimumf %at_least, %high : f32
    %free_gain = arith.mulf %r, %a : f32
    %clipped_gain = arith.mulf %between, %a : f32
    %gain = arith.minimumf %free_gain, %clipped_gain : f32
    %policy = arith.negf %gain : f32
    %is_clipped = arith.cmpf olt, %clipped_gain, %free_gain : f32
    %fraction = arith.select %is_clipped, %one, %zero : f32
    linalg.yield %policy, %fraction : f32, f32
  } -> (tensor<?xf32>, tensor<?xf32>)
  return %loss, %clipped : tensor<?xf32>, tensor<?xf32>
}
