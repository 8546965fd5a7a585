"""Networks of PyTorch on the CPU: `pip install torch && python sequential.py` writes lenet-batch.safetensors and mlp-layer.safetensors.

The metadata of each has `x`, some inputs, and `logits`, what PyTorch makes of them. With arguments it reads a file
of ours instead: `python sequential.py FILE X.npy` makes the network that the file describes, loads the tensors into it
and prints its logits of the standardized inputs as a line of numbers a row. The format is written and read here by hand: it is small.
"""

import json
import pathlib
import struct
import sys

import numpy as np
import torch
from torch import nn


def save(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        dtype = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    raw = pathlib.Path(path).read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + n])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, about in header.items():
        first, last = about["data_offsets"]
        dtype = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}[about["dtype"]]
        values = np.frombuffer(raw[8 + n + first : 8 + n + last], dtype).reshape(about["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, metadata


class Residual(nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def ours(path, inputs):
    tensors, metadata = load(path)
    net = eval(metadata["pytorch"], {"nn": nn, "Residual": Residual}).eval()
    net.load_state_dict(tensors, strict=True)
    x = np.load(inputs).astype(np.float32)
    scale = json.loads(metadata["standardize"])
    mean, factor = (np.repeat(np.float32(scale[key]), scale["group"]) for key in ("mean", "scale"))
    flat = (x.reshape(len(x), -1) - mean) * factor
    with torch.no_grad():
        for row in net(torch.from_numpy(flat.reshape(x.shape))):
            print(",".join(repr(float(v)) for v in row))


def reference():
    torch.manual_seed(1)
    lenet = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16, 120), nn.BatchNorm1d(120), nn.ReLU(),
        nn.Linear(120, 84), nn.BatchNorm1d(84), nn.ReLU(), nn.Linear(84, 3),
    )
    mlp = nn.Sequential(nn.Linear(5, 12), nn.LayerNorm(12), nn.Tanh(), nn.Linear(12, 3))
    for name, net, shape in [("lenet-batch", lenet, (4, 1, 12, 12)), ("mlp-layer", mlp, (4, 5))]:
        with torch.no_grad():
            for p in net.parameters():
                p.add_(0.1 * torch.randn_like(p))
        for _ in range(3):
            net(1 + torch.randn(32, *shape[1:]))
        net.eval()
        x = torch.randn(shape)
        # As an attribute of a module has it.
        tensors = {f"net.{key}": value for key, value in net.state_dict().items()}
        folder = pathlib.Path(__file__).parent
        with torch.no_grad():
            logits = net(x).flatten().tolist()
        values = {"x": json.dumps(x.flatten().tolist()), "logits": json.dumps(logits)}
        save(folder / f"{name}.safetensors", tensors, values)


if len(sys.argv) > 1:
    ours(*sys.argv[1:])
else:
    reference()
