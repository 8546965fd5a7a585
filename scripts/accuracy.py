#!/usr/bin/env python
"""Accuracy beside PyTorch: the same networks trained by both, over the same seeds. See accuracy.sh, which calls this.

    accuracy.py rates RESULTS      each method's best learning rate, by `norm run` on validation rows
    accuracy.py norm RESULTS       the runs of `norm train`
    accuracy.py pytorch RESULTS    the runs of PyTorch (needs torch and numpy)
    accuracy.py same RESULTS       losses step by step from the same weights on the same rows, by both
    accuracy.py start RESULTS      PyTorch trained from the weights that training begins with here
    accuracy.py export RESULTS     networks of ours, exported and loaded in PyTorch
    accuracy.py table RESULTS      Markdown on standard output

RESULTS is a file of JSON lines; what stands in it is not run again, so that a broken run goes on. The environment says
where things are: NORM (the program; `norm`), FASHION_MNIST_DIR, CIFAR_10_DIR; SEEDS (5); ONLY, such as
cifar-10/lenet5, for some of the settings, and METHODS, such as none,group, for some of the methods.
"""

import contextlib
import functools
import gzip
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ALL = ["none", "batch", "layer", "group", "weight", "synaptic"]
METHODS = os.environ["METHODS"].split(",") if os.environ.get("METHODS") else ALL
# Dataset/model. `rows` and `test`: the first so many training and test images of the files.
SETTINGS = {
    "fashion-mnist/lenet5": {"rows": 60000, "test": 10000, "epochs": 3, "batch": 128, "search_rows": 10000, "search_epochs": 2},
    "cifar-10/lenet5": {"rows": 50000, "test": 10000, "epochs": 3, "batch": 128, "search_rows": 10000, "search_epochs": 2},
    "cifar-10/rescnn": {"rows": 50000, "test": 10000, "epochs": 1, "batch": 64, "search_rows": 5000, "search_epochs": 2},
}
RATES = [0.01, 0.03, 0.1, 0.3]
# Of ten classes. Where the search gets to no more at any rate, it says nothing, and the smallest rate is taken.
ABOVE_CHANCE = 0.15
SEEDS = int(os.environ.get("SEEDS", "5"))
FOLDERS = {"fashion-mnist": "FASHION_MNIST_DIR", "cifar-10": "CIFAR_10_DIR"}
# Quantiles of Student's t at 97.5 %, by degrees of freedom; beyond the last, that is used.
T = [math.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
     2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042]
# Of the comparison from the same weights.
SAME_ROWS, SAME_STEPS = 128, 20
START = "cifar-10/lenet5"


def settings():
    only = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else list(SETTINGS)
    return [(name, *name.split("/"), SETTINGS[name]) for name in only]


def folder(dataset):
    try:
        return os.environ[FOLDERS[dataset]]
    except KeyError:
        sys.exit(f"{FOLDERS[dataset]} is not set: where are the files of {dataset}?")


