"""The forwards that make_torch_modules.py exports. Each takes its tensors as arguments and returns (loss, y).

Shapes are small. The numbers reveal conventions: ties of maxima, powers of 0, a clamp at its bound, tokens that occur twice.
"""
import torch
import torch.nn.functional as F

torch.manual_seed(10)


def mean_square(y):
    return (y ** 2).mean(), y


def linear(x, target, w, b):
    y = F.linear(x, w, b)
    return F.mse_loss(y, target), y


def bf16_linear(x, w):
    return mean_square(F.linear(x, w).float())


def mlp(x, norm, bias, up, up_bias, gate, down, scale):
    h = F.layer_norm(x, (x.shape[-1],), norm, bias)
    h = F.gelu(F.linear(h, up, up_bias)) * F.silu(F.linear(h, gate))
    return mean_square(F.rms_norm(F.linear(h, down), (8,), scale, 1e-6))


def relu_tanh_gelu(x, w, v):
    h = F.linear(torch.relu(F.linear(x, w)), v)
    # Written out, because torch-mlir's form of F.gelu has 0.797724 for sqrt(2 / pi).
    return mean_square(0.5 * h * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (h + 0.044715 * h ** 3))))


def embedding(tokens, weights, table):
    y = F.embedding(tokens, table)
    return (y * weights).sum(), y


def gathers(rows, columns, weights, x):
    y = torch.index_select(x, 0, rows) + x[rows] * weights + torch.gather(x, 1, columns)
    return mean_square(y)


def softmax(x, weights):
    y = F.softmax(x, -1) * weights
    return y.sum() + F.log_softmax(x, 0)[1].sum(), y


