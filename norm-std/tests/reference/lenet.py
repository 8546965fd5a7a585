"""Two steps of LeNet-5 with batch norm by PyTorch on the CPU: `pip install torch && python lenet.py` writes lenet.bin.

Evaluated in float64 from weights and images that a formula gives (`value`, the same in lenet.rs and exact in float32),
so that only results are stored, little-endian and without a header:

- float64: the loss of both steps;
- float64: for each parameter after both steps, its products with two vectors of the formula;
- float64: running_mean and running_var of the four normalizers after both steps;
- float32: the gradients of the first step, in the order of `Module.parameters()`.
"""

import pathlib

import numpy as np
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
LR, MOMENTUM, ROWS = 0.05, 0.9, 6


def value(stream, n):
    """n numbers from -1 to 1, in steps of 2^-15: the high bits of a multiplicative hash (Knuth)."""
    i = np.arange(n, dtype=np.uint64) + np.uint64(stream * 1_000_003 + 1)
    hashed = (i * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    hashed = ((hashed ^ (hashed >> np.uint64(15))) * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    return torch.from_numpy((hashed >> np.uint64(16)).astype(np.float64) / 32768 - 1)


net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(400, 120), nn.BatchNorm1d(120), nn.ReLU(),
    nn.Linear(120, 84), nn.BatchNorm1d(84), nn.ReLU(),
    nn.Linear(84, 10),
)
norms = [m for m in net if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
scales = [id(m.weight) for m in norms]
with torch.no_grad():
    for stream, p in enumerate(net.parameters()):
        drawn = value(stream, p.numel()).reshape(p.shape)
        # An eighth is exact; the scales of the normalizers stay around 1.
        p.copy_(1 + drawn / 8 if id(p) in scales else drawn / 8)

optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM)
losses, gradients = [], []
for step in range(2):
    images = value(100 + step, ROWS * 784).reshape(ROWS, 1, 28, 28)
    labels = torch.arange(ROWS) * 7 % 10
    loss = nn.functional.cross_entropy(net(images), labels)
    optimizer.zero_grad()
    loss.backward()
    losses.append(loss.item())
    if step == 0:
        gradients = [p.grad.reshape(-1).clone() for p in net.parameters()]
    optimizer.step()

products = [
    value(200 + k, p.numel()) @ p.detach().reshape(-1) for p in net.parameters() for k in range(2)
]
running = [v for m in norms for v in (m.running_mean, m.running_var)]
wide = np.concatenate([losses, products, torch.cat(running).numpy()]).astype("<f8")
narrow = torch.cat(gradients).numpy().astype("<f4")
pathlib.Path(__file__).with_suffix(".bin").write_bytes(wide.tobytes() + narrow.tobytes())
print(f"losses {losses}, {len(wide)} doubles, {len(narrow)} gradients")
