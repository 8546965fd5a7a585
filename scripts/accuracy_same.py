"""Losses step by step of the same network here and in PyTorch: the same initial weights, and the same rows as the whole batch."""

import re
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import accuracy_torch

ROWS = 128
STEPS = 20
# Whose parameters are the same tensors on both sides.
METHODS = ["none", "batch", "layer", "group"]


def place(name):
    """Where a tensor stands in the network: numbers, a block's body before its shortcut, a layer before its method."""
    return [int(part) if part.isdigit() else part != "body" for part in re.findall(r"\d+|body|shortcut", name)]


def losses_here(norm, data, model, method, lr, folder):
    """The initial weights, and the loss before each step."""
    common = [
        "train", *data, "--model", model, "--method", method, "--batch-size", ROWS, "--seed", 0, "--validation", 0,
        "--init", "kaiming", "--threads", 1, "--quiet", "--json",
    ]
    norm(*common, "--lr", 1e-12, "--epochs", 1, "--out", folder / "start.ckpt")
    weights = folder / "start.safetensors"
    norm("export", folder / "start.ckpt", "--format", "safetensors", "--output", weights, read=False)
    done = norm(*common, "--lr", lr, "--epochs", STEPS, "--out", folder / "end.ckpt")
    return load_file(weights), [epoch["train"]["loss"] for epoch in done["history"]]


def losses_there(rows, weights, model, method, lr):
    net = accuracy_torch.NETWORKS[model](method, *rows.train[0].shape[1:3])
    own = net.state_dict()
    for kind in ("weight", "bias"):
        ours = sorted((name for name in weights if name.endswith(kind)), key=place)
        for name, other in zip((name for name in own if name.endswith(kind)), ours, strict=True):
            own[name] = weights[other].view(own[name].shape)
    net.load_state_dict(own)
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    x, y = rows.batch(rows.train, torch.arange(ROWS))
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        accuracy_torch.cosine_step(optimizer, lr, step, STEPS)
        losses.append(loss.item())
    return losses


def compare(norm, data, rows, model, method, lr):
    """The first and last loss here, and the largest difference to PyTorch's."""
    with tempfile.TemporaryDirectory() as folder:
        weights, ours = losses_here(norm, data, model, method, lr, Path(folder))
    theirs = losses_there(rows, weights, model, method, lr)
    return ours[0], ours[-1], max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
