"""Makes the page of what `table.sh` measures: lines on standard input, Markdown on standard output."""

import math
import os
import struct
import sys

BOARDS = {
    "m0": "Cortex-M0 (thumbv6m, no floating-point unit)",
    "m3": "Cortex-M3 (thumbv7m, no floating-point unit)",
    "m4f": "Cortex-M4F (thumbv7em, with a floating-point unit)",
    "riscv": "RISC-V (riscv32imac, no floating-point unit)",
}
# What it is, its file, its program for size, what figures prints of it.
NETWORKS = [
    ("digits 64-32-10, f32", "digits", "f32", "digits f32"),
    ("digits 64-32-10, int8", "digits-int8", "int8", "digits int8"),
    ("digits, adapting, f32", "digits-live", "live_f32", "digits live f32"),
    ("digits, adapting, int8", "digits-live-int8", "live_int8", "digits live int8"),
    ("gas 128-64-64-64-6, adapting, f32", "gas-live", "gas_live_f32", "gas live f32"),
    ("gas 128-64-64-64-6, adapting, int8", "gas-live-int8", "gas_live_int8", "gas live int8"),
]
KERNELS = [
    ("layer norm of 128", "layer-norm-128"),
    ("dense 64x32, f32", "dense-64x32-f32"),
    ("dense 64x32, int8", "dense-64x32-int8"),
    ("convolution 2x8x8 to 8 of 3x3, f32", "conv-2x8x8-8x3x3-f32"),
    ("convolution 2x8x8 to 8 of 3x3, int8", "conv-2x8x8-8x3x3-int8"),
]
PEERS = [("c", "C"), ("cmsis", "CMSIS-NN"), ("microflow", "microflow")]
HEAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "table.md")


def read(lines):
    """Figures by board and what they are of; the versions."""
    boards, versions = {}, []
    for line in lines:
        words = line.split()
        at = next((i for i, w in enumerate(words) if w.isdigit()), len(words))
        if words[0] == "versions":
            versions = " ".join(words[1:]).split(", ")
        elif words[0] == "board":
            board = boards.setdefault(words[1], {})
        else:
            board[" ".join(words[:at])] = [int(w) for w in words[at:]]
    return boards, versions


def memory(name):
    """Bytes of a file, and of memory the caller gives: input, output and work; state."""
    with open(os.path.join(os.path.dirname(HEAD), "models", name + ".norm"), "rb") as file:
        data = file.read()
    inputs, outputs, work, state = struct.unpack("<10I", data[:40])[6:]
    return len(data), 4 * (inputs + outputs + work), 4 * state


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|---|" + "--:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(f"{c:,}" if isinstance(c, int) else c for c in row) + " |")
    print()


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if theirs else ""


def flash(f, network, profile):
    """Bytes of a program in flash, and at fixed addresses in memory."""
    return f[f"size {network[2]} {profile}"]


def adaptation(f, key):
    """Of an inference: the update, and with it what inference costs more for being followed by one."""
    run, live, observe = (f[f"{key} {what}"][0] for what in ("run", "run-live", "observe"))
    return observe / run, (live - run + observe) / run


def size_rows(f):
    for network in NETWORKS:
        weights, given, state = memory(network[1])
        (fast, static), (small, _) = flash(f, network, "release"), flash(f, network, "small")
        stack = max(v[1] for k, v in f.items() if k.startswith(network[3] + " run") or k == network[3] + " observe")
        yield network[0], weights, fast - weights, small - weights, static, given, state, stack


def speed_rows(f):
    for name, _, _, key in NETWORKS:
        run = f[key + " run"][0]
        if key + " observe" not in f:
            yield name, run, "", "", ""
            continue
        update, all_of_it = adaptation(f, key)
        live, observe = f[key + " run-live"][0], f[key + " observe"][0]
        yield name, run, live, observe, f"{100 * update:.0f} % ({100 * all_of_it:.0f} %)"


def kernel_table(f):
    """Ours, and beside it what else was measured."""
    peers = [(by, name) for by, name in PEERS if any(f"{key} {by}" in f for _, key in KERNELS)]
    rows = []
    for name, key in KERNELS:
        ours = f[key + " rust"][0]
        row = [name, ours]
        for by, _ in peers:
            theirs = f.get(f"{key} {by}", [None])[0]
            row += [theirs or "", ratio(ours, theirs)]
        rows.append(row)
    table(["kernel", "ours", *(head for _, name in peers for head in (name, "ours to it"))], rows)


def goals(boards):
    f = boards["m4f"]
    ours = lambda key, by: f[f"{key} {by}"][0]
    reached = lambda value, goal: "" if goal == math.inf else "yes" if value <= goal else "**no**"
    most = lambda value, goal, text: (text(value), "" if goal == math.inf else text(goal), reached(value, goal))
    whole = lambda n: f"{n:,.0f}"
    digits = NETWORKS[1]
    yield ("digits int8, whole program in flash, opt-level s", *most(flash(f, digits, "small")[0], 16 << 10, whole))
    yield ("the same at opt-level 3", *most(flash(f, digits, "release")[0], 16 << 10, whole))
    ram = flash(f, digits, "small")[1] + memory(digits[1])[1]
    yield ("digits int8, memory beyond its stack", *most(ram, 1 << 10, whole))
    yield ("layer norm of 128, instructions", *most(ours("layer-norm-128", "rust"), 2500, whole))
    for name, key in KERNELS:
        # None was set for convolution in int8.
        goal = {"dense-64x32-int8": 1.0, "conv-2x8x8-8x3x3-int8": math.inf}.get(key, 1.1)
        value = ours(key, "rust") / ours(key, "c")
        yield (f"{name}, to C", *most(value, goal, lambda v: f"{v:.2f}"))
    for name, _, _, key in NETWORKS[2:]:
        update, all_of_it = adaptation(f, key)
        percent = lambda v: f"{100 * v:.1f} %"
        yield (f"update to inference, {name}", *most(update, 0.1, percent))
        yield (f"all that adapting adds, {name}", *most(all_of_it, 0.1, percent))


def main():
    boards, versions = read(sys.stdin)
    with open(HEAD) as file:
        print(file.read().format(*versions))
    if "m4f" in boards:
        print("## The goals, on Cortex-M4F\n")
        table(["what", "measured", "goal", "reached"], goals(boards))
    for board, f in boards.items():
        print(f"## {BOARDS[board]}\n")
        size = ["network", "weights", "code", "code, opt-level s", "static", "given", "state", "stack"]
        table(size, size_rows(f))
        table(["network", "inference", "inference, adapting", "update", "update to inference"], speed_rows(f))
        kernel_table(f)


if __name__ == "__main__":
    main()
