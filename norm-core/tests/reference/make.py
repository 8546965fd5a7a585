"""Reference values by PyTorch on the CPU: `pip install torch && python make.py > pytorch.json`.

Everything is evaluated in float64, on inputs that float32 holds exactly, so that one file serves both types. Means are
a few deviations at most: with larger ones, and in rows of one element, PyTorch itself loses digits.
Each case: the arguments, the output, and the gradients under a random upstream gradient `dy`.
"""

import json
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
cases = []


def drawn(*shape, mean=0.0, std=1.0):
    return (torch.randn(*shape) * std + mean).to(torch.float32).to(torch.float64)


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.detach().reshape(-1).tolist()
    return value


def case(method, f, x, weight=None, bias=None, **more):
    """One call of `f(x, weight, bias)` and its gradients."""
    leaves = [None if t is None else t.clone().requires_grad_() for t in (x, weight, bias)]
    y = f(*leaves)
    dy = drawn(*y.shape, mean=0.5)
    y.backward(dy)
    grads = {f"d{n}": t.grad for n, t in zip(("x", "weight", "bias"), leaves) if t is not None}
    given = dict(x=x, weight=weight, bias=bias, y=y, dy=dy, **grads, **more)
    cases.append(dict(method=method, shape=list(x.shape)) | {k: plain(v) for k, v in given.items() if v is not None})


# [rows, channels, positions]: dense layers, one row, one channel, and planes as after a convolution.
dense = [(5, 7), (1, 6), (4, 2), (2, 130)]
planes = [(2, 4, 3, 3), (1, 6, 2, 1), (3, 1, 5, 2)]

for shape in dense:
    for eps, mean in [(1e-5, 0.0), (1e-3, 3.0)]:
        affine = drawn(shape[1], mean=1.0), drawn(shape[1])
        case("layer", lambda x, w, b: F.layer_norm(x, shape[1:], w, b, eps), drawn(*shape, mean=mean), *affine, eps=eps)
        case("rms", lambda x, w, b: F.rms_norm(x, shape[1:], w, eps), drawn(*shape, mean=mean), affine[0], eps=eps)

for shape in planes + [(5, 6)]:
    channels = shape[1]
    for groups in (1, 2, channels)[: len(shape) - 1]:
        if channels % groups == 0:
            affine = drawn(channels, mean=1.0), drawn(channels)
            f = lambda x, w, b: F.group_norm(x, groups, w, b, 1e-5)
            case("group", f, drawn(*shape, mean=2.0), *affine, eps=1e-5, groups=groups)

for shape in planes:
    affine = drawn(shape[1], mean=1.0), drawn(shape[1])
    f = lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-5)
    case("instance", f, drawn(*shape, mean=2.0), *affine, eps=1e-5)

# Training, with the running statistics after each of three batches, then the inference form on one more.
for shape in [(5, 7), (4, 1), (2, 3)] + planes:
    channels = shape[1]
    kind = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    norm = kind(channels, eps=1e-5, momentum=0.1)
    with torch.no_grad():
        norm.weight.copy_(drawn(channels, mean=1.0))
        norm.bias.copy_(drawn(channels))
    for t in range(3):
        f = lambda x, w, b: torch.func.functional_call(norm, dict(weight=w, bias=b), (x,))
        before = dict(mean_before=norm.running_mean.clone(), var_before=norm.running_var.clone())
        x = drawn(*shape, mean=3.0 * t, std=1.0 + t)
        case("batch", f, x, norm.weight.detach(), norm.bias.detach(), eps=1e-5, momentum=0.1, **before)
        cases[-1] |= dict(mean_after=plain(norm.running_mean), var_after=plain(norm.running_var))
    norm.eval()
    state = dict(mean_before=norm.running_mean.clone(), var_before=norm.running_var.clone())
    case("batch-eval", f, drawn(*shape, mean=3.0), norm.weight.detach(), norm.bias.detach(), eps=1e-5, **state)

for shape in dense:
    f = lambda v, g, b: torch._weight_norm(v, g.reshape(-1, 1), 0)
    case("weight", f, drawn(*shape, mean=0.3), drawn(shape[0], mean=1.0))

case("selu", lambda x, w, b: F.selu(x), drawn(4, 9, std=3.0))

# One case a line: short, and a change shows in a diff.
print(json.dumps(dict(torch=torch.__version__, dtype="float64"))[:-1] + ', "cases": [')
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]}")
print(f"{len(cases)} cases", file=sys.stderr)
