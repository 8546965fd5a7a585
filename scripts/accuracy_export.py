"""The same trained network here and in PyTorch: what `norm export --format safetensors` writes, loaded there."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SEQUENTIAL = Path(__file__).parent.parent / "norm-std/tests/reference/sequential.py"
METHODS = ["none", "batch", "layer", "group", "instance", "rms", "weight", "synaptic", "triesch", "weight-std", "weight+batch"]
IMAGES = 200


def log_softmax(logits):
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def compare(norm, data, test_images, model, method, lr):
    """Yields (folded or not, largest difference of log probability, share of the same class); none without a module."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        kept, images, file = place / "model.ckpt", place / "x.npy", place / "model.safetensors"
        np.save(images, test_images[:IMAGES])
        # So that no number is what it starts with.
        norm("train", *data, "--model", model, "--method", method, "--lr", lr, "--epochs", 1, "--validation", 0,
             "--out", kept, "--quiet", "--json")
        norm("predict", kept, "--input", images, "--output", place / "p.npy", read=False)
        ours = np.log(np.load(place / "p.npy").astype(np.float64))
        for folded in (False, True):
            flags = ["--folded"] if folded else []
            if norm("export", kept, "--format", "safetensors", *flags, "--output", file, read=False) is None:
                continue
            there = subprocess.run([sys.executable, SEQUENTIAL, file, images], capture_output=True, text=True, check=True)
            theirs = log_softmax(np.loadtxt(there.stdout.splitlines(), delimiter=","))
            likely = ours > np.log(1e-6)
            same = (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()
            yield folded, float(np.abs(ours - theirs)[likely].max()), float(same)
