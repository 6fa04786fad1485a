# SPDX-License-Identifier: MIT
"""Part "pairs": nanoseconds of one allocation and its free.

The loop is C (pair/pair.c), so nothing but the allocator and the tracer is in the figure.
A float is taken from its free list and given back: no allocation, but another owner.
"""
import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess
import sysconfig
import tempfile

import jobs
from tables import table

# Label → kind, batch, frames below which it is called.
SHAPES = {
    "one at a time": ("object", 1, 1),
    "batch of 100": ("object", 100, 1),
    "batch of 100, 25 frames deep": ("object", 100, 25),
    "batch of 100,000": ("object", 100_000, 1),
    "1 KiB, batch of 100": ("large", 100, 1),
    "RAW, batch of 100": ("raw", 100, 1),
    "float from its free list": ("float", 50, 1),
}
COLUMNS = ("untraced", "exact", "other", "sampled", "tracemalloc1", "tracemalloc25")
PAIRS = 2_000_000
SLOW = {"tracemalloc1": 10, "tracemalloc25": 40}


# ── in the measured process ────────────────────────────────────────────────────────────


def load(path):
    loader = importlib.machinery.ExtensionFileLoader("pair", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("pair", loader))
    loader.exec_module(module)
    return module


def below(frames, function, *arguments):
    return below(frames - 1, function, *arguments) if frames > 1 else function(*arguments)


def measure(column, module, kind, batch, frames, pairs, runs):
    """The best of [runs]: what disturbs only ever adds."""
    pair = load(module)
    rounds = max(1, pairs // batch)
    column.begin()
    times = [below(frames, pair.run, kind, batch, rounds) for _ in range(runs)]
    return {"ns": min(times) * 1e9 / (rounds * batch)} | column.end()


# ── in the runner ──────────────────────────────────────────────────────────────────────


def compile_module(directory):
    """The path of pair.c as an extension module of this interpreter."""
    path = pathlib.Path(directory) / ("pair" + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-g", "-Wall", "-Wextra", "-fPIC",
                    "-shared", "-I", sysconfig.get_path("include"), "-o", str(path),
                    str(jobs.HERE / "pair" / "pair.c")], check=True)
    return str(path)


def time_pairs(runner, options, module):
    cells = []
    for label, (kind, batch, frames) in SHAPES.items():
        for column in COLUMNS:
            if column in options.columns or column == "untraced":
                pairs = int(PAIRS * options.scale) // SLOW.get(column, 1)
                cells.append({"kind": "pairs", "column": column, "label": label,
                              "repeats": options.repeat or 5,
                              "arguments": {"module": module, "kind": kind, "batch": batch,
                                            "frames": frames, "pairs": pairs, "runs": 3}})
    found = {label: {} for label in SHAPES}
    for cell in runner.interleave(cells):
        found[cell["label"]][cell["column"]] = jobs.samples(cell, "ns")
    return found


def run(runner, options):
    jobs.progress("pairs")
    with tempfile.TemporaryDirectory() as directory:
        return time_pairs(runner, options, compile_module(directory))


# ── tables ─────────────────────────────────────────────────────────────────────────────


def show(times):
    """The table, in Markdown."""
    shown = [column for column in COLUMNS if any(column in of for of in times.values())]
    rows = []
    for label, of in times.items():
        values = {column: jobs.median(of[column]) for column in shown if column in of}
        row = [label, *(f"{values[column]:.1f}" if column in values else "–" for column in shown)]
        added = values["exact"] - values["untraced"] if "exact" in values else None
        rows.append([*row, "–" if added is None else f"{added:.1f}"])
    return table(["ns per pair", *shown, "exact adds"], rows)
