"""LeNet-5 and the residual network in plain PyTorch, with each method as PyTorch has it, and synaptic scaling written out.

Nothing of ours is used: files are read, standardized, shuffled and trained on here. What is the same on both sides is
the architecture, the initialization (normal, variance 2 / inputs, biases 0), the optimizer (SGD, momentum 0.9), the
cosine schedule, the batch size and the number of epochs.
"""

import gzip
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

TAU = 1000.0
CALIBRATION = 128


# ---------------------------------------------------------------- data


def idx(path):
    raw = gzip.decompress(path.read_bytes())
    dims = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)


def fashion_mnist(folder):
    def part(name):
        x, y = (idx(Path(folder) / f"{name}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
        return x[:, None], y

    return part("train"), part("t10k")


def cifar_10(folder):
    folder = Path(folder)
    folder = folder / "cifar-10-batches-bin" if (folder / "cifar-10-batches-bin").is_dir() else folder

    def part(names):
        raw = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, 3073) for name in names])
        return raw[:, 1:].reshape(-1, 3, 32, 32), raw[:, 0]

    return part([f"data_batch_{i}.bin" for i in range(1, 6)]), part(["test_batch.bin"])


class Data:
    """Pixels as they are in the files, standardized per channel by the training rows as a batch is taken.

    `rows` and `test_rows` are the numbers of images, the first of the files.
    """

    def __init__(self, name, rows, test_rows, folder):
        (x, y), (test_x, test_y) = {"fashion-mnist": fashion_mnist, "cifar-10": cifar_10}[name](folder)
        x, y, test_x, test_y = x[:rows], y[:rows], test_x[:test_rows], test_y[:test_rows]
        levels = np.arange(256) / 255
        mean, std = [], []
        for channel in range(x.shape[1]):
            share = np.bincount(x[:, channel].ravel(), minlength=256) / x[:, channel].size
            mean.append((share * levels).sum())
            std.append(math.sqrt((share * (levels - mean[-1]) ** 2).sum()))
        self.mean, self.std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (mean, std))
        self.train, self.test = ((torch.from_numpy(x.copy()), torch.from_numpy(y.astype(np.int64)))
                                 for x, y in ((x, y), (test_x, test_y)))

    def batch(self, rows, indices):
        x, y = rows
        return (x[indices].float() / 255 - self.mean) / self.std, y[indices]


# ---------------------------------------------------------------- synaptic scaling


class Scaled(nn.Module):
    """A linear layer or convolution under synaptic scaling: z = s (W * (x - m)) + b.

    One slow gain s for each neuron (output channel), one slow mean m for each input (channel), both constants to
    back-propagation. After each step
        m     += a (mean x - m)
        log s -= log(1 + a (mean z^2 - 1)) / 2,    a = n / (n + min(seen + 16, tau))
    and both then give back the mean change of the log gains of the layer before.
    """

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.register_buffer("mean", torch.zeros(layer.weight.shape[1]))
        self.register_buffer("log_gain", torch.zeros(layer.weight.shape[0]))
        self.seen, self.calibrating = 0, False

    def drive(self, x):
        w = self.layer.weight
        w = w * self.log_gain.exp().view(-1, *[1] * (w.dim() - 1))
        x = x - self.mean.view(1, -1, *[1] * (x.dim() - 2))
        if isinstance(self.layer, nn.Linear):
            return F.linear(x, w, self.layer.bias)
        return F.conv2d(x, w, self.layer.bias, self.layer.stride, self.layer.padding)

    @staticmethod
    def over(values):
        return [axis for axis in range(values.dim()) if axis != 1]

    def forward(self, x):
        if self.calibrating:
            self.mean = x.mean(self.over(x))
            z = self.drive(x)
            self.log_gain = self.log_gain - 0.5 * z.square().mean(self.over(z)).log()
            self.seen += len(x)
        z = self.drive(x)
        if self.training:
            self.saw = x.detach(), z.detach()
        return z

    def observe(self, change):
        x, z = self.saw
        n = len(x)
        a = n / (n + min(self.seen + 16, TAU))
        self.mean = self.mean + a * (x.mean(self.over(x)) - self.mean)
        step = -0.5 * torch.log1p(a * (z.square().mean(self.over(z)) - 1))
        step = step.clamp(-2 * math.log(2), 2 * math.log(2))
        self.log_gain = self.log_gain + step - change
        self.mean = self.mean * math.exp(change)
        self.seen += n
        return step.mean().item()


def observe(module, change):
    """Lets the gains of a network follow its last step; the mean change of log gain that arrives behind the module."""
    if isinstance(module, Scaled):
        return module.observe(change)
    if isinstance(module, nn.Sequential):
        for part in module:
            change = observe(part, change)
        return change
    if isinstance(module, Residual):
        observe(module.body, change)
        observe(module.shortcut, change)
        return 0.0
    return change


