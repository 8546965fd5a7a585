"""Losses step by step of the same network here and in PyTorch: the same initial weights, and the same rows as the whole batch."""

import re
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import accuracy_torch

# Whose parameters are the same tensors on both sides.
METHODS = ["none", "batch", "layer", "group"]


def place(name):
    """Where a tensor stands in the network: numbers, a block's body before its shortcut, a layer before its method."""
    return [int(part) if part.isdigit() else part != "body" for part in re.findall(r"\d+|body|shortcut", name)]


def initial(norm, train, data, size, model, method, seed):
    """The weights that training begins with here, of one step at a rate too small to change them."""
    with tempfile.TemporaryDirectory() as folder:
        start, weights = Path(folder) / "start.ckpt", Path(folder) / "start.safetensors"
        train(data, model, method, seed, 1e-12, 1, size, start)
        norm("export", start, "--format", "safetensors", "--output", weights, read=False)
        return load_file(weights)


def losses_here(train, data, size, model, method, lr, steps):
    """The loss before each step."""
    with tempfile.TemporaryDirectory() as folder:
        done = train(data, model, method, 0, lr, steps, size, Path(folder) / "end.ckpt")
    return [epoch["train"]["loss"] for epoch in done["history"]]


def load(weights, net):
    """Weights from here into the network there."""
    own = net.state_dict()
    for kind in ("weight", "bias"):
        ours = sorted((name for name in weights if name.endswith(kind)), key=place)
        for name, other in zip((name for name in own if name.endswith(kind)), ours, strict=True):
            own[name] = weights[other].view(own[name].shape)
    net.load_state_dict(own)


def losses_there(rows, weights, model, method, lr, steps):
    net = accuracy_torch.NETWORKS[model](method, *rows.train[0].shape[1:3])
    load(weights, net)
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    x, y = rows.batch(rows.train, torch.arange(len(rows.train[1])))
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        accuracy_torch.cosine_step(optimizer, lr, step, steps)
        losses.append(loss.item())
    return losses


def compare(norm, train, data, rows, model, method, lr, steps):
    """The first and last loss here, and the largest difference to PyTorch's."""
    size = len(rows.train[1])
    weights = initial(norm, train, data, size, model, method, 0)
    ours = losses_here(train, data, size, model, method, lr, steps)
    theirs = losses_there(rows, weights, model, method, lr, steps)
    return ours[0], ours[-1], max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
