// Supervised fine-tuning: the negative log-probability of the token that the data holds.
func.func @objective(%logp: f32 {nn.input = "logp"}) -> f32 {
  %loss = arith.negf %logp : f32
  return %loss : f32
}
