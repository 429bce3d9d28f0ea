// GRPO (Shao et al. 2024): the clipped policy gradient of PPO (Schulman et al. 2017) with one ratio per token. Advantages are
// normalized within the samples of one prompt, and the KL penalty is part of the loss. `clip_high` above `clip_low` is the
// "clip-higher" of DAPO. `dual_clip` bounds the loss of a token whose advantage is negative (Ye et al. 2020); 0 switches it off.
func.func @objective(%logp: f32 {nn.input = "logp"}, %entropy: f32 {nn.input = "entropy"},
                     %old_logp: f32 {nn.input = "old_logp"}, %reference_logp: f32 {nn.input = "reference_logp"},
                     %advantage: f32 {nn.input = "advantage"})
    -> (f32, f32 {nn.output = "kl"}, f32 {nn.output = "clip_fraction"}) {
  %clip_low = arith.constant {option = "clip_low", key = "clip_low", least = 0.0, most = 1.0,
                              meaning = "ratio is held above 1 minus this"} 0.2 : f32
  %clip_high = arith.constant {option = "clip_high", key = "clip_high", least = 0.0, most = 1.0e9,
                              meaning = "ratio is held below 1 plus this"} 0.2 : f32
  %dual_clip = arith.constant {option = "dual_clip", key = "dual_clip", least = 0.0, most = 1.0e9,
                              meaning = "a bad token costs at most this times its advantage; 0: off"} 0.0 : f32
  %kl_coefficient = arith.constant {option = "kl", key = "kl_coefficient", least = 0.0, most = 1.0e9,
                              meaning = "of the distance to the initial weights; 0: not computed"} 0.0 : f32
  %entropy_coefficient = arith.constant {option = "entropy", key = "entropy_coefficient", least = 0.0, most = 1.0e9,
                              meaning = "of an entropy bonus"} 0.0 : f32
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32

  // ratio = p_new / p_old. It is exactly 1 while the weights are those that sampled.
  %log_ratio = arith.subf %logp, %old_logp : f32
  %ratio = math.exp %log_ratio : f32
  %low = arith.subf %one, %clip_low : f32
  %high = arith.addf %one, %clip_high : f32
  %at_least = arith.maximumf %ratio, %low : f32
  %clipped = arith.minimumf %at_least, %high : f32
  %free_gain = arith.mulf %ratio, %advantage : f32
  %clipped_gain = arith.mulf %clipped, %advantage : f32
  %gain = arith.minimumf %free_gain, %clipped_gain : f32

  // Dual clip: a token with a negative advantage cannot cost more than dual_clip * |advantage|.
  %floor = arith.mulf %dual_clip, %advantage : f32
  %bounded = arith.maximumf %gain, %floor : f32
  %enabled = arith.cmpf ogt, %dual_clip, %zero : f32
  %negative = arith.cmpf olt, %advantage, %zero : f32
  %bound = arith.andi %enabled, %negative : i1
  %objective = arith.select %bound, %bounded, %gain : f32
  %policy = arith.negf %objective : f32

  // k3 (Schulman 2020): exp(d) - d - 1 with d = log p_reference - log p, never negative.
  %distance = arith.subf %reference_logp, %logp : f32
  %exp_distance = math.exp %distance : f32
  %above = arith.subf %exp_distance, %distance : f32
  %kl = arith.subf %above, %one : f32

  %penalty = arith.mulf %kl_coefficient, %kl : f32
  %bonus = arith.mulf %entropy_coefficient, %entropy : f32
  %penalized = arith.addf %policy, %penalty : f32
  %loss = arith.subf %penalized, %bonus : f32

  %is_clipped = arith.cmpf olt, %clipped_gain, %free_gain : f32
  %clip_fraction = arith.select %is_clipped, %one, %zero : f32
  return %loss, %kl, %clip_fraction : f32, f32, f32
}