@contextlib.contextmanager
def first_rows(dataset, rows, test):
    """What names for `norm` a folder with the first training and test images of the files, in the same layouts."""
    source = Path(folder(dataset))
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        if dataset == "fashion-mnist":
            for part, count in (("train", rows), ("t10k", test)):
                for kind, head in (("images-idx3", 16), ("labels-idx1", 8)):
                    raw = gzip.decompress((source / f"{part}-{kind}-ubyte.gz").read_bytes())
                    each = (len(raw) - head) // int.from_bytes(raw[4:8], "big")
                    cut = raw[:4] + count.to_bytes(4, "big") + raw[8 : head + count * each]
                    (place / f"{part}-{kind}-ubyte").write_bytes(cut)
            yield ["--dataset", f"idx:{place}"]
        else:
            source = source / "cifar-10-batches-bin" if (source / "cifar-10-batches-bin").is_dir() else source
            (place / "batches.meta.txt").symlink_to((source / "batches.meta.txt").resolve())
            parts = [(f"data_batch_{i + 1}.bin", rows - 10000 * i) for i in range(-(-rows // 10000))]
            for name, left in [*parts, ("test_batch.bin", test)]:
                (place / name).write_bytes((source / name).read_bytes()[: 3073 * left])
            yield ["--dataset", f"cifar:{place}"]


class Results:
    def __init__(self, path):
        self.path = Path(path)
        lines = self.path.read_text().splitlines() if self.path.is_file() else []
        self.rows = [json.loads(line) for line in lines]

    def add(self, row):
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), file=sys.stderr, flush=True)

    def of(self, **wanted):
        return [row for row in self.rows if all(row.get(key) == value for key, value in wanted.items())]

    def rate(self, setting, method):
        found = self.of(side="rate", setting=setting, method=method)
        return found[0]["lr"] if found else sys.exit(f"no rate of {method} in {setting}: `accuracy.py rates` first")


def norm(*args, read=True):
    """What the program writes as JSON; None if training diverged or PyTorch has no module for a method."""
    command = [os.environ.get("NORM", "norm"), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        known = "diverged", "PyTorch has no module"
        return None if any(text in done.stderr for text in known) else sys.exit(done.stderr)
    return json.loads(done.stdout) if read else done.stdout


def rates(results):
    for name, dataset, model, about in settings():
        methods = [method for method in METHODS if not results.of(side="rate", setting=name, method=method)]
        if not methods:
            continue
        with first_rows(dataset, about["rows"], about["test"]) as data:
            found = norm(
                "run", *data, "--model", model, "--method", ",".join(methods), "--lr", ",".join(map(str, RATES)),
                "--epochs", about["search_epochs"], "--train-rows", about["search_rows"],
                "--batch-size", about["batch"], "--seeds", 1, "--threads", 1, "--quiet", "--json",
            )
        for method in methods:
            tried = [tried for tried in found["comparison"]["tried"] if tried["method"] == method]
            run = next(run for run in found["comparison"]["runs"] if run["method"] == method)
            # As the program writes it: the shortest decimal of its float32.
            lr = min(RATES, key=lambda rate: abs(rate - run["lr"]))
            if max(t["accuracy"] for t in tried) < ABOVE_CHANCE:
                lr = RATES[0]
            accuracies = {f"{t['lr']:.2g}": round(100 * t["accuracy"], 2) for t in tried}
            results.add({"side": "rate", "setting": name, "method": method, "lr": lr, "validation": accuracies})


def runs(results, side, one):
    for seed in range(SEEDS):
        for name, dataset, model, about in settings():
            for method in METHODS:
                key = {"side": side, "setting": name, "method": method, "seed": seed}
                if not results.of(**key):
                    lr = results.rate(name, method)
                    accuracy, loss, seconds = one(dataset, model, method, seed, lr, about)
                    row = {**key, "lr": lr, "epochs": about["epochs"], "accuracy": accuracy, "loss": loss}
                    results.add({**row, "seconds": round(seconds, 1)})


def train(data, model, method, seed, lr, epochs, batch, out):
    return norm(
        "train", *data, "--model", model, "--method", method, "--lr", lr, "--epochs", epochs,
        "--batch-size", batch, "--seed", seed, "--validation", 0, "--init", "kaiming",
        "--threads", 1, "--out", out, "--quiet", "--json",
    )


def of_norm(dataset, model, method, seed, lr, about):
    with tempfile.TemporaryDirectory() as place, first_rows(dataset, about["rows"], about["test"]) as data:
        done = train(data, model, method, seed, lr, about["epochs"], about["batch"], Path(place) / "model.ckpt")
    if done is None:
        return None, None, 0.0
    times = [epoch["train"]["time"] for epoch in done["history"]]
    return done["test"]["accuracy"], done["test"]["loss"], sum(t["secs"] + t["nanos"] / 1e9 for t in times)


def of_pytorch():
    import torch

    import accuracy_torch

    torch.set_num_threads(1)
    loaded = {}

    def one(dataset, model, method, seed, lr, about):
        key = dataset, about["rows"], about["test"]
        if key not in loaded:
            loaded[key] = accuracy_torch.Data(*key, folder(dataset))
        return accuracy_torch.train(loaded[key], model, method, seed, lr, about["epochs"], about["batch"])

    return one


def same(results):
    import accuracy_same
    import accuracy_torch

    for model, dataset, lr in (("lenet5", "cifar-10", 0.03), ("rescnn", "cifar-10", 0.01)):
        rows = accuracy_torch.Data(dataset, SAME_ROWS, 1, folder(dataset))
        for method in accuracy_same.METHODS:
            key = {"side": "same", "model": model, "method": method}
            if not results.of(**key):
                with first_rows(dataset, SAME_ROWS, 1) as data:
                    first, last, apart = accuracy_same.compare(norm, train, data, rows, model, method, lr, SAME_STEPS)
                results.add({**key, "lr": lr, "steps": SAME_STEPS, "first": first, "last": last, "apart": apart})


def start(results):
    import accuracy_same
    import accuracy_torch

    # Nothing where the environment leaves that setting out.
    if not any(name == START for name, *_ in settings()):
        return
    name, (dataset, model), about = START, START.split("/"), SETTINGS[START]
    loaded = None
    for row in results.of(side="norm", setting=name, method="none"):
        key = {"side": "start", "setting": name, "method": "none", "seed": row["seed"]}
        if results.of(**key):
            continue
        loaded = loaded or accuracy_torch.Data(dataset, about["rows"], about["test"], folder(dataset))
        with first_rows(dataset, SAME_ROWS, 1) as data:
            weights = accuracy_same.initial(norm, train, data, SAME_ROWS, model, "none", row["seed"])
        # Another seed, for another order than that of PyTorch's own run.
        training = (row["seed"] + 1000, row["lr"], about["epochs"], about["batch"])
        begin = functools.partial(accuracy_same.load, weights)
        results.add({**key, "accuracy": accuracy_torch.train(loaded, model, "none", *training, begin)[0]})


def export(results):
    import accuracy_export
    import accuracy_torch

    for model, dataset, rows, lr in (("lenet5", "fashion-mnist", 2000, 0.03), ("rescnn", "cifar-10", 600, 0.01)):
        images = accuracy_torch.Data(dataset, 1, 200, folder(dataset)).test[0].numpy() / 255
        for method in accuracy_export.METHODS:
            key = {"side": "export", "model": model, "method": method}
            if results.of(**key):
                continue
            with first_rows(dataset, rows, 200) as data:
                for folded, apart, same in accuracy_export.compare(norm, data, images, model, method, lr):
                    results.add({**key, "folded": folded, "log_probability": apart, "same_class": same})


# ---------------------------------------------------------------- the table


def quantile(freedom):
    return T[min(int(freedom), len(T) - 1)]


def half_width(values):
    return quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))


