"""Writes torch_values.inc: inputs, and what torch computes from them in float64, for the tests of lib/Reference.

    python make_torch_values.py > torch_values.inc
"""
import torch
import torch.nn.functional as F

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)


def emit(name, tensor):
    values = ", ".join(repr(float(v)) for v in tensor.detach().flatten())
    print(f"inline const std::vector<double> {name} = {{{values}}};")


def given(name, *shape):
    """Random numbers that float32 can represent, so that the program and torch begin with the same values."""
    tensor = torch.randn(*shape).float().double().requires_grad_()
    emit(name, tensor)
    return tensor


def gradients(prefix, result, seed, **inputs):
    result.backward(seed)
    for name, tensor in inputs.items():
        emit(f"{prefix}_d{name}", tensor.grad)


print("// Written by make_torch_values.py. Do not edit.")
print("// clang-format off")
print("#include <vector>")
print("namespace torch_values {")

# rms_norm: 3 tokens, 2 blocks of 4.
x, w, dy = given("rms_x", 3, 8), given("rms_weight", 4), given("rms_dy", 3, 8)
blocks = x.reshape(3, 2, 4)
y = (w * (blocks * torch.rsqrt(blocks.pow(2).mean(-1, keepdim=True) + 1e-6))).reshape(3, 8)
emit("rms_y", y)
gradients("rms", y, dy.detach(), x=x, weight=w)

# rope: 3 tokens at positions 0, 5, 2, one head of 4, in the form of Hugging Face's rotate_half.
positions = torch.tensor([0.0, 5.0, 2.0])
frequencies = torch.tensor([1.0, 0.25])
angles = torch.cat([positions[:, None] * frequencies] * 2, -1)
x, dy = given("rope_x", 3, 4), given("rope_dy", 3, 4)
rotated = torch.cat([-x[:, 2:], x[:, :2]], -1)
y = x * angles.cos() + rotated * angles.sin()
emit("rope_y", y)
gradients("rope", y, dy.detach(), x=x)

# swiglu
gate, up, dy = given("swiglu_gate", 2, 3), given("swiglu_up", 2, 3), given("swiglu_dy", 2, 3)
y = F.silu(gate) * up
emit("swiglu_y", y)
gradients("swiglu", y, dy.detach(), gate=gate, up=up)

# attention: sequences of 3 and 2 tokens, 4 query heads, 2 key/value heads of 3 elements; then with a window of 2.
q, k, v, dy = given("att_q", 5, 12), given("att_k", 5, 6), given("att_v", 5, 6), given("att_dy", 5, 12)


def attention(window):
    outputs, sums = [], []
    for begin, end in ((0, 3), (3, 5)):
        n = end - begin
        heads = lambda t, count: t[begin:end].reshape(n, count, 3).transpose(0, 1)
        qs = heads(q, 4)
        ks, vs = (heads(t, 2).repeat_interleave(2, 0) for t in (k, v))
        i, j = torch.arange(n)[:, None], torch.arange(n)[None, :]
        mask = (j <= i) & (i - j < window if window else True)
        scores = (qs @ ks.transpose(1, 2) * 0.5).masked_fill(~mask, float("-inf"))
        outputs.append((scores.softmax(-1) @ vs).transpose(0, 1).reshape(n, 12))
        sums.append(scores.logsumexp(-1).transpose(0, 1))
    return torch.cat(outputs), torch.cat(sums)


y, lse = attention(0)
emit("att_y", y)
emit("att_lse", lse)
gradients("att", y, dy.detach(), q=q, k=k, v=v)
for t in (q, k, v):
    t.grad = None
y, lse = attention(2)
emit("att_window_y", y)
gradients("att_window", y, dy.detach(), q=q, k=k, v=v)

# log_probability: 3 rows of 5 logits, each with its own temperature.
logits = given("logp_logits", 3, 5)
temperature = torch.tensor([1.0, 0.5, 2.0])
targets = torch.tensor([4, 0, 2])
dlogp, dentropy = given("logp_dlogp", 3), given("logp_dentropy", 3)
log_p = (logits / temperature[:, None]).log_softmax(-1)
logp = log_p.gather(1, targets[:, None])[:, 0]
entropy = -(log_p.exp() * log_p).sum(-1)
emit("logp_logp", logp)
emit("logp_lse", (logits / temperature[:, None]).logsumexp(-1))
emit("logp_entropy", entropy)
gradients("logp", (logp * dlogp.detach() + entropy * dentropy.detach()).sum(), None, logits=logits)

# adamw: the third step of torch.optim.AdamW.
parameter = torch.nn.Parameter(given("adamw_start", 4).detach().clone())
optimizer = torch.optim.AdamW([parameter], lr=0.125, betas=(0.875, 0.96875), eps=2.0**-20, weight_decay=0.25)
for step in range(3):
    gradient = given(f"adamw_gradient{step}", 4)
    if step == 2:
        emit("adamw_before", parameter)
        emit("adamw_moment1", optimizer.state[parameter]["exp_avg"])
        emit("adamw_moment2", optimizer.state[parameter]["exp_avg_sq"])
    parameter.grad = gradient.detach()
    optimizer.step()
emit("adamw_after", parameter)
emit("adamw_new_moment1", optimizer.state[parameter]["exp_avg"])
emit("adamw_new_moment2", optimizer.state[parameter]["exp_avg_sq"])
print("} // namespace torch_values")
