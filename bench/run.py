# SPDX-License-Identifier: MIT
"""Measures memwhy beside the standard tracemalloc, on this interpreter, in one run.

    python bench/run.py [--blocks N] [--repeat N] [--quick]

Every figure comes from a process of its own; the tracers take turns, so that a noisy
moment of the machine hits all alike, and the median of the repeats counts.  Ratios travel
between machines, seconds do not.  Writes bench/results/latest.json and prints tables.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import workloads  # noqa: E402

STEPS = ("take_snapshot", "statistics", "compare_to")


def run(script, *arguments):
    """What the script printed, as JSON, and the largest resident set it had."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(finished.stdout)


def median_of(results, key):
    return statistics.median(result[key] for result in results)


def measure_heap(blocks, repeat):
    """Metadata and the cost of a snapshot, by tracer."""
    results = {"none": [], "memwhy": [], "tracemalloc": []}
    for _ in range(repeat):
        for tracer, found in results.items():
            found.append(run("heap.py", tracer, blocks))
    untraced = median_of(results.pop("none"), "resident")
    table = {}
    for tracer, found in results.items():
        row = {step: median_of(found, step) for step in STEPS}
        live = median_of(found, "blocks")
        row["blocks"] = live
        row["metadata_per_block"] = median_of(found, "metadata") / live
        row["resident_per_block"] = (median_of(found, "resident") - untraced) / live
        table[tracer] = row
    return table


def measure_overhead(repeat):
    """CPU time of each workload, as a multiple of the untraced."""
    tracers = ("none", "memwhy", "tracemalloc1", "tracemalloc25")
    seconds = {(name, tracer): [] for name in workloads.NAMES for tracer in tracers}
    for round_ in range(repeat):
        for (name, tracer), found in seconds.items():
            # 20 to 80 times slower than all others, so once is enough.
            if tracer != "tracemalloc25" or round_ == 0:
                found.append(run("workloads.py", name, tracer))
    medians = {key: statistics.median(found) for key, found in seconds.items()}
    return {name: {tracer: medians[name, tracer] / medians[name, "none"] for tracer in tracers[1:]}
            for name in workloads.NAMES}


def machine():
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "python": sys.version, "compiler": platform.python_compiler()}


def show_heap(table):
    print(f"{'':34}{'memwhy':>14}{'tracemalloc':>14}")
    for step in STEPS:
        ours, theirs = table["memwhy"][step], table["tracemalloc"][step]
        print(f"{step + ', seconds':34}{ours:14.5f}{theirs:14.3f}   {theirs / ours:.0f} times")
    for key, label in (("metadata_per_block", "metadata per block, as reported"),
                       ("resident_per_block", "metadata per block, by RSS")):
        print(f"{label:34}{table['memwhy'][key]:12.1f} B{table['tracemalloc'][key]:12.1f} B")


def show_overhead(table):
    print(f"\n{'CPU time / untraced':20}{'memwhy':>10}{'tracemalloc 1':>16}{'tracemalloc 25':>16}")
    for name, row in table.items():
        print(f"{name:20}{row['memwhy']:10.2f}{row['tracemalloc1']:16.2f}"
              f"{row['tracemalloc25']:16.2f}")
    means = [statistics.geometric_mean(row[tracer] for row in table.values())
             for tracer in ("memwhy", "tracemalloc1", "tracemalloc25")]
    print(f"{'geometric mean':20}{means[0]:10.2f}{means[1]:16.2f}{means[2]:16.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the blocks, one repeat")
    options = parser.parse_args()
    if options.quick:
        options.blocks //= 10
        options.repeat = 1
    heap = measure_heap(options.blocks, 1 if options.blocks > 2_000_000 else options.repeat)
    blocks = heap["memwhy"]["blocks"]
    print(f"{blocks:,} live blocks, {sys.version.split()[0]}\n")
    show_heap(heap)
    overhead = measure_overhead(options.repeat)
    show_overhead(overhead)
    sources = run("sources.py")
    print(f"\nkept for each distinct source that is compiled and dropped: "
          f"{sources['distinct']:.0f} B; for the same one again: {sources['same']:.1f} B")
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with open(results / "latest.json", "w") as file:
        json.dump({"machine": machine(), "heap": heap, "overhead": overhead,
                   "sources": sources}, file, indent=1)


main()