def difference(a, b):
    """Of the means, and half of its 95 % interval (Welch)."""
    parts = [statistics.variance(v) / len(v) for v in (a, b)]
    total = sum(parts)
    freedom = total**2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, (a, b))) if total else 1
    return statistics.mean(a) - statistics.mean(b), quantile(freedom) * math.sqrt(total)


PAGE = """# Accuracy beside PyTorch

Do networks trained here reach the accuracy of the same networks trained by PyTorch, with each method?

```
FASHION_MNIST_DIR=DIR CIFAR_10_DIR=DIR scripts/accuracy.sh
```

trains both and writes this page; the raw results stand in accuracy.jsonl. Both sides have the same architecture, the same
initialization (normal, variance 2 / inputs, biases 0), SGD with momentum 0.9, a cosine schedule, batches and epochs, and the
same rate for each method: its best of {rates} in a short search by `norm run` on validation rows (trained on {search}), or the smallest where none got beyond 15 %. Weights
and the order of rows are drawn by each side on its own, so single runs differ, and only means over seeds can be compared.
Batch, layer, group and weight norm are PyTorch's own modules. Synaptic scaling is written out in plain PyTorch
(`scripts/accuracy_torch.py`) from its definition: an independent check of the rule, with centering, compensation between layers,
calibration and bounded plasticity.

Test accuracy is that after the last epoch, mean over seeds ± half of its 95 % interval
(Student's t); the difference is ours less PyTorch's, with its own interval (Welch). Training is short, to
compare and not to reach the best; where the rate is at the edge of what trains, as for no method and weight norm on CIFAR-10,
seeds differ so much that the comparison says little. Group norm and no method were below PyTorch's on CIFAR-10 with the first five seeds, so both have
more there (METHODS=none,group SEEDS=25, for the residual network SEEDS=15). Of group norm no difference is left. Without a method one is; it comes
of the weights that were drawn, not of training (see below). The images of CIFAR-10 are a copy that went through JPEG once more: accuracies compare only with
runs on the same copy."""


SAME = f"""Whether the two differ in anything but chance: from the same initial weights, both take {SAME_STEPS} steps on the first {SAME_ROWS} images of CIFAR-10 as one
batch. The largest difference of the loss before any step; rounding grows along the way."""


START_TEXT = """
## A whole training from the same weights

LeNet-5 without a method on CIFAR-10 comes out below PyTorch's by more than chance seems to allow. Is it in training, or in the weights
that were drawn? PyTorch was trained from the weights that each of our {seeds} runs began with, with rows in an order of its own. Test accuracy:

| drawn here, trained here | drawn here, trained by PyTorch | drawn and trained by PyTorch |
|---|---|---|
| {norm} | {start} | {pytorch} |

Seed by seed ours less PyTorch from our weights is {apart}, and both are correlated by {norm_and_start} (ours and PyTorch's own: {norm_and_pytorch}): how
good a run gets is settled by the weights it starts with, whoever trains it.
"""


EXPORT = """
## The same network in PyTorch

What `norm export --format safetensors` writes of a network trained for one epoch, as it is or folded into plain weights, is loaded by
PyTorch (`norm-std/tests/reference/sequential.py`), and both infer 200 test images. The largest difference of log probability,
over classes of a probability above 10⁻⁶; – where PyTorch has no module for the method.
"""


def what(about):
    rows, batch, epochs = about["rows"], about["batch"], about["epochs"]
    steps = epochs * math.ceil(rows / batch)
    return f"The first {rows:,} training and {about['test']:,} test images; epochs: {epochs}, batches of {batch}, {steps} steps."