@torch.no_grad()
def bound_plasticity(net, bound):
    """Limits the gradient of each neuron's weights to the fraction `bound` of their norm (Brock et al. 2021)."""
    for p in net.parameters():
        if p.dim() > 1:
            norm, grad = p.flatten(1).norm(dim=1), p.grad.flatten(1).norm(dim=1)
            factor = (bound * norm.clamp(min=1e-3) / grad).clamp(max=1.0).nan_to_num(1.0)
            p.grad.mul_(factor.view(-1, *[1] * (p.dim() - 1)))


# ---------------------------------------------------------------- networks


def initialized(layer):
    nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.weight[0].numel()))
    nn.init.zeros_(layer.bias)
    return layer


def neurons(method, layer, side=None):
    """The drive of a layer with a method; `side` of the image behind a convolution."""
    layer, n = initialized(layer), layer.weight.shape[0]
    if method == "batch":
        return nn.Sequential(layer, nn.BatchNorm1d(n) if side is None else nn.BatchNorm2d(n))
    if method == "layer":
        return nn.Sequential(layer, nn.LayerNorm(n if side is None else (n, side, side)))
    if method == "group":
        return nn.Sequential(layer, nn.GroupNorm(next(g for g in (4, 3, 2, 1) if n % g == 0), n))
    if method == "weight":
        return nn.utils.parametrizations.weight_norm(layer)
    return Scaled(layer) if method == "synaptic" else layer


def lenet5(method, channels, side):
    padding = 2 if side < 32 else 0
    first = side + 2 * padding - 4
    second = first // 2 - 4
    return nn.Sequential(
        neurons(method, nn.Conv2d(channels, 6, 5, padding=padding), first), nn.ReLU(), nn.MaxPool2d(2),
        neurons(method, nn.Conv2d(6, 16, 5), second), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        neurons(method, nn.Linear(16 * (second // 2) ** 2, 120)), nn.ReLU(),
        neurons(method, nn.Linear(120, 84)), nn.ReLU(),
        initialized(nn.Linear(84, 10)),
    )


class Residual(nn.Module):
    def __init__(self, method, inputs, channels, side, stride):
        super().__init__()
        self.body = nn.Sequential(
            neurons(method, nn.Conv2d(inputs, channels, 3, stride, padding=1), side), nn.ReLU(),
            neurons(method, nn.Conv2d(channels, channels, 3, padding=1), side),
        )
        same = inputs == channels and stride == 1
        projection = nn.Identity() if same else neurons(method, nn.Conv2d(inputs, channels, 1, stride), side)
        self.shortcut = projection

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def rescnn(method, channels, side):
    return nn.Sequential(
        neurons(method, nn.Conv2d(channels, 16, 3, padding=1), side), nn.ReLU(),
        Residual(method, 16, 16, side, 1), Residual(method, 16, 16, side, 1),
        Residual(method, 16, 32, side // 2, 2), Residual(method, 32, 32, side // 2, 1),
        Residual(method, 32, 64, side // 4, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), initialized(nn.Linear(64, 10)),
    )


# ---------------------------------------------------------------- training


@torch.no_grad()
def calibrate(net, x):
    scaled = [module for module in net.modules() if isinstance(module, Scaled)]
    if not scaled:
        return
    for module in scaled:
        module.calibrating = True
    net(x)
    for module in scaled:
        module.calibrating = False


@torch.no_grad()
def evaluate(net, data):
    net.eval()
    n, loss, correct = len(data.test[1]), 0.0, 0
    for rows in torch.arange(n).split(250):
        x, y = data.batch(data.test, rows)
        z = net(x)
        loss += F.cross_entropy(z, y, reduction="sum").item()
        correct += (z.argmax(1) == y).sum().item()
    return correct / n, loss / n


NETWORKS = {"lenet5": lenet5, "rescnn": rescnn}


def cosine_step(optimizer, lr, step, steps):
    """One step of the optimizer at the rate of a cosine schedule."""
    optimizer.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / steps))
    optimizer.step()


def train(data, model, method, seed, lr, epochs, batch_size, begin=None):
    """Of a network drawn from the seed, unless `begin` gives it other weights: accuracy and loss on the test rows, and the seconds of training; no accuracy if training diverged."""
    torch.manual_seed(seed)
    n, channels, side, _ = data.train[0].shape
    net = NETWORKS[model](method, channels, side)
    if begin:
        begin(net)
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    step, steps = 0, epochs * math.ceil(n / batch_size)
    start = time.perf_counter()
    for epoch in range(epochs):
        order = torch.randperm(n)
        if epoch == 0:
            calibrate(net, data.batch(data.train, order[:CALIBRATION])[0])
        for rows in order.split(batch_size):
            x, y = data.batch(data.train, rows)
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x), y)
            if not loss.isfinite():
                return None, None, time.perf_counter() - start
            loss.backward()
            if method == "synaptic":
                bound_plasticity(net, 1 / math.sqrt(batch_size))
            cosine_step(optimizer, lr, step, steps)
            with torch.no_grad():
                observe(net, 0.0)
            step += 1
    seconds = time.perf_counter() - start
    return *evaluate(net, data), seconds