def attention(x, wq, wk, wv, wo):
    batch, tokens, features = x.shape
    q, k, v = (F.linear(x, w).reshape(batch, tokens, 2, features // 2).transpose(1, 2) for w in (wq, wk, wv))
    mask = torch.full((tokens, tokens), float("-inf"), dtype=x.dtype).triu(1)
    scores = F.softmax(q @ k.transpose(-1, -2) / (features // 2) ** 0.5 + mask, -1)
    return mean_square(F.linear((scores @ v).transpose(1, 2).reshape(batch, tokens, features), wo))


def scaled_dot_product_attention(q, k, v, weights):
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return (y * weights).sum(), y


def cross_entropy(x, targets, w):
    logits = F.linear(x, w)
    return F.cross_entropy(logits, targets), logits


def mean_square_error(x, target, w):
    y = F.linear(x, w)
    return ((y - target) ** 2).mean(), y


def max_pool(x, weights):
    # Not amax: torch-mlir writes it like max with an index, although torch divides its gradient among equal elements.
    y = F.max_pool2d(x, 3, 2, 1) * weights
    return (y ** 2).sum() + F.max_pool1d(x[0], 2).sum() + x.max(-1).values.sum() + x.min(1).values.sum(), y


def average_pool(x):
    y = F.avg_pool2d(x, 2) ** 2
    return (y.sum() + (F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) ** 2).sum() + F.adaptive_avg_pool2d(x, (1, 1)).sum()
            + (F.avg_pool1d(x[0], 3, 2, 1) ** 2).sum()), y


def convolution(x, w, b, v):
    return mean_square(F.conv2d(F.relu(F.conv2d(x, w, b, stride=2, padding=1)), v))


def convolution_1d(x, w, b, v):
    return mean_square(F.conv1d(F.conv1d(x, w, b, stride=2, padding=2, dilation=2), v))


def convolution_grouped(x, w, v):
    return mean_square(F.conv2d(F.conv2d(x, w, groups=2, padding=1, dilation=2), v, groups=6, padding=1))


def convolution_transposed(x, w):
    return mean_square(F.conv_transpose2d(x, w, stride=2, padding=1))


def elementwise(x, y):
    z = x ** 2 + x ** 3.0 + x ** 1 + x ** 0 + x.abs() * 0.5 + x.clamp(-0.5, 0.5) + torch.relu(x) + torch.maximum(x, y) + torch.minimum(x, y * y)
    z = z + (x.abs() + 0.5).sqrt() + (x * x + 1).rsqrt() + (y.abs() + 0.25) ** 0.5 + (y + 3) ** x + torch.log(y * y + 0.5) + y / (x * x + 2)
    z = z + F.leaky_relu(x + 0.1) + F.elu(y) + F.softplus(x) + F.sigmoid(y) + torch.sin(x) * torch.cos(y) + torch.erf(x) + torch.exp2(y) + torch.log1p(x * x)
    return (z * z).mean(), z


def batch_norm(x, mean, variance, weight, bias):
    y = F.batch_norm(x, mean.detach(), variance.detach(), weight, bias, False) + F.batch_norm(x, None, None, weight, bias, True)
    return mean_square(F.group_norm(y, 2, weight, bias))


def transformer_block(tokens, targets, table, norm1, wq, wk, wv, wo, norm2, gate, up, down, head):
    x = F.embedding(tokens, table)
    batch, length, features = x.shape
    h = F.rms_norm(x, (features,), norm1, 1e-6)
    q, k, v = (F.linear(h, w).reshape(batch, length, 2, features // 2).transpose(1, 2) for w in (wq, wk, wv))
    a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, length, features)
    x = x + F.linear(a, wo)
    h = F.rms_norm(x, (features,), norm2, 1e-6)
    x = x + F.linear(F.silu(F.linear(h, gate)) * F.linear(h, up), down)
    logits = F.linear(x, head)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)), logits


def real(*shape):
    return torch.randn(*shape) * 0.5


def tied(*shape):
    """Multiples of a quarter, including 0 and many equal ones."""
    return torch.randint(-4, 5, shape) * 0.25


def integers(below, *shape):
    return torch.randint(0, below, shape)


# Name, forward, inputs, parameters, and the parameters that nn.linear reads.
FORWARDS = [
    ("linear", linear, dict(x=real(4, 16), target=real(4, 8)), dict(w=real(8, 16), b=real(8)), "w"),
    ("bf16-linear", bf16_linear, dict(x=real(4, 16).bfloat16()), dict(w=real(8, 16).bfloat16()), "w"),
    ("mlp", mlp, dict(x=real(4, 16)), dict(norm=real(16) + 1, bias=real(16), up=real(32, 16), up_bias=real(32), gate=real(32, 16),
                                           down=real(8, 32), scale=real(8) + 1), "up gate down"),
    ("relu-gelu", relu_tanh_gelu, dict(x=real(4, 16)), dict(w=real(32, 16), v=real(8, 32)), "w v"),
    ("embedding", embedding, dict(tokens=torch.tensor([[3, 1, 3], [0, 9, 1]]), weights=real(2, 3, 8)), dict(table=real(10, 8)), ""),
    ("gathers", gathers, dict(rows=torch.tensor([5, 0, 5, 2]), columns=torch.tensor([[0, 4, 4, 1, 2]] * 4), weights=real(4, 5)),
     dict(x=real(6, 5)), ""),
    ("softmax", softmax, dict(x=tied(4, 8), weights=real(4, 8)), {}, ""),
    ("attention", attention, dict(x=real(2, 4, 16)), dict(wq=real(16, 16), wk=real(16, 16), wv=real(16, 16), wo=real(16, 16)), "wq wk wv wo"),
    ("sdpa", scaled_dot_product_attention, dict(q=real(1, 2, 4, 8), k=real(1, 2, 4, 8), v=real(1, 2, 4, 8), weights=real(1, 2, 4, 8)), {}, ""),
    ("cross-entropy", cross_entropy, dict(x=real(4, 16), targets=torch.tensor([3, 0, -100, 7])), dict(w=real(8, 16)), "w"),
    ("mean-square-error", mean_square_error, dict(x=real(4, 16), target=real(4, 8)), dict(w=real(8, 16)), "w"),
    ("max-pool", max_pool, dict(x=tied(1, 2, 8, 8), weights=real(1, 2, 4, 4)), {}, ""),
    ("average-pool", average_pool, dict(x=real(1, 2, 8, 8)), {}, ""),
    ("convolution", convolution, dict(x=real(2, 3, 8, 8)), dict(w=real(4, 3, 3, 3), b=real(4), v=real(2, 4, 2, 2)), ""),
    ("convolution-1d", convolution_1d, dict(x=real(2, 3, 16)), dict(w=real(4, 3, 3), b=real(4), v=real(2, 4, 1)), ""),
    ("convolution-grouped", convolution_grouped, dict(x=real(2, 4, 6, 6)), dict(w=real(6, 2, 3, 3), v=real(6, 1, 3, 3)), ""),
    ("convolution-transposed", convolution_transposed, dict(x=real(2, 4, 4, 4)), dict(w=real(4, 3, 3, 3)), ""),
    ("elementwise", elementwise, dict(x=tied(6, 8), y=tied(6, 8)), {}, ""),
    ("batch-norm", batch_norm, dict(x=real(2, 4, 4, 4), mean=real(4), variance=real(4).abs() + 0.5), dict(weight=real(4) + 1, bias=real(4)), ""),
    ("transformer-block", transformer_block,
     dict(tokens=torch.tensor([[3, 1, 3, 7], [0, 9, 1, 1]]), targets=torch.tensor([[1, 3, 7, 0], [9, 1, 1, 2]])),
     dict(table=real(10, 16), norm1=real(16) + 1, wq=real(16, 16), wk=real(16, 16), wv=real(16, 16), wo=real(16, 16),
          norm2=real(16) + 1, gate=real(32, 16), up=real(32, 16), down=real(16, 32), head=real(10, 16)),
     "wq wk wv wo gate up down head"),
]