def table(results):
    compared, apart = 0, []
    search = (f"{about['search_rows'] * 4 // 5:,} rows in {name}, epochs: {about['search_epochs']}" for name, *_, about in settings())
    print(PAGE.format(rates=", ".join(map(str, RATES)), search="; ".join(search)))
    for name, dataset, model, about in settings():
        print(f"\n## {model} on {dataset}\n")
        print(what(about) + "\n")
        if not results.of(side="pytorch", setting=name):
            print("Not run yet: `scripts/accuracy.sh` goes on where it stopped.")
            continue
        print("| method | rate | norm, test % | PyTorch, test % | difference | seeds |")
        print("|---|---|---|---|---|---|")
        for method in ALL:
            sides = [results.of(side=side, setting=name, method=method) for side in ("norm", "pytorch")]
            seeds = set.intersection(*({row["seed"] for row in rows} for rows in sides))
            rows = [[row for row in side if row["seed"] in seeds] for side in sides]
            good = [[100 * row["accuracy"] for row in side if row["accuracy"] is not None] for side in rows]
            if min(map(len, good)) < 2:
                print(f"| {method} | {results.rate(name, method)} | – | – | – | {len(seeds)} |")
                continue
            cells = [f"{statistics.mean(values):.2f} ± {half_width(values):.2f}" for values in good]
            for i, (values, side) in enumerate(zip(good, rows)):
                lost = len(side) - len(values)
                cells[i] += f" ({lost} diverged)" if lost else ""
            d, half = difference(*good)
            compared += 1
            if abs(d) > half:
                apart.append(f"{method} in {name}")
            print(f"| {method} | {results.rate(name, method)} | {cells[0]} | {cells[1]} | {d:+.2f} ± {half:.2f} | {len(seeds)} |")
    print(f"\nOf {compared} differences {len(apart)} are beyond their 95 % interval", end="")
    print(f" ({', '.join(apart)})" if apart else "", end="")
    print(f"; by chance {0.05 * compared:.1f} would be.")
    same_losses(results)
    from_our_start(results)
    exported(results)


def same_losses(results):
    rows = results.of(side="same")
    if not rows:
        return
    print(f"\n## The same weights, step by step\n\n{SAME}\n")
    print(f"| model | method | rate | loss at first | after {SAME_STEPS} steps | largest difference |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        losses = " | ".join(f"{row[name]:.4f}" for name in ("first", "last"))
        print(f"| {row['model']} | {row['method']} | {row['lr']} | {losses} | {row['apart']:.1e} |")


def from_our_start(results):
    rows = results.of(side="start")
    if len(rows) < 3:
        return
    sides = {side: {row["seed"]: row for row in results.of(side=side, setting=START, method="none")} for side in ("norm", "pytorch")}
    seeds = [row["seed"] for row in rows]
    accuracy = {side: [100 * of[seed]["accuracy"] for seed in seeds] for side, of in sides.items()}
    start = [100 * row["accuracy"] for row in rows]
    apart = [a - b for a, b in zip(accuracy["norm"], start)]
    mean = {side: f"{statistics.mean(of):.2f} ± {half_width(of):.2f}" for side, of in {**accuracy, "start": start}.items()}
    print(START_TEXT.format(
        seeds=len(seeds), **mean, apart=f"{statistics.mean(apart):+.2f} ± {half_width(apart):.2f}",
        norm_and_start=f"{statistics.correlation(accuracy['norm'], start):.2f}",
        norm_and_pytorch=f"{statistics.correlation(accuracy['norm'], accuracy['pytorch']):.2f}",
    ))


def exported(results):
    rows = results.of(side="export")
    if not rows:
        return
    print(EXPORT)
    print("| model | method | as it is | folded |")
    print("|---|---|---|---|")
    for model, method in dict.fromkeys((row["model"], row["method"]) for row in rows):
        cells = []
        for folded in (False, True):
            found = results.of(side="export", model=model, method=method, folded=folded)
            cells.append(f"{found[0]['log_probability']:.1e}" if found else "–")
        print(f"| {model} | {method} | {cells[0]} | {cells[1]} |")
    print(f"\nThe least share of images with the same class: {100 * min(row['same_class'] for row in rows):.1f} %.")


def main():
    steps = {
        "rates": rates,
        "norm": lambda results: runs(results, "norm", of_norm),
        "pytorch": lambda results: runs(results, "pytorch", of_pytorch()),
        "same": same,
        "start": start,
        "export": export,
        "table": table,
    }
    if len(sys.argv) != 3 or sys.argv[1] not in steps:
        sys.exit(__doc__)
    steps[sys.argv[1]](Results(sys.argv[2]))


if __name__ == "__main__":
    main()
