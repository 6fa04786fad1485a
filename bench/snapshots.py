# SPDX-License-Identifier: MIT
"""Part "snapshots": what a snapshot, its statistics, a comparison and a look at every
block cost, against the number of blocks and of sites.

In Python, on heaps that are really traced; and in C alone (snapshot_bench.c), on a
made-up snapshot of 100,000 sites in 400,000 call paths, and on a block store.
"""
import gc
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import heaps
import jobs
from tables import seconds, table

STEPS = ("take_snapshot", "statistics", "compare_to")
COLUMNS = ("exact", "other", "tracemalloc1")
LINES_A_FUNCTION = 50
FUNCTIONS_A_FILE = 20

# What the heap is → its maker and arguments at scale 1.
SIZES = [
    ("plain", {"blocks": 100_000}),
    ("plain", {"blocks": 1_000_000}),
    ("plain", {"blocks": 5_000_000}),
    ("sites", {"lines": 1000, "callers": 1, "rounds": 200}),
    ("sites", {"lines": 1000, "callers": 10, "rounds": 20}),
    ("sites", {"lines": 5000, "callers": 20, "rounds": 2}),
    ("sites", {"lines": 5000, "callers": 20, "rounds": 20}),
    ("sites", {"lines": 100_000, "callers": 1, "rounds": 2}),
]
# tracemalloc's own statistics take seconds for each million blocks.
LARGEST_OF_TRACEMALLOC = 1_000_000


# ── in the measured process ────────────────────────────────────────────────────────────


def make_functions(lines):
    """Functions that allocate on that many lines of several made-up files."""
    functions = []
    a_file = LINES_A_FUNCTION * FUNCTIONS_A_FILE
    for first in range(0, lines, a_file):
        source = ""
        for start in range(first, min(lines, first + a_file), LINES_A_FUNCTION):
            count = min(LINES_A_FUNCTION, lines - start)
            source += f"def at_{start}(kept):\n" + "    kept.append(object())\n" * count
        names = {}
        exec(compile(source, f"/made/up/file_{first}.py", "exec"), names)
        functions += [names[name] for name in names if name.startswith("at_")]
    return functions


def heap_sites(lines, callers, rounds):
    """[rounds] blocks on each of [lines] lines, reached from each of [callers] lines."""
    kept, names = [], {}
    source = "def call(functions, kept):\n" + "    for f in functions: f(kept)\n" * callers
    exec(compile(source, "/made/up/caller.py", "exec"), names)
    functions = make_functions(lines)
    for _ in range(rounds):
        names["call"](functions, kept)
    return kept


def heap_plain(blocks):
    return heaps.heap_plain(blocks // 11)


def timed(function, *arguments):
    started = time.process_time()
    result = function(*arguments)
    return time.process_time() - started, result


def measure(column, heap, repeats, **size):
    """Seconds of each step, each the median of [repeats] in this process, the first
    included; the heap grows a little between snapshots."""
    column.begin()
    kept = [globals()["heap_" + heap](**size)]
    gc.collect()
    # What measures must not be what is measured: collections come at other times.
    gc.disable()
    found = {step: [] for step in STEPS}
    older = column.module.take_snapshot()
    for _ in range(repeats):
        kept.append([[i] for i in range(1000)])
        elapsed, snapshot = timed(column.module.take_snapshot)
        found["take_snapshot"].append(elapsed)
        elapsed, rows = timed(snapshot.statistics, "lineno")
        found["statistics"].append(elapsed)
        elapsed, _ = timed(snapshot.compare_to, older, "lineno")
        found["compare_to"].append(elapsed)
    answer = {step: statistics.median(times) for step, times in found.items()}
    answer |= {"rows": len(rows), "sites": len(snapshot.statistics("traceback"))}
    elapsed, _ = timed(lambda: sum(trace.size for trace in snapshot.traces))
    answer |= {"each_trace": elapsed / len(snapshot.traces), "blocks": len(snapshot.traces)}
    return answer | column.end()


# ── in the runner ──────────────────────────────────────────────────────────────────────

C_PROGRAMS = ("snapshot_bench", "scan_bench")
# Whole rooms: a list of the files that each program needs would soon be out of date.
C_ROOMS = ("src/base", "src/core")
C_LINE = re.compile(r"^(.+?)  +([\d.]+) ms", re.MULTILINE)


def compile_in_c(*arguments, directory=None):
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-DNDEBUG", "-std=gnu11",
                    f"-I{jobs.TREE / 'src'}", *arguments], check=True, cwd=directory)


def build_in_c(directory):
    """The programs in C beside this file, linked to the rooms that they measure."""
    sources = [source for room in C_ROOMS for source in sorted((jobs.TREE / room).glob("*.c"))]
    compile_in_c("-c", *sources, directory=directory)
    for name in C_PROGRAMS:
        compile_in_c("-o", directory / name, jobs.HERE / f"{name}.c", *directory.glob("*.o"), "-lm")
        yield directory / name


def run_in_c(repeats):
    """{what: [ms, …]} of the programs in C."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        for program in build_in_c(pathlib.Path(directory)):
            for _ in range(repeats):
                text = subprocess.run([program], check=True, capture_output=True, text=True).stdout
                for what, ms in C_LINE.findall(text):
                    found.setdefault(" ".join(what.split()), []).append(float(ms))
    return found


def scaled(size, scale):
    first, *_ = size
    return size | {first: max(10, int(size[first] * scale))}


def block_count(size):
    return size.get("blocks") or size["lines"] * size["callers"] * size["rounds"]


def cells_of(options):
    for heap, size in SIZES:
        for column in COLUMNS:
            slow = column == "tracemalloc1"
            if column not in options.columns or (
                    slow and block_count(size) > LARGEST_OF_TRACEMALLOC):
                continue
            yield {"kind": "snapshots", "column": column, "size": size,
                   "repeats": 1 if slow else min(options.repeat or 3, 3),
                   "arguments": {"heap": heap, "repeats": 1 if slow else 5,
                                 **scaled(size, options.scale)}}


def run(runner, options):
    jobs.progress("snapshots")
    rows = []
    for cell in runner.interleave(list(cells_of(options))):
        row = {"column": cell["column"], **cell["size"]}
        row |= {key: jobs.samples(cell, key) for key in (*STEPS, "each_trace")}
        rows.append(row | {key: cell["answers"][-1][key] for key in ("blocks", "sites", "rows")})
    return {"python": rows, "c": run_in_c(options.repeat or 5)}


# ── tables ─────────────────────────────────────────────────────────────────────────────


def show_python(found):
    rows = []
    for row in found:
        each = f"{jobs.median(row['each_trace']) * 1e9:.0f} ns"
        rows.append([f"{row['blocks']:,}", f"{row['sites']:,}", f"{row['rows']:,}", row["column"],
                     *(seconds(jobs.median(row[step])) for step in STEPS), each])
    return table(["blocks", "tracebacks", "lines", "column", *(f"`{step}`" for step in STEPS),
                  "each of `.traces`"], rows)


def show_c(found):
    rows = [[what, f"{jobs.median(ms):.2f} ms"] for what, ms in found.items()]
    return table(["in C: 100,000 sites, 5,000,000 blocks", "time"], rows)


def show(result):
    return show_python(result["python"]) + "\n" + show_c(result["c"])
