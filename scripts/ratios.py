#!/usr/bin/env python
"""Ratios to the fastest peer, and the goals, from the JSON lines of bench.sh: ratios.py [--into PAGE.md] FILE...

Markdown on standard output, or in place of what stands in the page below its line `<!-- tables -->`. Of several lines of one peer for one workload the fastest counts, on our side as on the
peers'. A ratio above 1 says that ours is faster. Lines of ours have the peer `norm`.
"""

import contextlib
import io
import json
import math
import sys

KEYS = ("op", "pass", "net", "norm", "shape", "threads")


def load(paths):
    """The fastest line of each peer, by workload."""
    best = {}
    for path in paths:
        with open(path) as file:
            for line in file:
                row = json.loads(line)
                by_peer = best.setdefault(tuple(row.get(key) for key in KEYS), {})
                if row["peer"] not in by_peer or row["ns"] < by_peer[row["peer"]]["ns"]:
                    by_peer[row["peer"]] = row
    return best


def unit(ns):
    for name, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {name}"
    return f"{ns:.0f} ns"


def line(*cells):
    print("| " + " | ".join(map(str, cells)) + " |")


def head(*cells):
    line(*cells)
    line(*["---"] * len(cells))


class Benches:
    def __init__(self, best):
        self.best = best

    def rows(self, **wanted):
        """Workloads that both we and a peer have: (key, ours, the fastest peer's)."""
        for key, by_peer in self.best.items():
            about = dict(zip(KEYS, key))
            if all(about[name] in (value if isinstance(value, tuple) else (value,)) for name, value in wanted.items()):
                others = [row for peer, row in by_peer.items() if peer not in ("norm", "numpy")]
                if "norm" in by_peer and others:
                    yield about, by_peer["norm"], min(others, key=lambda row: row["ns"])

    def ns(self, peer="norm", **about):
        row = self.best.get(tuple(about.get(key) for key in KEYS), {}).get(peer)
        return row["ns"] if row else None

    def copy(self, shape):
        """The fastest copy of that shape by anybody, in GB/s."""
        by_peer = self.best.get(("copy", None, None, None, shape, 1), {})
        return max((row["gbps"] for row in by_peer.values()), default=None)

    # ------------------------------------------------------------ tables

    def networks(self, op, title):
        rows = list(self.rows(op=op))
        if not rows:
            return
        print(f"\n### {title}\n")
        head("net", "method", "input", "threads", "ours", "fastest peer", "peer's", "ratio")
        for about, ours, peer in rows:
            shown = [f"{row['images_per_s']:,.0f}/s" if op == "train" else unit(row["ns"]) for row in (ours, peer)]
            ratio = peer["ns"] / ours["ns"]
            cells = (about["net"], about["norm"], about["shape"], about["threads"])
            line(*cells, shown[0], peer["peer"], shown[1], f"{ratio:.2f}")

    def kernels(self):
        rows = list(self.rows(**{"pass": ("fwd", "fwd+bwd")}))
        if not rows:
            return
        print("\n### Kernels of normalization\n")
        head("method", "pass", "shape", "ours", "GB/s", "of a copy", "fastest peer", "peer's", "ratio")
        for about, ours, peer in rows:
            copy = self.copy(about["shape"])
            share = f"{100 * ours['gbps'] / copy:.0f} %" if copy else "–"
            cells = (about["op"], about["pass"], about["shape"], unit(ours["ns"]), f"{ours['gbps']:.3g}", share)
            line(*cells, peer["peer"], unit(peer["ns"]), f"{peer['ns'] / ours['ns']:.2f}")

    # ------------------------------------------------------------ goals

    def against(self, peer, **about):
        """How many times a peer's speed ours is."""
        ours, theirs = self.ns(**about), self.ns(peer, **about)
        return theirs / ours if ours and theirs else None

    def fastest(self, **about):
        return next((peer["ns"] / ours["ns"] for _, ours, peer in self.rows(**about)), None)

    def added(self, method, net, threads):
        """The share by which a method lengthens a training step at batch 128."""
        common = {"op": "train", "net": net, "threads": threads, "shape": SHAPES[net]}
        with_it, without = self.ns(norm=method, **common), self.ns(norm="none", **common)
        return with_it / without - 1 if with_it and without else None

    def goals(self):
        lenet, mlp = ({"op": "train", "net": net, "shape": SHAPES[net]} for net in ("lenet5", "mlp"))
        single = "1x1x28x28"
        for threads in sorted({key[-1] for key in self.best}):
            t = {"threads": threads}
            at = f"{threads} thread" + ("s" if threads > 1 else "")
            for method, least in (("none", 2.5), ("batch", 3), ("layer", 3)):
                times = self.against("torch", norm=method, **lenet, **t)
                yield f"LeNet-5 training, batch 128, {method}, {at}: to PyTorch's default", least, times, "x"
            yield f"MLP training, batch 128, {at}: to burn", 1.1, self.against("burn-flex", norm="none", **mlp, **t), "x"
            for op, net, name, least in (
                ("train", "lenet5", "LeNet-5 training", 8),
                ("train", "mlp", "MLP training", 4),
                ("infer", "lenet5", "LeNet-5 inference", 4),
                ("infer", "mlp", "MLP inference", 1.3),
            ):
                times = self.fastest(op=op, net=net, norm="none", shape=single, **t)
                yield f"{name}, batch 1, {at}: to the fastest peer measured", least, times, "x"
            for method, most in (("synaptic", 0.03), ("batch", 0.08)):
                for net in ("lenet5", "mlp"):
                    yield f"{net}, {at}: added to a step by {method}", most, self.added(method, net, threads), "share"
        ratios = [peer["ns"] / ours["ns"] for _, ours, peer in self.rows(**{"pass": "fwd+bwd"})]
        yield "Kernels forward+backward: the slowest row to the fastest peer measured", 1, min(ratios, default=None), "x"
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None
        yield f"Kernels forward+backward: geometric mean of {len(ratios)} rows", 2.5, mean, "x"
        for cached, least, where in ((False, 0.8, "out of"), (True, 0.5, "in")):
            shares = [
                ours["gbps"] / self.copy(about["shape"])
                for about, ours, _ in self.rows(**{"pass": ("fwd", "fwd+bwd")})
                if self.copy(about["shape"]) and (math.prod(map(int, about["shape"].split("x"))) < CACHE) == cached
            ]
            yield f"Kernels {where} cache: the least share of a copy's bandwidth", least, min(shares, default=None), "least"
        for net in ("lenet5", "mlp"):
            for method in ("none", "batch", "layer", "synaptic"):
                of = {"op": "train", "net": net, "shape": SHAPES[net], "norm": method}
                one, two = (self.ns(threads=threads, **of) for threads in (1, 2))
                yield f"{net}, {method}: 2 threads to 1", 1.8, one / two if one and two else None, "x"

    def summary(self):
        print("\n### The goals\n")
        head("what", "goal", "measured", "reached")
        for what, goal, got, kind in self.goals():
            if got is None:
                continue
            most = kind == "share"
            show = (lambda v: f"{v:.2f}") if kind == "x" else (lambda v: f"{100 * v:.1f} %")
            bound = f"at most {show(goal)}" if most else f"at least {show(goal)}"
            line(what, bound, show(got), "yes" if (got <= goal if most else got >= goal) else "no")


SHAPES = {"lenet5": "128x1x28x28", "mlp": "128x1x28x28"}
# Values of which x, y, dy and dx fit into 32 MiB of L3 together.
CACHE = 2**21


def main():
    args = sys.argv[1:]
    page = args[1] if args[:1] == ["--into"] and len(args) > 1 else None
    files = args[2:] if page else args
    if not files or files[0].startswith("-"):
        sys.exit(__doc__)
    benches = Benches(load(files))
    with contextlib.redirect_stdout(io.StringIO()) as text:
        benches.summary()
        benches.networks("train", "Training, images per second")
        benches.networks("infer", "Inference, time of one call")
        benches.kernels()
    if page is None:
        print(text.getvalue(), end="")
        return
    with open(page) as file:
        above, marker, _ = file.read().partition("<!-- tables -->\n")
    if not marker:
        sys.exit(f"{page} has no line <!-- tables -->")
    with open(page, "w") as file:
        file.write(above + marker + text.getvalue())


if __name__ == "__main__":
    main()
