// REINFORCE: the policy gradient of the advantage, on-policy (Williams 1992). With a group baseline in the advantages it is
// the loss of RLOO and of REINFORCE++.
func.func @objective(%logp: f32 {nn.input = "logp"}, %entropy: f32 {nn.input = "entropy"},
                     %advantage: f32 {nn.input = "advantage"}) -> f32 {
  %entropy_coefficient = arith.constant {option = "entropy", key = "entropy_coefficient", least = 0.0, most = 1.0e9,
                              meaning = "of an entropy bonus"} 0.0 : f32

  %gain = arith.mulf %advantage, %logp : f32
  %policy = arith.negf %gain : f32
  %bonus = arith.mulf %entropy_coefficient, %entropy : f32
  %loss = arith.subf %policy, %bonus : f32
  return %loss : f32
}
